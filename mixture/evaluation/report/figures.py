"""The pictures of a report, each drawn from the summary alone, as SVG for the page and as PNG beside it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from mixture.evaluation.report.labels import label
from mixture.evaluation.report.summary import QUANTILES, Summary

matplotlib.rcParams.update(
    {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.labelcolor": "#333333",
        "xtick.color": "#333333",
        "ytick.color": "#333333",
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "svg.fonttype": "path",
        "svg.hashsalt": "mixture",
    }
)

WIDTH = 7.4
"""Inches: what a page of A4 holds."""
COLOURS = ("#3b6fb6", "#d1752b", "#4a9a5b", "#b5473f", "#7a62a8", "#8a6a4f", "#c56ba0", "#6f6f6f", "#a6a032", "#3fa0ab")
BEST, PLAIN = "#3b6fb6", "#9aa5b1"

Drawn = Callable[[Summary], "Figure | None"]


def plane(summary: Summary) -> Figure | None:
    """Score against cost, with the arms that nobody beats joined by a line."""
    arms = [arm for arm in summary.arms if arm.cost_usd is not None and math.isfinite(arm.standing.score.value)]
    if len(arms) < 2:
        return None
    figure, axes = _axes(WIDTH, 4.3)
    costs = [1e3 * (arm.cost_usd or 0.0) for arm in arms]
    scores = [100 * arm.standing.score.value for arm in arms]
    if min(costs) > 0 and max(costs) / min(costs) > 5:
        _logarithmic(axes)
    for arm, cost, score in zip(arms, costs, scores, strict=True):
        colour = BEST if arm.efficient else PLAIN
        low, high = 100 * arm.standing.score.low, 100 * arm.standing.score.high
        axes.plot([cost, cost], [low, high], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        axes.plot([cost], [score], "o", color=colour, markersize=6, zorder=3)
    front = sorted((cost, score) for arm, cost, score in zip(arms, costs, scores, strict=True) if arm.efficient)
    axes.plot(*zip(*front, strict=True), color=BEST, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlabel("US dollars for a thousand items")
    axes.set_ylabel("score, % (bars: 95% intervals)")
    axes.margins(x=0.18, y=0.12)
    figure.draw_without_rendering()
    bars = [Bbox.from_extents(cost, 100 * arm.standing.score.low, cost, 100 * arm.standing.score.high)
            for cost, arm in zip(costs, arms, strict=True)]  # fmt: skip
    label(axes, [_short(arm.name) for arm in arms], costs, scores, bars)
    return figure


def domains(summary: Summary) -> Figure | None:
    """The score of each arm in each domain, as a map of colours with the figures written in."""
    found = [domain for domain in summary.domains if domain.items]
    if not found:
        return None
    arms = [arm.name for arm in summary.arms]
    table = [[100 * domain.arms[arm].score.value for arm in arms] for domain in found]
    figure, axes = _axes(WIDTH, 1.3 + 0.27 * len(found))
    known = [value for row in table for value in row if math.isfinite(value)]
    low, high = min(known), max(known)
    axes.imshow(
        table, aspect="auto", cmap="Blues", vmin=low - 0.25 * (high - low + 1), vmax=high + 0.25 * (high - low + 1)
    )
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            dark = value > low + 0.6 * (high - low)
            text = "" if math.isnan(value) else f"{value:.0f}"
            axes.text(column, row, text, ha="center", va="center", color="white" if dark else "#222222", fontsize=8)
    axes.set_xticks(range(len(arms)), [_short(arm) for arm in arms], rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(len(found)), [f"{_short(domain.name)} ({domain.items})" for domain in found], fontsize=8)
    _bare(axes)
    return figure


def latencies(summary: Summary) -> Figure | None:
    """How long answers took: the middle half as a bar, the middle as a line, 5% to 95% as whiskers, a dot at 99%."""
    arms = [arm for arm in summary.arms if math.isfinite(arm.latency[0.5])]
    if not arms:
        return None
    figure, axes = _axes(WIDTH, 0.9 + 0.3 * len(arms))
    for place, arm in enumerate(arms):
        p5, p25, p50, p75, p95, p99 = (arm.latency[quantile] for quantile in QUANTILES)
        axes.plot([p5, p95], [place, place], color=PLAIN, linewidth=1.2)
        axes.barh(place, p75 - p25, left=p25, height=0.55, color=BEST, alpha=0.75)
        axes.plot([p50, p50], [place - 0.28, place + 0.28], color="white", linewidth=1.6)
        axes.plot([p99], [place], "o", color=PLAIN, markersize=3)
    largest, smallest = max(arm.latency[0.99] for arm in arms), min(arm.latency[0.05] for arm in arms)
    if smallest > 0 and largest / smallest > 30:
        _logarithmic(axes)
    _rows(axes, [arm.name for arm in arms])
    axes.set_xlabel("seconds")
    return figure


def handled(summary: Summary) -> Figure | None:
    """The share of requests that were answered without the strong experts."""
    if not summary.shares.strong:
        return None
    arms = [arm.name for arm in summary.arms if math.isfinite(summary.shares.small[arm.name].value)]
    figure, axes = _axes(WIDTH, 0.9 + 0.3 * len(arms))
    for place, arm in enumerate(arms):
        share = summary.shares.small[arm]
        axes.barh(place, 100 * share.value, height=0.55, color=BEST, alpha=0.8)
        axes.plot([100 * share.low, 100 * share.high], [place, place], color="#222222", linewidth=1)
        axes.text(101, place, f"{100 * share.value:.1f}%", va="center", fontsize=8)
    axes.set_xlim(0, 100)
    _rows(axes, arms)
    axes.set_xlabel(f"% of requests without a call to {', '.join(_short(name) for name in summary.shares.strong)}")
    return figure


def members(summary: Summary) -> Figure | None:
    """What each expert adds to the majority of all, with its interval."""
    found = list(summary.lifts.items())[:3]
    if not found:
        return None
    count = sum(len(lifts) for _, lifts in found)
    figure = Figure(figsize=(WIDTH, 0.75 * len(found) + 0.27 * count), layout="constrained")
    panels = figure.subplots(len(found), 1, squeeze=False, height_ratios=[1 + len(lifts) for _, lifts in found])[:, 0]
    for axes, (arm, lifts) in zip(panels, found, strict=True):
        axes.axvline(0, color="#666666", linewidth=0.8)
        for place, lift in enumerate(lifts):
            colour = BEST if lift.low > 0 else "#b5473f" if lift.high < 0 else PLAIN
            axes.plot([100 * lift.low, 100 * lift.high], [place, place], color=colour, linewidth=1.6)
            axes.plot([100 * lift.mean], [place], "o", color=colour, markersize=5)
        _rows(axes, [lift.expert for lift in lifts])
        axes.set_title(f"in {_short(arm)}", fontsize=9, loc="left", color="#333333")
    panels[-1].set_xlabel("points that a majority of all loses without it (95% intervals)")
    return figure


def certainty(summary: Summary) -> Figure | None:
    """What arms said of their certainty, against how often they were right."""
    found = list(summary.calibrations.items())
    if not found:
        return None
    figure, axes = _axes(WIDTH, 4.0)
    axes.plot([0, 100], [0, 100], color="#aaaaaa", linewidth=1, linestyle=(0, (4, 3)))
    for place, (arm, calibration) in enumerate(found):
        colour = COLOURS[place % len(COLOURS)]
        said = [100 * one.said for one in calibration.bins]
        right = [100 * one.right.value for one in calibration.bins]
        for x, one in zip(said, calibration.bins, strict=True):
            axes.plot([x, x], [100 * one.right.low, 100 * one.right.high], color=colour, linewidth=0.8, alpha=0.5)
        label = f"{_short(arm)}, {calibration.signal}: off by {100 * calibration.error:.1f} points"
        axes.plot(said, right, "o-", color=colour, markersize=4, linewidth=1.2, label=label)
    axes.set_xlim(0, 102)
    axes.set_ylim(0, 102)
    axes.set_xlabel("certainty that was stated, %")
    axes.set_ylabel("right, %")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def spending(summary: Summary) -> Figure | None:
    """What live traffic cost, day by day."""
    days = summary.facts.get("traffic", {}).get("day", ())
    if len(days) < 2:
        return None
    figure, axes = _axes(WIDTH, 2.4)
    dates = [date.fromisoformat(day["day"]) for day in days]
    axes.bar(dates, [day["cost_usd"] for day in days], color=BEST, alpha=0.8)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=8))
    axes.xaxis.set_major_formatter(DateFormatter("%Y-%m-%d"))
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("US dollars")
    return figure


FIGURES: Mapping[str, Drawn] = {
    "spending": spending,
    "plane": plane,
    "domains": domains,
    "latencies": latencies,
    "handled": handled,
    "members": members,
    "certainty": certainty,
}


def drawn(summary: Summary) -> dict[str, Figure]:
    """Every picture that there is something to draw for."""
    return {name: figure for name, draw in FIGURES.items() if (figure := draw(summary)) is not None}


def svg(figure: Figure) -> str:
    """A picture for a page: without the heading of a file."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", held.getvalue(), flags=re.DOTALL)


def png(figure: Figure) -> bytes:
    """A picture as a file."""
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=160, metadata={"Software": None})
    return held.getvalue()


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _logarithmic(axes: Axes) -> None:
    """Equal steps for equal ratios, with numbers that are written out."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """Names at the left, the first one on top."""
    axes.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _bare(axes: Axes) -> None:
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _short(name: str) -> str:
    return (name if len(name) <= 34 else name[:31] + "...").replace("$", r"\$")
