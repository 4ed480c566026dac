"""The way to the ledger's database, SQLite or PostgreSQL, with its tables brought up to date."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from mixture.config import ConfigError

PATIENCE = 30
"""Seconds to wait for another process that writes to the same SQLite file."""
MIGRATING = 7_041_776_001
"""The advisory lock under which PostgreSQL's tables are changed."""


def connect(url: str) -> Engine:
    """An engine for `url`, its tables made or brought up to date by the first who comes, others waiting.

    Raises ConfigError when the URL is none, or the database can't be opened.
    """
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            _migrate(connection)
    except ArgumentError:
        raise ConfigError("ledger.url: no URL of a database (sqlite:////..., postgresql://...)") from None
    except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise ConfigError(f"ledger.url: {shown(url)} can't be opened: {reason}", param="ledger.url") from None
    return engine


def shown(url: str) -> str:
    """The URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _engine(url: str) -> Engine:
    made = make_url(url)
    if made.drivername in ("postgres", "postgresql"):
        return create_engine(made.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=2)
    if made.drivername != "sqlite":
        raise ConfigError(f"ledger.url: {made.drivername}: sqlite and postgresql are supported", param="ledger.url")
    if made.database:
        Path(made.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        Path(made.database).touch(mode=0o600)
    engine = create_engine(made, connect_args={"timeout": PATIENCE, "check_same_thread": False})
    event.listen(engine, "connect", _prepared)
    event.listen(engine, "begin", _begun)
    return engine


def _prepared(connection: Any, record: Any) -> None:
    """Transactions are begun by us, and the log is written ahead, so that readers and the writer don't wait."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _begun(connection: Connection) -> None:
    """As a writer from the start: one that became a writer later could be refused in the middle."""
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATING})"))
    config = Config()
    config.set_main_option("script_location", str(files("mixture").joinpath("ledger", "migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
