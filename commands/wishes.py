"""What a question may ask for beside its model, on the command line as in the `mixture` object of a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

STRATEGY = typer.Option("--strategy", "-s", help="Run `model` with this strategy.")
QUALITY = typer.Option(
    "--quality",
    help="The share of the best expert's quality to keep at the least cost, 0 to 1. Needs a learned router.",
)
MAX_COST = typer.Option("--max-cost-usd", help="US dollars for the whole request.")
MAX_LATENCY = typer.Option("--max-latency-ms", help="Milliseconds for the whole request, at least 100.")


def wished(
    strategy: str | None, quality: float | None, max_cost_usd: float | None, max_latency_ms: float | None
) -> dict[str, Any]:
    """The wishes that were given, as the `mixture` object; whoever decides the request checks them."""
    named = {
        "strategy": strategy,
        "quality": quality,
        "max_cost_usd": max_cost_usd,
        "max_latency_ms": max_latency_ms,
    }
    return {name: value for name, value in named.items() if value is not None}


def body_of(model: str, messages: list[dict[str, str]], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request."""
    return {"model": model, "messages": messages, **({"mixture": dict(wishes)} if wishes else {})}
