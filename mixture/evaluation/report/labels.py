"""Names beside points, where they cover neither points nor one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox, BboxBase

NEAR = 7.0
"""Points (of a page) from a mark to its name."""
STEP = 6.0
FARTHEST = 10
"""Steps up or down from its mark that a name may be moved."""

Spot = tuple[Literal["left", "right"], float]
"""The side of the text that is at its point, and how far it is moved up."""


def label(axes: Axes, names: Sequence[str], xs: Sequence[float], ys: Sequence[float], bars: Sequence[Bbox]) -> None:
    """Write each name at that place near its point where it covers least; `bars` are what should stay free, in data
    coordinates. The axes' limits and the layout must be what they will be.
    """
    points = [axes.transData.transform((x, y)) for x, y in zip(xs, ys, strict=True)]
    marks = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    taken = [*marks, *(bar.transformed(axes.transData).padded(2) for bar in bars)]
    renderer = FigureCanvasAgg(axes.get_figure(root=True)).get_renderer()
    for place in sorted(range(len(names)), key=lambda place: -points[place][1]):
        note = _note(axes, names[place], (xs[place], ys[place]))
        best = min(_places(), key=lambda spot: _cost(note, spot, taken, axes.figure.bbox, renderer))
        _put(note, best)
        taken.append(_box(note, renderer))


def _note(axes: Axes, name: str, at: tuple[float, float]) -> Annotation:
    arrow = {"arrowstyle": "-", "color": "#aaaaaa", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    halo = [withStroke(linewidth=2.5, foreground="white")]
    note = axes.annotate(
        name, at, xytext=(0, 0), textcoords="offset points", va="center", fontsize=8, color="#222222",
        path_effects=halo, arrowprops=arrow, annotation_clip=False, zorder=5,
    )  # fmt: skip
    note.set_in_layout(False)
    return note


def _places() -> Iterator[Spot]:
    """Sides of the point and moves up or down, the nearest first."""
    for move in range(FARTHEST + 1):
        for sign in (1, -1) if move else (1,):
            yield "left", sign * move * STEP
            yield "right", sign * move * STEP


def _put(note: Annotation, spot: Spot) -> None:
    side, move = spot
    note.set_horizontalalignment(side)
    note.set_position((NEAR if side == "left" else -NEAR, move))
    if note.arrow_patch is not None:
        note.arrow_patch.set_visible(abs(move) > STEP)


def _cost(note: Annotation, spot: Spot, taken: Sequence[Bbox], page: BboxBase, renderer: RendererBase) -> float:
    """What a name covers there (square pixels), what sticks out of the picture counting most, and its distance."""
    _put(note, spot)
    box = _box(note, renderer)
    inside = Bbox.intersection(box, page)
    outside = box.width * box.height - (0.0 if inside is None else inside.width * inside.height)
    shared = (Bbox.intersection(box, other) for other in taken)
    covered = sum(one.width * one.height for one in shared if one is not None)
    return 10 * outside + 2 * covered + 2 * abs(spot[1])


def _box(note: Annotation, renderer: RendererBase) -> Bbox:
    """Where the text is, without the line to its point."""
    note.update_positions(renderer)
    return Text.get_window_extent(note, renderer)
