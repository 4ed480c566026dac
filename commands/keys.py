"""`mixture keys`: keys for others than the server's owner."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, faults, out

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys with limits of their own.")
CONFIG = typer.Option("--config", help="The configuration that names the ledger. Default: serve_config.yaml, if here.")
MODELS = typer.Option(
    help="Model names that it may use, separated by commas: experts, aliases, strategies. All if none."
)
COLLECTIONS = typer.Option(help="Collections of documents that it may read, separated by commas. Default: all.")
Usd = Annotated[float | None, typer.Option(min=0)]
Count = Annotated[int | None, typer.Option(min=1)]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, for people.")],
    models: Annotated[str | None, MODELS] = None,
    collections: Annotated[str | None, COLLECTIONS] = None,
    usd_per_day: Usd = None,
    usd_per_month: Usd = None,
    usd_total: Usd = None,
    requests_per_minute: Count = None,
    tokens_per_minute: Count = None,
    concurrency: Count = None,
    config: Annotated[Path | None, CONFIG] = None,
) -> None:
    """Make a key, and print it: once, because only its digest is kept. Running servers know it within two seconds.

    Try:

      mixture keys create alice --usd-per-day 5 --models auto,gpt-5-mini

      mixture keys create batch --requests-per-minute 60 --concurrency 4
    """
    from mixture.ledger import Limits
    from mixture.ledger import keys as ledger

    limits = Limits(usd_per_day, usd_per_month, usd_total, requests_per_minute, tokens_per_minute, concurrency)
    if not name.isprintable() or not 0 < len(name) <= 128:
        err.print("[red]A name of 1 to 128 printable characters is expected.[/]")
        raise typer.Exit(1)
    key, made = ledger.create(
        _engine(config), name, models=_listed(models), collections=_listed(collections), limits=limits
    )
    out.print(f"Key  [bold]{escape(key)}[/]", soft_wrap=True)
    out.print(f"Id   {made.id}\n\nKeep it: it is stored nowhere and can't be shown again.")


@keys.command("list")
def list_keys(config: Annotated[Path | None, CONFIG] = None) -> None:
    """List the keys, with what they may take and what they spent."""
    from mixture.ledger import keys as ledger

    table = Table("Id", "Name", "Made", "Models", "Limits", "Today", "Month", "Total", box=None, header_style="bold")
    for key, day, month, total in ledger.listed(_engine(config)):
        state = "revoked" if key.revoked is not None else _limits(key.limits)
        made = datetime.fromtimestamp(key.created, UTC).date().isoformat()
        models = "all" if key.models is None else ", ".join(key.models)
        sums = [f"${amount:.4f}" for amount in (day, month, total)]
        table.add_row(*map(escape, (key.id, key.name, made, models, state, *sums)))
    out.print(table)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, or the beginning of it, or its name.")],
    config: Annotated[Path | None, CONFIG] = None,
) -> None:
    """End a key. Running servers refuse it within two seconds."""
    from mixture.errors import InvalidQuery
    from mixture.ledger import keys as ledger

    try:
        ended = ledger.revoke(_engine(config), key)
    except InvalidQuery as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    out.print(f"Revoked: {escape(ended.name)} ({ended.id})")


def _engine(config: Path | None) -> Any:
    """The ledger's database, as the configuration names it."""
    from commands import source
    from commands.serve import load_dotenv
    from mixture.config import ConfigError
    from mixture.ledger import url_of
    from mixture.ledger.database import connect

    load_dotenv()
    try:
        url = url_of(source.read(config, os.environ).config.ledger, os.environ)
        if url is None:
            raise ConfigError("ledger.url: the ledger is off: there is no place for keys")
        return connect(url)
    except ConfigError as error:
        faults(error, str(config or source.DEFAULT_FILE))
        raise typer.Exit(1) from None


def _listed(names: str | None) -> list[str] | None:
    return None if names is None else [name.strip() for name in names.split(",") if name.strip()]


def _limits(limits: Any) -> str:
    words = {
        "usd_per_day": "${:g} a day",
        "usd_per_month": "${:g} a month",
        "usd_total": "${:g} in all",
        "requests_per_minute": "{} requests/min",
        "tokens_per_minute": "{} tokens/min",
        "concurrency": "{} at once",
    }
    found = [text.format(value) for name, text in words.items() if (value := getattr(limits, name)) is not None]
    return ", ".join(found) or "none"
