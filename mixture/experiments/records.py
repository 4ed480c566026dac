"""What is kept of an experiment: a line for each request, each comparison in the background, and each judgement."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mixture.experiments.arms import Exposure

FOLDER = "experiments"
"""Inside the feedback folder: a file for each experiment."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one way of answering took: US dollars (None where a price is unknown), seconds, and the code of its error
    where it gave no answer.
    """

    cost_usd: float | None
    latency_s: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Exposed:
    """A request of an experiment, and what its own answer took."""

    exposure: Exposure
    side: Side


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A request that the candidate was asked as well: what each took, and how far their answers agree (0..1; None where
    one of them failed). `owner` and `request_id` are those of the client's request.
    """

    owner: str
    request_id: str
    exposure: Exposure
    control: Side
    candidate: Side
    agreement: float | None


class Records:
    """Appends to `experiments/NAME.jsonl` in a folder, each line whole. Prompts and answers are not kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER

    def exposed(self, owner: str, request_id: str, what: Exposed) -> None:
        """A request was answered, or failed. Raises OSError."""
        exposure = what.exposure
        line = {"kind": "answered", "unit": exposure.unit, "arm": exposure.arm, **asdict(what.side)}
        self._add(exposure.experiment, owner, request_id, line)

    def mirrored(self, what: Mirrored) -> None:
        """The candidate was asked as well. Raises OSError."""
        sides = {"control": asdict(what.control), "candidate": asdict(what.candidate)}
        line = {"kind": "mirrored", "unit": what.exposure.unit, "agreement": what.agreement, **sides}
        self._add(what.exposure.experiment, what.owner, what.request_id, line)

    def scored(self, owner: str, request_id: str, exposure: Exposure, score: float) -> None:
        """The answer that the client got was judged, in 0..1. Raises OSError."""
        line = {"kind": "scored", "unit": exposure.unit, "arm": exposure.arm, "score": score}
        self._add(exposure.experiment, owner, request_id, line)

    def _add(self, experiment: str, owner: str, request_id: str, line: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {"at": round(time.time(), 3), "request": f"{owner}/{request_id}", **line}
        data = (json.dumps(whole) + "\n").encode()
        path = self.folder / file_name(experiment)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)


def lines(folder: Path, experiment: str) -> Iterator[dict[str, Any]]:
    """The records of an experiment in their order; a line that was cut off by a crash is left out. `folder` is the
    feedback folder. Raises OSError.
    """
    path = folder / FOLDER / file_name(experiment)
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for text in file:
            try:
                found = json.loads(text)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def file_name(experiment: str) -> str:
    """The file of an experiment; a name may hold slashes and colons."""
    return "".join(c if c.isalnum() or c in "._-" else f"%{ord(c):02x}" for c in experiment) + ".jsonl"
