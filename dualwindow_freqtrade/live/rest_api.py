"""Close the bot's REST API to everybody who does not know its own password and secret."""

import json
import logging
import secrets
from pathlib import Path
from typing import Any

from freqtrade.config_schema import CONF_SCHEMA
from freqtrade.enums import TRADE_MODES
from freqtrade.exceptions import OperationalException

from dualwindow.market.files import write_aside

logger = logging.getLogger(__name__)

_PUBLIC_SECRET = CONF_SCHEMA["properties"]["api_server"]["properties"]["jwt_secret_key"]["default"]
_KEYS = ("password", "jwt_secret_key")


class CredentialsError(ValueError):
    """The file with the credentials cannot be used."""


def close_rest_api(config: dict[str, Any]) -> None:
    """Fill in what freqtrade's configuration leaves out, before freqtrade starts the server.

    It would let everybody in without a password, and without a secret of their own, everybody
    who knows freqtrade's default one.
    """
    api = config.get("api_server", {})
    if not api.get("enabled") or config.get("runmode") not in TRADE_MODES:
        return
    path = Path(config["user_data_dir"], "rest_api.json")
    try:
        made_up = rest_credentials(path)
    except CredentialsError as error:
        raise OperationalException(str(error)) from error
    if not api.get("password"):
        api["password"] = made_up["password"]
        logger.info("REST API: the password of %s is in %s", api.get("username"), path)
    if api.get("jwt_secret_key") in (None, _PUBLIC_SECRET):
        api["jwt_secret_key"] = made_up["jwt_secret_key"]


def rest_credentials(path: Path) -> dict[str, str]:
    """Read password and token secret from a file that only its owner may read.

    The file is written, with random values, where there is none.

    Raises
    ------
    CredentialsError
        If the file is there and does not hold them.
    """
    if not path.exists():
        values = (secrets.token_urlsafe(16), secrets.token_hex(32))
        made_up = dict(zip(_KEYS, values, strict=True))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, json.dumps(made_up, indent=1).encode(), mode=0o600)
    path.chmod(0o600)
    return read_credentials(path)


def read_credentials(path: Path) -> dict[str, str]:
    """Read password and token secret from a file that is there.

    Raises
    ------
    CredentialsError
        If it does not hold them.
    """
    try:
        found = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"{path} is damaged ({error}); delete it") from error
    missing = [key for key in _KEYS if not found.get(key)]
    if missing:
        raise CredentialsError(f"{path} has no {' and no '.join(missing)}; delete it")
    return {key: str(found[key]) for key in _KEYS}
