"""`mixture ask`: one question, answered live on the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.display import err, out
from commands.wishes import MAX_COST, MAX_LATENCY, QUALITY, STRATEGY, body_of, wished

QUESTION = typer.Argument(help="What to ask. Left out, or '-', it is read from standard input.")
FILE = typer.Option("--config", "-c", help="For --local: a configuration. Default: serve_config.yaml, if it is here.")


def ask(
    question: Annotated[list[str] | None, QUESTION] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="An expert, a strategy, an alias, or auto.")] = "auto",
    strategy: Annotated[str | None, STRATEGY] = None,
    quality: Annotated[float | None, QUALITY] = None,
    max_cost_usd: Annotated[float | None, MAX_COST] = None,
    max_latency_ms: Annotated[float | None, MAX_LATENCY] = None,
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    explain: Annotated[bool, typer.Option("--explain", "-e", help="Show who was asked, why, tokens and cost.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Answer in this process, without a server.")] = False,
    config: Annotated[Path | None, FILE] = None,
) -> None:
    """Ask a question and see the answer as it is written.

    A running server answers (the one started last on this machine, or $MIXTURE_URL with $MIXTURE_API_KEY). When none
    runs, the answer is made in this process, from the same configuration.

    Try:

      mixture ask 'What is 15% of 80 plus 3/7?'

      mixture ask --explain --strategy voting 'Is 1009 prime?'

      mixture ask --max-cost-usd 0.002 --max-latency-ms 5000 'Why is the sky blue?'

      git diff | mixture ask --model technical --system 'Review this change.'
    """
    from commands.client import ServerError
    from mixture.errors import MixtureError

    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question_of(question)})
    body = body_of(model, messages, wished(strategy, quality, max_cost_usd, max_latency_ms))
    try:
        _show(_answered(body, local=local or config is not None, config=config), explain=explain)
    except (ServerError, MixtureError) as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def question_of(words: list[str] | None) -> str:
    """The question in the arguments or on standard input. Exits with 2 when there is none."""
    given = bool(words) and words != ["-"]
    asked = " ".join(words or ()) if given else "" if sys.stdin.isatty() and not words else sys.stdin.read()
    if not asked.strip():
        err.print("Ask something: [bold]mixture ask 'What is 15% of 80?'[/], or see [bold]mixture ask --help[/]")
        raise typer.Exit(2)
    return asked


def _answered(body: dict[str, Any], *, local: bool, config: Path | None) -> Iterator[dict[str, Any]]:
    """The chunks of the answer, in the wire's form, from a server or from this process."""
    from commands import running
    from commands.client import chat

    server = None if local else running.find(os.environ)
    if server is not None:
        return chat(server, body)
    if not local:
        err.print("No server runs: answering in this process (start one with `mixture serve`).", style="dim")
    from commands.inprocess import chat as chat_here
    from commands.serve import load_dotenv

    load_dotenv()
    return chat_here(body, config)


def _show(chunks: Iterator[dict[str, Any]], *, explain: bool) -> None:
    """Print the text as it comes; the report of what was done, if it is wished for, at the end. Of a request that fails
    what was decided is shown.
    """
    report: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    told: list[dict[str, Any]] = []
    try:
        for chunk in chunks:
            for choice in chunk.get("choices") or ():
                _write(choice.get("delta") or {})
            extra = chunk.get("mixture") or {}
            told += [extra] if "type" in extra else []
            report = extra if "strategy_executed" in extra else report
            usage = chunk.get("usage") or usage
    finally:
        out.print()
        if explain and report is None and told:
            from commands.explanation import decided

            out.print(decided(told))
    if report and report.get("degraded"):
        err.print(f"[yellow]degraded: {escape(str(report['degraded']))}[/]")
    if explain and report:
        from commands.explanation import explanation

        out.print(explanation(report, usage))


def _write(delta: dict[str, Any]) -> None:
    out.print(delta.get("content") or "", end="", markup=False, soft_wrap=True)
    for call in delta.get("tool_calls") or ():
        function = call.get("function") or {}
        out.print((function.get("name") or "") + (function.get("arguments") or ""), end="", markup=False)
