"""Leave out of what was seen all but one pair."""

from dataclasses import replace

from dualwindow.judging.evidence import Evidence
from dualwindow.learning.walk_forward import WalkForward


def of_pair(evidence: Evidence, pair: str) -> Evidence:
    """Keep what is of one pair; it has been predicted."""
    deals = evidence.deals
    live = evidence.live
    if live is not None:
        own = tuple(each for each in live.pairs if each.pair == pair)
        live = live.model_copy(update={"pairs": own})
    return replace(
        evidence,
        walks={name: _walk_of(walk, pair) for name, walk in evidence.walks.items()},
        candles={pair: evidence.candles[pair]},
        vetoed={p: mask for p, mask in evidence.vetoed.items() if p == pair},
        actions={p: held for p, held in evidence.actions.items() if p == pair},
        deals=None if deals is None else tuple(deal for deal in deals if deal.pair == pair),
        deals_lost={},  # they are counted over all pairs
        importances=tuple(each for each in evidence.importances if each.pair == pair),
        live=live,
    )


def _walk_of(walk: WalkForward, pair: str) -> WalkForward:
    table = walk.table[walk.table["pair"] == pair].reset_index(drop=True)
    kept = [
        (record, fold)
        for record, fold in zip(walk.records, walk.folds, strict=True)
        if fold.pair == pair
    ]
    table = table.assign(pair=table["pair"].cat.remove_unused_categories())
    return WalkForward(table, [record for record, _ in kept], [fold for _, fold in kept])
