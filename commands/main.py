"""The command line: `mixture COMMAND`. Each command is a file; what it needs is imported when it runs."""

from __future__ import annotations

import typer

from commands.ab import ab
from commands.ask import ask
from commands.calibrate import calibrate
from commands.costs import costs
from commands.evaluate import evaluate
from commands.explain import explain
from commands.ingest import ingest
from commands.keys import keys
from commands.models import models
from commands.reload import reload
from commands.replay import replay
from commands.report import report
from commands.serve import serve
from commands.simulate import simulate
from commands.validate import validate

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Many language models behind one OpenAI-compatible endpoint.\n\n"
        "Start with [bold]mixture serve[/], then ask: [bold]mixture ask 'What is 15% of 80?'[/]"
    ),
)
for command in (
    serve,
    ask,
    explain,
    models,
    validate,
    reload,
    simulate,
    calibrate,
    evaluate,
    replay,
    costs,
    report,
    ingest,
):
    app.command()(command)
app.add_typer(ab, name="ab")
app.add_typer(keys, name="keys")


def main() -> None:
    """The entry point of the `mixture` command."""
    app()
