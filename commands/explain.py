"""`mixture explain`: what would be done for a question, and why, without asking anybody."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from commands.ask import FILE, QUESTION, question_of
from commands.display import err, out
from commands.explanation import dollars, nature
from commands.wishes import MAX_COST, MAX_LATENCY, QUALITY, STRATEGY, body_of, wished


def explain(
    question: Annotated[list[str] | None, QUESTION] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="An expert, a strategy, an alias, or auto.")] = "auto",
    strategy: Annotated[str | None, STRATEGY] = None,
    quality: Annotated[float | None, QUALITY] = None,
    max_cost_usd: Annotated[float | None, MAX_COST] = None,
    max_latency_ms: Annotated[float | None, MAX_LATENCY] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's JSON.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Decide in this process, without a server.")] = False,
    config: Annotated[Path | None, FILE] = None,
) -> None:
    """Show what would be done for a question: signals, candidates, the choice and why, calls and cost.

    No expert is asked. A running server decides; when none runs, this process does, from the same configuration.

    Try:

      mixture explain 'What is 15% of 80 plus 3/7?'

      mixture explain --json --strategy voting 'Is 1009 prime?'

      mixture explain --quality 0.95 --max-latency-ms 3000 'Why is the sky blue?'
    """
    from commands.client import ServerError
    from mixture.errors import MixtureError

    wishes = wished(strategy, quality, max_cost_usd, max_latency_ms)
    body = body_of(model, [{"role": "user", "content": question_of(question)}], wishes)
    try:
        found = _estimated(body, local=local or config is not None, config=config)
    except (ServerError, MixtureError) as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        _show(found, wishes)


def _estimated(body: dict[str, Any], *, local: bool, config: Path | None) -> dict[str, Any]:
    from commands import running
    from commands.client import post

    server = None if local else running.find(os.environ)
    if server is not None:
        return post(server, "/v1/mixture/estimate", body)
    if not local:
        err.print("No server runs: deciding in this process.", style="dim")
    from commands.inprocess import estimate
    from commands.serve import load_dotenv

    load_dotenv()
    return asyncio.run(estimate(body, config))


def _show(found: dict[str, Any], wishes: Mapping[str, Any]) -> None:
    tree = Tree(f"[bold]{escape(found['strategy'])}[/]  (asked as {escape(found['strategy_requested'])})")
    if wishes:
        tree.add(f"wishes: {escape(', '.join(f'{name} {value}' for name, value in wishes.items()))}")
    tree.add(f"why: {escape(found['why'])}")
    tree.add(f"route: {escape(', '.join(found['route']['experts']))}")
    tree.add(f"because: {escape(found['route']['why'])}")
    for name, value in _telling(found["signals"]):
        tree.add(f"{escape(name)}: {escape(value)}")
    if promise := found["signals"].get("promise"):
        tree.add(f"promise: {escape(_promised(promise))}")
    elif "quality" in wishes:
        tree.add("[yellow]quality: nothing is promised, this router predicts no quality[/]")
    for task in found.get("plan") or ():
        to = f" -> {task['experts'][0]}" if task.get("experts") else ""
        tree.add(f"subtask {escape(task['id'])}{escape(nature(task))}: {escape(task['text'])}{escape(to)}")
    for line in found["not_asked"]:
        tree.add(f"[yellow]{escape(line)}[/]")
    out.print(tree)
    if found["candidates"]:
        out.print(_candidates(found["candidates"]))
    out.print(_calls(found))


def _telling(signals: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """The signals that say something by themselves."""
    return [
        (name, f"{value:.4g}" if isinstance(value, float) else str(value))
        for name, value in signals.items()
        if isinstance(value, str | int | float) and value != ""
    ]


def _promised(promise: dict[str, Any]) -> str:
    share = f"{promise['quality']:g} of the best expert's quality"
    return f"{share}, guaranteed" if promise["guaranteed"] else f"{share}, not guaranteed: {promise['obstacle']}"


def _candidates(candidates: Sequence[dict[str, Any]]) -> Table:
    table = Table("Candidate", "Quality", "Cost", "Latency", "Waiting", "Left out", box=None, header_style="bold")
    for one in candidates:
        quality, latency = one.get("quality"), one.get("latency_ms")
        table.add_row(
            escape(str(one["expert"])),
            "unknown" if quality is None else f"{quality:.2f}",
            dollars(one.get("cost_usd")),
            "unknown" if latency is None else f"{latency:.0f} ms",
            f"{one.get('waiting', 0):.1f}",
            escape(one.get("left_out") or ("" if one.get("available", True) else "cooling down")),
        )
    return table


def _calls(found: dict[str, Any]) -> Table:
    table = Table("Call", "Role", "Cost", box=None, header_style="bold")
    for call in found["calls"]:
        role = call["role"] + ("" if call["certain"] else ", if needed")
        table.add_row(escape(call["expert"]), escape(role), dollars(call["cost_usd"]))
    cost = dollars(found["expected_cost_usd"]) + ("" if found["cost_complete"] else " + unknown")
    table.add_row("[bold]expected[/]", f"{found['expected_calls']:.1f} calls", cost)
    return table
