"""`mixture ab`: experiments on live traffic."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, faults, out

ab = typer.Typer(no_args_is_help=True, help="Experiments on live traffic: two ways of answering, compared.")

NAME = typer.Argument(help="One experiment: the alias that it is configured under. All of them when left out.")
FILE = typer.Option("--file", "-f", help="A configuration, whose records are read without asking a server.")
MEASURES = (
    ("score", "Mean score (0 to 1)", "{:+.3f}"),
    ("failed", "Share that failed", "{:+.3f}"),
    ("cost_usd", "USD a request", "{:+.6f}"),
    ("latency_s", "Seconds a request", "{:+.3f}"),
)


@ab.callback()
def _group() -> None:
    """A group of commands, also while it has one."""


@ab.command()
def status(name: Annotated[str | None, NAME] = None, file: Annotated[Path | None, FILE] = None) -> None:
    """Show what each experiment has found so far, and whether it may stop.

    The intervals hold however often one looks: stopping as soon as this says so is no cheating.

    Try:

      mixture ab status

      mixture ab status chat --file serve_config.yaml
    """
    listed = _of_file(file) if file is not None else _of_server()
    chosen = [one for one in listed if name is None or one["experiment"] == name]
    if not chosen:
        known = ", ".join(one["experiment"] for one in listed) or "none"
        err.print(f"[red]There is no experiment {escape(repr(name)) if name else ''}; configured: {escape(known)}[/]")
        raise typer.Exit(1)
    for one in chosen:
        _show(one)


def _of_server() -> list[dict[str, Any]]:
    from commands import running
    from commands.client import ServerError, get

    server = running.find(os.environ)
    if server is None:
        err.print("[red]No server runs here.[/] Name a configuration with --file, or set MIXTURE_URL.")
        raise typer.Exit(1)
    try:
        listed: list[dict[str, Any]] = get(server, "/v1/mixture/experiments")["data"]
    except ServerError as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    return listed


def _of_file(file: Path) -> list[dict[str, Any]]:
    from mixture.api.experiments import status_fields
    from mixture.config import ConfigError, load
    from mixture.experiments import Experiments, status_of
    from mixture.experiments.records import lines

    try:
        config = load(file)
    except ConfigError as error:
        faults(error, str(file))
        raise typer.Exit(1) from None
    configs, folder = Experiments(config.aliases).configs, Path(config.feedback.folder or ".")
    return [status_fields(status_of(name, found, lines(folder, name))) for name, found in configs.items()]


def _show(one: dict[str, Any]) -> None:
    sessions, judged = one["sessions"], one["judged"]
    out.print(f"[bold]{escape(one['experiment'])}[/] ({one['mode']})")
    out.print(
        f"Sessions: control {sessions['control']}, candidate {sessions['candidate']}; "
        f"judged: {judged['control']} and {judged['candidate']}."
    )
    table = Table("Candidate less control", "Mean", "Interval", "Comparisons", box=None, header_style="bold")
    for field, words, form in MEASURES:
        table.add_row(words, *_cells(one[field], form))
    if one["agreement"] is not None:
        table.add_row("Answers that agree", *_cells(one["agreement"], "{:.3f}"))
    out.print(table)
    out.print(f"{'[green]May stop[/]' if one['may_stop'] else '[yellow]Go on[/]'}: {escape(one['verdict'])}\n")


def _cells(interval: dict[str, Any] | None, form: str) -> tuple[str, str, str]:
    if interval is None:
        return "", "too few", ""
    mean = "" if interval["mean"] is None else form.format(interval["mean"])
    return mean, f"{form.format(interval['low'])} to {form.format(interval['high'])}", str(interval["n"])
