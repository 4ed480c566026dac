"""Where the ledger is kept when a configuration does not say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mixture.config import LedgerConfig
from mixture.keys import home

OFF = "off"


def url_of(config: LedgerConfig, environ: Mapping[str, str]) -> str | None:
    """The database of a server; None when there is none."""
    if config.url is None:
        return f"sqlite:///{(home(environ) / 'ledger.db').absolute()}"
    return None if config.url == OFF else config.url


def folder_of(config: LedgerConfig, environ: Mapping[str, str]) -> Path:
    """The journal's folder."""
    return Path(config.journal) if config.journal else home(environ) / "journal"
