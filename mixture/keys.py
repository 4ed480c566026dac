"""The keys that clients must send: configured ones, or one made at the first start and kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from mixture.config import Config, ConfigError


def with_keys(config: Config, environ: Mapping[str, str]) -> Config:
    """`config` with `server.api_keys` filled in: from itself, else from MIXTURE_API_KEYS (separated by commas), else
    from the key file, which is made when there is none.
    """
    keys = configured(config, environ) or (kept(environ),)
    return config.model_copy(update={"server": config.server.model_copy(update={"api_keys": keys})})


def configured(config: Config, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that someone chose; empty when nobody did."""
    listed = environ.get("MIXTURE_API_KEYS", "").split(",")
    return config.server.api_keys or tuple(key.strip() for key in listed if key.strip())


def kept(environ: Mapping[str, str]) -> str:
    """The key in the key file; made on first use, readable by its owner only. Raises OSError, or ConfigError when the
    file is empty: no key at all would let everybody in.
    """
    path = home(environ) / "key"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=path.parent, encoding="utf-8") as file:  # only its owner may read it
            file.write(f"mx-{secrets.token_urlsafe(24)}\n")
            file.flush()
            with suppress(FileExistsError):  # another server made one meanwhile: that one counts
                os.link(file.name, path)
    key = path.read_text(encoding="utf-8").strip()
    if not key:
        raise ConfigError(f"{path}: the key file is empty; remove it, and a key is made")
    return key


def home(environ: Mapping[str, str]) -> Path:
    """The folder for what is kept between starts: $MIXTURE_HOME, else ~/.mixture."""
    return Path(environ.get("MIXTURE_HOME") or Path.home() / ".mixture")
