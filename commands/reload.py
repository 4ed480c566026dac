"""`mixture reload`: prices, routes, strategies and limits of a running server, without a new replica."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.display import err, faults, out

FILE = typer.Argument(help="The configuration, changed; serve_config.yaml when left out.")
ADDRESS = typer.Option(help="The dashboard of a cluster, http://HEAD:8265; the server on this machine when left out.")


def reload(
    file: Annotated[Path | None, FILE] = None,
    address: Annotated[str | None, ADDRESS] = None,
) -> None:
    """Have a running server answer by what FILE says now of prices, skills, aliases, routes, strategies and limits.

    No replica is started anew and no request is lost: those that have begun end as they began. What can't be changed
    so is named, and then nothing is changed.

    Try:

      mixture reload serve_config.yaml
    """
    from commands import clusters, reloading, source
    from commands.serve import load_dotenv
    from mixture.config import ConfigError

    load_dotenv()
    try:
        found = source.read(file, os.environ)
        cluster = clusters.reached(address, os.environ)
        changed = reloading.applied(cluster, source.deployable(found, dict(os.environ)), os.environ)
    except ConfigError as error:
        faults(error, str(file or source.DEFAULT_FILE))
        raise typer.Exit(1) from None
    except clusters.Unreachable as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    _tell(changed)


def _tell(changed: list[str]) -> None:
    if not changed:
        out.print("Nothing to change: the server answers by this configuration already.")
    else:
        out.print(f"[green]Reloaded:[/] {escape(', '.join(changed))}.", soft_wrap=True)
