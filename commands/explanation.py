"""The report of an answer as a tree: what was run, why, who was asked, tokens and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree


def explanation(report: dict[str, Any], usage: dict[str, Any] | None) -> Group:
    """`report` is the `mixture` field of an answer, `usage` OpenAI's sum over all calls."""
    requested, executed = report.get("strategy_requested"), report["strategy_executed"]
    title = f"[bold]{escape(str(executed))}[/]" + (f"  (asked as {escape(str(requested))})" if requested else "")
    tree = Tree(title)
    if route := report.get("route"):
        tree.add(f"route: {escape(', '.join(route['experts']))}")
        tree.add(f"why: {escape(route['why'])}")
    for task in report.get("plan") or ():
        tree.add(f"subtask {escape(task['id'])}{escape(nature(task))}: {escape(task['text'])}")
    if quorum := report.get("quorum"):
        tree.add(f"{quorum['agreed']} of {quorum['answered']} answers agree ({quorum['asked']} asked)")
    if report.get("degraded"):
        tree.add(f"[yellow]degraded: {escape(str(report['degraded']))}[/]")
    return Group(tree, _calls(report, usage))


def decided(told: Sequence[dict[str, Any]]) -> Tree:
    """What was decided for a request that then failed: `told` are the progress fields of its stream."""
    chosen = [event for event in told if event["type"] == "chosen"]
    tree = Tree(f"[bold]{escape(chosen[-1]['strategy'])}[/]  (failed)" if chosen else "[bold]failed[/]")
    for event in told:
        if event["type"] == "routed" and event.get("subtask") is None:
            tree.add(f"route: {escape(', '.join(event['experts']))}")
            tree.add(f"why: {escape(event['why'])}")
        for task in event.get("subtasks") or () if event["type"] == "planned" else ():
            tree.add(f"subtask {escape(task['id'])}{escape(nature(task))}: {escape(task['text'])}")
        if event["type"] == "proposed" and event.get("error"):
            tree.add(f"[red]{escape(event['expert'])}: {escape(str(event['error']))}[/]")
    return tree


def nature(task: dict[str, Any]) -> str:
    """What a subtask is about and waits for, in brackets."""
    after = f"after {', '.join(task['depends_on'])}" if task.get("depends_on") else None
    said = [part for part in (task.get("skill"), after) if part]
    return f" ({', '.join(said)})" if said else ""


def _calls(report: dict[str, Any], usage: dict[str, Any] | None) -> Table:
    table = Table("Expert", "Role", "Outcome", "Prompt", "Completion", "Cost", "Time", box=None, header_style="bold")
    for call in report.get("experts") or ():
        tokens = call["usage"]
        mark = "~" if tokens.get("estimated") else ""
        outcome = call["outcome"] + (f": {call['error']}" if call.get("error") else "")
        table.add_row(
            escape(call["name"]),
            escape(call["role"]),
            escape(outcome),
            f"{mark}{tokens['prompt_tokens']}",
            f"{mark}{tokens['completion_tokens']}",
            dollars(call["cost_usd"]),
            f"{call['latency_ms']:.0f} ms",
        )
    total = usage or {}
    table.add_row(
        "[bold]in all[/]",
        "",
        "",
        str(total.get("prompt_tokens", "")),
        str(total.get("completion_tokens", "")),
        dollars(report["cost_usd"]) + ("" if report.get("cost_complete", True) else " + unknown"),
        f"{report['latency_ms']:.0f} ms",
    )
    return table


def dollars(cost: float | None) -> str:
    """A cost for people; unknown is not nothing."""
    return "unknown" if cost is None else f"${cost:.6f}".rstrip("0").rstrip(".") if cost else "$0"
