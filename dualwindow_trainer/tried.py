"""Name the folders of walk-forwards that were tried beside each other."""

import json
from collections.abc import Mapping
from typing import Any

from dualwindow.learning.fingerprint import digest


def folder_of(name: str) -> str:
    """Name the folder of one of a comparison.

    Examples
    --------
    >>> folder_of("ensemble/hard, 30 days, own pair")
    'ensemble-hard-30-days-own-pair'
    """
    return name.replace(", ", "-").replace(" ", "-").replace("/", "-")


def digest_of(chosen: Mapping[str, Any]) -> str:
    """Name what a trial of a study has chosen, and its folder."""
    return digest([json.dumps(chosen, sort_keys=True).encode()])
