"""The progress of an evaluation: a bar with rate, time left and cost on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from commands.display import err
from mixture.evaluation.tally import Tally

EVERY = 30.0
"""Seconds between lines where there is no terminal."""


@contextmanager
def progress(tally: Tally, most: float | None) -> Iterator[None]:
    """Show how far `tally` is until the block ends."""
    ended = Event()
    shown = Thread(target=_bar if err.is_terminal else _lines, args=(tally, most, ended), daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()


def _bar(tally: Tally, most: float | None, ended: Event) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=err, refresh_per_second=4) as bar:
        task = bar.add_task("asking", total=tally.total, completed=tally.before, facts="")
        while not ended.wait(0.25):
            _update(bar, task, tally, began, most)
        _update(bar, task, tally, began, most)


def _update(bar: Progress, task: TaskID, tally: Tally, began: float, most: float | None) -> None:
    away = tally.waiting
    bar.update(
        task,
        completed=tally.before + tally.asked,
        description="[yellow]waiting for an upstream[/]" if away else "asking",
        facts=facts(tally, began, most),
    )


def _lines(tally: Tally, most: float | None, ended: Event) -> None:
    began = time.monotonic()
    while not ended.wait(EVERY):
        left = ""
        if tally.asked and not tally.waiting:
            seconds = (tally.total - tally.before - tally.asked) * (time.monotonic() - began) / tally.asked
            left = f", about {_duration(seconds)} left"
        state = "waiting for an upstream: " if tally.waiting else ""
        done = tally.before + tally.asked
        err.print(f"{state}{done} of {tally.total}, {facts(tally, began, most)}{left}", style="dim")


def facts(tally: Tally, began: float, most: float | None) -> str:
    """Rate, cost and failures so far."""
    rate = tally.asked / max(1e-9, time.monotonic() - began)
    cap = "" if most is None else f" of {most:g}"
    failed = sum(arm.failed for arm in tally.arms.values())
    said = [f"{rate:.1f}/s", f"{tally.cost_usd:.4f}{cap} USD"]
    return ", ".join(
        said + ([f"{failed} failed"] if failed else []) + ([f"{tally.broken} broken rows"] * bool(tally.broken))
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
