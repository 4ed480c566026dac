"""A report as files: one HTML page that needs nothing else, the pictures as PNG, the figures as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mixture.evaluation.report import figures
from mixture.evaluation.report.summary import Summary
from mixture.evaluation.statistics.words import proven

UNKNOWN = "n/a"
CAPTIONS: Mapping[str, tuple[str, str]] = {
    "spending": ("Spending", "US dollars a day, as far as prices are known."),
    "plane": ("Cost and quality", "Nobody beats those in blue: whatever is better than one of them costs more."),
    "domains": ("By domain", "Score in %, and in brackets the items of each domain."),
    "latencies": ("Latency", "The bar is the middle half, the white line the middle, whiskers 5% to 95%, the dot 99%."),
    "handled": ("Handled by small models", "Answered without any call to a strong expert."),
    "members": (
        "What each expert adds",
        "The logged proposals, voted on anew without each expert. Blue: proven; red: it does harm; grey: not certain.",
    ),
    "certainty": ("Calibration", "On the dashed line what was said of certainty would be true."),
}


def write(summary: Summary, folder: Path) -> Path:
    """Write `report.html`, `summary.json` and the pictures into a folder; where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures.drawn(summary)
    for name, figure in drawn.items():
        (folder / f"{name}.png").write_bytes(figures.png(figure))
    plain = json.dumps(summary.plain(), indent=2, ensure_ascii=False)
    (folder / "summary.json").write_text(plain + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(html(summary, {name: figures.svg(figure) for name, figure in drawn.items()}), encoding="utf-8")
    return page


def html(summary: Summary, pictures: Mapping[str, str]) -> str:
    """The page. Everything that models, datasets or users wrote is escaped; the pictures are our own."""
    environment = Environment(
        loader=PackageLoader("mixture.evaluation.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": percent, "usd": usd, "seconds": seconds, "p": p_value, "signed": signed}
    sections = {name: (*CAPTIONS[name], Markup(picture)) for name, picture in pictures.items()}  # noqa: S704
    return environment.get_template("page.html").render(
        s=summary, sections=sections, proven={c.arm for c in summary.comparisons if proven(c)}
    )


def percent(value: float | None, places: int = 1) -> str:
    """A share, in percent."""
    return UNKNOWN if value is None or math.isnan(value) else f"{100 * value:.{places}f}"


def usd(value: float | None) -> str:
    """An amount of money, with three figures that count."""
    if value is None:
        return "unknown"
    return (
        "0" if value == 0 else f"{value:,.2f}" if value >= 10 else f"{value:.3g}" if value >= 1e-4 else f"{value:.1e}"
    )


def seconds(value: float | None) -> str:
    """A time, with a thousandth of a second at most."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:.3g}" if value >= 0.001 else "< 0.001"


def p_value(value: float | None) -> str:
    """A p value, never as nothing."""
    return UNKNOWN if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def signed(value: Any) -> str:
    """A number with its sign."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:+.2f}" if math.isfinite(value) else "∞"
