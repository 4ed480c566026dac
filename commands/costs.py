"""`mixture costs`: what was asked and spent."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, out

BY = typer.Option(help="What to sum up by, separated by commas: day, key, expert, strategy, model, purpose, outcome.")
CONFIG = typer.Option("--config", help="Read the ledger that this configuration names, instead of asking a server.")


def costs(
    by: Annotated[str, BY] = "day",
    since: Annotated[str | None, typer.Option(help="The first day (UTC), as in 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day (UTC).")] = None,
    config: Annotated[Path | None, CONFIG] = None,
) -> None:
    """Show what was asked and spent. Asks the running server; without one, or with --config, reads the database.

    Try:

      mixture costs

      mixture costs --by key,expert --since 2026-01-01
    """
    from commands import running
    from commands.client import ServerError, get

    server = None if config else running.find(os.environ)
    if server is None:
        rows = _read(config, by, since, until)
    else:
        query = {name: value for name, value in (("by", by), ("since", since), ("until", until)) if value is not None}
        try:
            rows = get(server, f"/v1/mixture/usage?{urlencode(query)}")["data"]
        except ServerError as error:
            err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
            raise typer.Exit(1) from None
    out.print(_table(rows, [name for name in by.split(",") if name]))


def _read(config: Path | None, by: str, since: str | None, until: str | None) -> list[dict[str, Any]]:
    """From the database, with what is still in the journals of processes that are gone."""
    import asyncio

    from commands import source
    from commands.serve import load_dotenv
    from mixture.errors import MixtureError
    from mixture.ledger import Book, Recorder, folder_of, url_of
    from mixture.ledger.usage import checked

    load_dotenv()
    try:
        ledger = source.read(config, os.environ).config.ledger
        groups = [name for name in by.split(",") if name]
        checked(groups, since, until)
        book = Book(url_of(ledger, os.environ))
        recorder = Recorder(book, folder_of(ledger, os.environ), ledger)

        async def rows() -> list[dict[str, Any]]:
            await recorder.report()
            return await book.usage(None, groups, since, until)

        return asyncio.run(rows())
    except MixtureError as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None


def _table(rows: list[dict[str, Any]], groups: list[str]) -> Table:
    columns = [name.capitalize() for name in groups]
    table = Table(*columns, "Calls", "Prompt", "Completion", "Cost", "", box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown = [str(row.get("name") if name == "key" else row[name]) for name in groups]
        notes = [f"{row[name]} {name}" for name in ("unpriced", "estimated") if row[name]]
        figures = (
            str(row["calls"]),
            str(row["prompt_tokens"]),
            str(row["completion_tokens"]),
            f"${row['cost_usd']:.6f}",
        )
        table.add_row(*map(escape, (*shown, *figures, ", ".join(notes))))
    return table
