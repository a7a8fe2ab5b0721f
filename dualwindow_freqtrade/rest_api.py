"""Make up, once, what it takes to log in to the bot's REST API."""

import json
import os
import secrets
from pathlib import Path

_KEYS = ("password", "jwt_secret_key")


class CredentialsError(ValueError):
    """The file with the credentials cannot be used."""


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
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(made_up, file, indent=1)
    path.chmod(0o600)
    try:
        found = dict(json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise CredentialsError(f"{path} is damaged ({error}); delete it") from error
    missing = [key for key in _KEYS if not found.get(key)]
    if missing:
        raise CredentialsError(f"{path} has no {' and no '.join(missing)}; delete it")
    return {key: str(found[key]) for key in _KEYS}
