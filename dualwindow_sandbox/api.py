"""Binance's public REST interface: a path, its parameters and a moment give an answer."""

import json
from collections.abc import Callable, Mapping
from functools import partial

from dualwindow_sandbox import payloads
from dualwindow_sandbox.listings import Listing
from dualwindow_sandbox.ohlcv import DAY, HOUR
from dualwindow_sandbox.payloads import Json
from dualwindow_sandbox.venues import INTERVALS, Market, Venues, Window, candles_until, last_price

Query = Mapping[str, str]
Endpoint = Callable[[Query, int], Json]

_FUNDING_INTERVAL = 8 * HOUR


class RequestError(Exception):
    """A request that Binance would refuse, with Binance's own error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.payload = {"code": code, "msg": message}


def _whole_number(query: Query, name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal():
        raise RequestError(400, -1100, f"Illegal characters found in parameter '{name}': {text}")
    return int(text)


def _listing(market: Market, query: Query) -> Listing:
    symbol = query.get("symbol")
    if symbol is None:
        raise RequestError(
            400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
        )
    for listing in market.listings:
        if listing.symbol == symbol:
            return listing
    raise RequestError(400, -1121, "Invalid symbol.")


def _symbols(query: Query) -> list[str]:
    try:
        names = json.loads(query["symbols"])
    except json.JSONDecodeError:
        names = None
    if not isinstance(names, list):
        raise RequestError(400, -1100, "Illegal characters found in parameter 'symbols'.")
    return names


def _span(market: Market, pair: str, query: Query, now: int) -> tuple[int, int]:
    """Return the time asked for, cut to what there is."""
    first, end = market.span(pair, now)
    stop = min(_whole_number(query, "endTime", end - 1) + 1, end)
    return max(_whole_number(query, "startTime", first), first), stop


def klines(market: Market, most: int, query: Query, now: int) -> Json:
    """Answer with the first candles from `startTime` on, or without it with the last ones."""
    listing = _listing(market, query)
    if query.get("interval") not in INTERVALS:
        raise RequestError(400, -1120, "Invalid interval.")
    interval = INTERVALS[query["interval"]]
    length = min(_whole_number(query, "limit", 500), most) * interval
    start, stop = _span(market, listing.pair, query, now)
    start -= start % -interval  # Binance's startTime is a lower bound of opening times
    if "startTime" in query:
        stop = min(stop, start + length)
    else:
        start = max(start, stop - stop % -interval - length)
    candles = candles_until(market, listing.pair, Window(interval, start, stop), now)
    return payloads.klines(listing, candles, interval)


def _each(market: Market, one: Callable[[Listing, int], Json], query: Query, now: int) -> Json:
    """Answer for one symbol if one is named, otherwise for a list of them, or all."""
    if "symbol" in query:
        return one(_listing(market, query), now)
    if "symbols" in query:
        return [one(_listing(market, {"symbol": name}), now) for name in _symbols(query)]
    return [one(listing, now) for listing in market.listings]


def _day_ticker(market: Market, listing: Listing, now: int) -> Json:
    _, end = market.span(listing.pair, now)
    day = candles_until(market, listing.pair, Window(HOUR, end - DAY, end), now)
    return payloads.day_ticker(listing, day, now)


def _best_prices(market: Market, listing: Listing, now: int) -> Json:
    return payloads.best_prices(listing, last_price(market, listing.pair, now))


def _spot_day_ticker(market: Market, listing: Listing, now: int) -> Json:
    return _best_prices(market, listing, now) | _day_ticker(market, listing, now)


def _futures_best_prices(market: Market, listing: Listing, now: int) -> Json:
    return _best_prices(market, listing, now) | {"time": now}


def _price_ticker(market: Market, listing: Listing, now: int) -> Json:
    return payloads.price_ticker(listing, last_price(market, listing.pair, now))


def _premium_index(market: Market, listing: Listing, now: int) -> Json:
    _, end = market.span(listing.pair, now)
    _, rates = market.funding(listing.pair, end - DAY, end)
    return payloads.premium_index(
        listing,
        last_price(market, listing.pair, now),
        float(rates[-1]) if len(rates) else 0.0,
        now - now % -_FUNDING_INTERVAL,
        now,
    )


def _depth(market: Market, query: Query, now: int) -> Json:
    listing = _listing(market, query)
    levels = min(_whole_number(query, "limit", 100), 1000)
    return payloads.depth(listing, last_price(market, listing.pair, now), levels, now)


def _funding_rates(market: Market, query: Query, now: int) -> Json:
    listing = _listing(market, query)
    limit = min(_whole_number(query, "limit", 100), 1000)
    time, rate = market.funding(listing.pair, *_span(market, listing.pair, query, now))
    rows = slice(0, limit) if "startTime" in query else slice(max(len(time) - limit, 0), None)
    return payloads.funding_rates(listing, time[rows], rate[rows])


def _shared(market: Market, most: int) -> dict[str, Endpoint]:
    """Return the endpoints that spot and futures have in common."""
    return {
        "ping": lambda query, now: {},
        "time": lambda query, now: {"serverTime": now},
        "klines": partial(klines, market, most),
        "depth": partial(_depth, market),
        "ticker/price": partial(_each, market, partial(_price_ticker, market)),
    }


def _spot(market: Market) -> dict[str, Endpoint]:
    return {
        **_shared(market, 1000),
        "exchangeInfo": lambda query, now: payloads.spot_exchange_info(market.listings, now),
        "ticker/24hr": partial(_each, market, partial(_spot_day_ticker, market)),
        "ticker/bookTicker": partial(_each, market, partial(_best_prices, market)),
    }


def _futures(market: Market, mark: Market) -> dict[str, Endpoint]:
    return {
        **_shared(market, 1500),
        "exchangeInfo": lambda query, now: payloads.futures_exchange_info(market.listings, now),
        "ticker/24hr": partial(_each, market, partial(_day_ticker, market)),
        "ticker/bookTicker": partial(_each, market, partial(_futures_best_prices, market)),
        "markPriceKlines": partial(klines, mark, 1500),
        "fundingRate": partial(_funding_rates, market),
        "premiumIndex": partial(_each, market, partial(_premium_index, market)),
    }


def endpoints(venues: Venues) -> dict[str, Endpoint]:
    """Return every path the sandbox answers.

    An endpoint takes the request's parameters and the time in milliseconds; it returns JSON or
    raises `RequestError`.
    """
    spot, futures = _spot(venues.spot), _futures(venues.futures, venues.mark)
    return {
        **{f"/api/v3/{name}": endpoint for name, endpoint in spot.items()},
        **{f"/fapi/v1/{name}": endpoint for name, endpoint in futures.items()},
        # coin-margined futures: there are none, but ccxt loads their list
        "/dapi/v1/exchangeInfo": lambda query, now: payloads.futures_exchange_info((), now),
    }
