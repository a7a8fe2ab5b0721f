"""What trades in the sandbox, and in which steps of price and amount."""

import math
from dataclasses import dataclass

QUOTE = "USDT"


@dataclass(frozen=True)
class Listing:
    """One pair, listed both as spot and as a USDT-margined perpetual future.

    Parameters
    ----------
    base : coin that is bought
    price_decimals, amount_decimals : digits behind the point that the exchange accepts
    """

    base: str
    price_decimals: int
    amount_decimals: int

    @property
    def pair(self) -> str:
        """Freqtrade's name, ``BTC/USDT``."""
        return f"{self.base}/{QUOTE}"

    @property
    def symbol(self) -> str:
        """Binance's name, ``BTCUSDT``."""
        return f"{self.base}{QUOTE}"


# Rounded prices and turnovers of early 2024: a market that looks familiar, not a forecast.
# base: (starting price in USDT, usual turnover in USDT per minute)
COINS = {
    "BTC": (42_000.0, 1_000_000.0),
    "ETH": (2_300.0, 600_000.0),
    "BNB": (300.0, 200_000.0),
    "SOL": (100.0, 300_000.0),
    "XRP": (0.60, 150_000.0),
    "ADA": (0.55, 100_000.0),
    "DOGE": (0.085, 100_000.0),
    "AVAX": (36.0, 80_000.0),
    "TRX": (0.11, 60_000.0),
    "DOT": (7.2, 60_000.0),
    "LINK": (15.0, 80_000.0),
    "SUI": (1.4, 60_000.0),
    "LTC": (70.0, 60_000.0),
    "BCH": (245.0, 40_000.0),
    "UNI": (6.6, 40_000.0),
    "ATOM": (9.8, 40_000.0),
    "ETC": (25.0, 40_000.0),
    "XLM": (0.12, 30_000.0),
    "FIL": (5.5, 40_000.0),
    "NEAR": (3.1, 40_000.0),
    "APT": (9.4, 40_000.0),
    "ARB": (1.8, 40_000.0),
    "OP": (3.1, 40_000.0),
    "INJ": (35.0, 40_000.0),
    "AAVE": (90.0, 30_000.0),
    "ALGO": (0.17, 20_000.0),
}


def synthetic_listing(base: str) -> Listing:
    """List a coin of `COINS` in price steps near 1e-5 of its price, amounts near one USDT.

    Examples
    --------
    >>> synthetic_listing("BTC")
    Listing(base='BTC', price_decimals=1, amount_decimals=5)
    """
    magnitude = math.floor(math.log10(COINS[base][0]))
    return Listing(base, max(5 - magnitude, 0), max(magnitude + 1, 0))
