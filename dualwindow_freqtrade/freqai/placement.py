"""Find blocks of the configuration that stand where nobody reads them, or are none."""

from collections.abc import Iterator, Mapping
from typing import Any

_OURS = "dual_window"
_FREQTRADES_COPY = "original_config"
_BLOCKS = ("feature_parameters", "data_split_parameters", _OURS)  # whose keys are looked through


def misplaced_blocks(config: Mapping[str, Any]) -> list[str]:
    """Describe every block ``dual_window`` outside of the block ``freqai``.

    Inside of it, an unknown key is refused wherever it stands.

    Examples
    --------
    >>> misplaced_blocks({"dual_window": {"pooling": "pair"}, "freqai": {}})
    ["'dual_window' is read by nobody where it stands; move it into the block freqai"]
    """
    return [
        f"'{place}' is read by nobody where it stands; move it into the block freqai"
        for place in _places(config, "")
    ]


def _places(block: Mapping[str, Any], above: str) -> Iterator[str]:
    for key, value in block.items():
        if key == _OURS:
            yield above + key
        elif isinstance(value, Mapping) and key not in ("freqai", _FREQTRADES_COPY):
            yield from _places(value, f"{above}{key}.")


def broken_blocks(freqai: Any) -> list[str]:
    """Describe what must be a block of settings inside of ``freqai``, and is something else.

    Examples
    --------
    >>> broken_blocks({"dual_window": ["pooling"]})
    ["freqai.dual_window must be a block of settings. Received: ['pooling']"]
    """
    if not isinstance(freqai, Mapping):
        return [f"freqai must be a block of settings. Received: {freqai!r}"]
    return [
        f"freqai.{name} must be a block of settings. Received: {freqai[name]!r}"
        for name in _BLOCKS
        if name in freqai and not isinstance(freqai[name], Mapping)
    ]
