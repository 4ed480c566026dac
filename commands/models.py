"""`mixture models`: what can be sent as `model`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, faults, out

FILE = typer.Argument(help="A configuration to look into, instead of a running server.")


def models(file: Annotated[Path | None, FILE] = None) -> None:
    """List the names that clients may send as `model`: experts, strategies and aliases.

    Asks the running server; without one, or with FILE, looks at the configuration.

    Try:

      mixture models

      mixture models serve_config.yaml
    """
    from commands import running
    from commands.client import ServerError, get

    server = None if file else running.find(os.environ)
    if server is None:
        _configured(file)
        return
    try:
        listed = get(server, "/v1/models")["data"]
    except ServerError as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    out.print(f"{server.url}\n", style="dim")
    out.print(_table(listed))


def _table(listed: list[dict[str, Any]]) -> Table:
    table = Table("Model", "Kind", "Can", "Price", "Description", box=None, pad_edge=False, header_style="bold")
    for model in listed:
        facts = model.get("mixture") or model
        row = (
            str(model["id"]),
            str(facts.get("kind", "")),
            ", ".join(facts.get("abilities") or ()),
            _price(facts.get("price_usd_per_million_tokens")),
            str(facts.get("description") or ""),
        )
        table.add_row(*map(escape, row))
    return table


def _price(price: dict[str, float] | None) -> str:
    about = "about " if price and price.get("derived") else ""
    return f"{about}${price['input']:g} / ${price['output']:g} per M" if price else ""


def _configured(file: Path | None) -> None:
    from commands import source
    from commands.experts import experts_table
    from commands.serve import load_dotenv
    from mixture.config import STRATEGY_NAMES, ConfigError

    load_dotenv()
    try:
        found = source.with_found(source.read(file, os.environ), os.environ)
        table = experts_table(found.config, found.whys, os.environ)
    except ConfigError as error:
        faults(error, str(file or source.DEFAULT_FILE))
        raise typer.Exit(1) from None
    if file is None:
        err.print("No server runs; this is what one started here would have.\n", style="dim")
    out.print(table)
    out.print(f"\nStrategies: auto ({found.config.strategy}), {', '.join(STRATEGY_NAMES)}")
    if found.config.aliases:
        out.print(f"Aliases: {', '.join(map(escape, found.config.aliases))}")
