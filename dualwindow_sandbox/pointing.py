"""Say what points freqtrade at a sandbox: as a configuration, or as environment variables."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_PREFIX = "FREQTRADE"


def settings(address: str) -> dict[str, Any]:
    """Return the configuration that points freqtrade at the sandbox on `address`.

    Three addresses are rewritten; every other one ccxt knows, now or in later versions, is https,
    and the sandbox is their proxy: it refuses them and nothing leaves.
    """
    api = {
        "public": f"{address}/api/v3",
        "fapiPublic": f"{address}/fapi/v1",
        "dapiPublic": f"{address}/dapi/v1",
    }
    exchange = {
        "name": "binance",
        "ccxt_config": {"urls": {"api": api}, "httpsProxy": address},
        # Websockets and the archive of old candles are not among ccxt's addresses.
        "enable_ws": False,
        "only_from_ccxt": True,
    }
    return {"dry_run": True, "exchange": exchange}


def environment(address: str) -> dict[str, str]:
    """Return the same as variables, which win over every configuration file.

    freqtrade logs two lines for each.

    Examples
    --------
    >>> environment("http://127.0.0.1:1")["FREQTRADE__EXCHANGE__ENABLE_WS"]
    'false'
    """
    return dict(_variables(_PREFIX, settings(address)))


def written(folder: Path, address: str, further: Mapping[str, Any]) -> Path:
    """Write the configuration, with further keys, into a file for freqtrade's option ``-c``."""
    path = folder / "sandbox.json"
    path.write_text(json.dumps({**settings(address), **further}, indent=1))
    return path


def without_overrides(variables: Mapping[str, str], address: str) -> dict[str, str]:
    """Leave out the variables that would win over what is `written`."""
    ours = {name.upper() for name in environment(address)}
    return {name: value for name, value in variables.items() if name.upper() not in ours}


def _variables(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
        return
    for key, inner in value.items():
        # Only the last key below ccxt_config keeps its case in freqtrade.
        is_leaf_of_ccxt = "CCXT_CONFIG" in name and not isinstance(inner, dict)
        yield from _variables(f"{name}__{key if is_leaf_of_ccxt else key.upper()}", inner)
