"""Binance's JSON, made from listings and candles."""

from collections.abc import Sequence
from typing import Any

from dualwindow.arrays import FloatArray, IntArray
from dualwindow_sandbox.listings import QUOTE, Listing
from dualwindow_sandbox.ohlcv import Ohlcv

Json = Any

_NO_DELIVERY = 4_133_404_800_000  # the year 2100: how Binance says "perpetual"
_MIN_NOTIONAL = "5"


def _filters(listing: Listing, notional: dict[str, str]) -> Json:
    tick = f"{10.0**-listing.price_decimals:.{listing.price_decimals}f}"
    step = f"{10.0**-listing.amount_decimals:.{listing.amount_decimals}f}"
    lot = {"minQty": step, "maxQty": "100000000", "stepSize": step}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": "10000000",
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", **lot},
        {"filterType": "MARKET_LOT_SIZE", **lot},
        notional,
    ]


def _instrument(listing: Listing) -> Json:
    return {
        "symbol": listing.symbol,
        "status": "TRADING",
        "baseAsset": listing.base,
        "quoteAsset": QUOTE,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
    }


def _exchange_info(symbols: Json, now: int) -> Json:
    return {
        "timezone": "UTC",
        "serverTime": now,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": symbols,
    }


def spot_exchange_info(listings: Sequence[Listing], now: int) -> Json:
    """Return ``/api/v3/exchangeInfo``."""
    notional = {"filterType": "NOTIONAL", "minNotional": _MIN_NOTIONAL, "maxNotional": "9000000"}
    symbols = [
        {
            **_instrument(listing),
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "permissions": ["SPOT"],
            "filters": _filters(listing, notional),
        }
        for listing in listings
    ]
    return _exchange_info(symbols, now)


def futures_exchange_info(listings: Sequence[Listing], now: int) -> Json:
    """Return ``/fapi/v1/exchangeInfo``."""
    notional = {"filterType": "MIN_NOTIONAL", "notional": _MIN_NOTIONAL}
    symbols = [
        {
            **_instrument(listing),
            "pair": listing.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": _NO_DELIVERY,
            "marginAsset": QUOTE,
            "pricePrecision": listing.price_decimals,
            "quantityPrecision": listing.amount_decimals,
            "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET"],
            "filters": _filters(listing, notional),
        }
        for listing in listings
    ]
    return _exchange_info(symbols, now)


def klines(listing: Listing, candles: Ohlcv, interval: int) -> Json:
    """Return rows of twelve, as ``klines`` does; half of the volume is the takers'."""
    price, amount = f"%.{listing.price_decimals}f", f"%.{listing.amount_decimals}f"
    turnover = candles.volume * (candles.open + candles.close) / 2
    columns = (
        candles.time,
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.volume,
        turnover,
    )
    return [
        [
            time,
            price % opened,
            price % high,
            price % low,
            price % close,
            amount % volume,
            time + interval - 1,
            f"{quote:.4f}",
            1 + int(quote / 1000),
            amount % (volume / 2),
            f"{quote / 2:.4f}",
            "0",
        ]
        for time, opened, high, low, close, volume, quote in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ]


def day_ticker(listing: Listing, day: Ohlcv, now: int) -> Json:
    """Return one row of futures' ``ticker/24hr`` from the candles of the last day."""
    turnover = float((day.volume * (day.open + day.close) / 2).sum())
    volume = float(day.volume.sum())
    first, last = float(day.open[0]), float(day.close[-1])
    decimals = listing.price_decimals
    return {
        "symbol": listing.symbol,
        "priceChange": f"{last - first:.{decimals}f}",
        "priceChangePercent": f"{100 * (last / first - 1):.3f}",
        "weightedAvgPrice": f"{turnover / volume if volume else last:.{decimals}f}",
        "openPrice": f"{first:.{decimals}f}",
        "highPrice": f"{day.high.max():.{decimals}f}",
        "lowPrice": f"{day.low.min():.{decimals}f}",
        "lastPrice": f"{last:.{decimals}f}",
        "volume": f"{volume:.{listing.amount_decimals}f}",
        "quoteVolume": f"{turnover:.4f}",
        "openTime": int(day.time[0]),
        "closeTime": now,
        "count": 1 + int(turnover / 1000),
    }


def _level(listing: Listing, price: float, distance: int) -> tuple[str, str]:
    """Offer 5000 USDT, in whole steps, `distance` ticks above the price (below if negative)."""
    at = price + distance * 10.0**-listing.price_decimals
    amount = max(round(5000 / price, listing.amount_decimals), 10.0**-listing.amount_decimals)
    return f"{at:.{listing.price_decimals}f}", f"{amount:.{listing.amount_decimals}f}"


def best_prices(listing: Listing, price: float) -> Json:
    """Return one row of spot's ``ticker/bookTicker``: one tick to either side of the last price.

    ccxt tells spot from futures by these very keys: spot has them in ``ticker/24hr`` too, futures
    has not, and says its ``time`` with them.
    """
    (bid, amount), (ask, _) = _level(listing, price, -1), _level(listing, price, 1)
    return {
        "symbol": listing.symbol,
        "bidPrice": bid,
        "bidQty": amount,
        "askPrice": ask,
        "askQty": amount,
    }


def price_ticker(listing: Listing, price: float) -> Json:
    """Return one row of ``ticker/price``."""
    return {"symbol": listing.symbol, "price": f"{price:.{listing.price_decimals}f}"}


def depth(listing: Listing, price: float, levels: int, now: int) -> Json:
    """Return an order book of `levels` ticks to either side of the last price."""
    return {
        "lastUpdateId": now,
        "E": now,
        "T": now,
        "bids": [_level(listing, price, -n) for n in range(1, levels + 1)],
        "asks": [_level(listing, price, n) for n in range(1, levels + 1)],
    }


def funding_rates(listing: Listing, time: IntArray, rate: FloatArray) -> Json:
    """Return ``fundingRate``."""
    return [
        {"symbol": listing.symbol, "fundingTime": t, "fundingRate": f"{r:.8f}", "markPrice": ""}
        for t, r in zip(time.tolist(), rate.tolist(), strict=True)
    ]


def premium_index(listing: Listing, price: float, rate: float, funding_time: int, now: int) -> Json:
    """Return one row of ``premiumIndex``; mark and index price are the last price."""
    mark = f"{price:.{listing.price_decimals}f}"
    return {
        "symbol": listing.symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "lastFundingRate": f"{rate:.8f}",
        "interestRate": "0.00010000",
        "nextFundingTime": funding_time,
        "time": now,
    }
