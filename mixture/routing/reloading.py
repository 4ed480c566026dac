"""A running process follows the calibration on disk: what `mixture calibrate` writes is routed by within seconds."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixture.types import Router

if TYPE_CHECKING:
    from mixture.routing.calibration import Calibration

logger = logging.getLogger("mixture.router")

EVERY = 3.0
"""Seconds between two looks at the file."""
_AROUND = ("inner", "quiet", "first")
"""The names under which routers hold the router that they stand around."""

Mark = tuple[int, int, int]
"""What tells one state of a file from another: its inode, size and time of change."""


class CalibrationFile:
    """A stored calibration that may be written anew at any time. `known` is the version that is in use already."""

    def __init__(self, path: str | Path, known: str | None = None) -> None:
        self._path = Path(path)
        self._known = known
        self._seen: Mark | None = None

    async def fresh(self) -> Calibration | None:
        """What was written since the last look; None where nothing was. It is read in a thread. A file that can't be
        read is told once in the log, and looked at again when it has changed.
        """
        mark = self._mark()
        if mark is None or mark == self._seen:
            return None
        self._seen = mark
        found = await asyncio.to_thread(self._read)
        if found is None or found.version == self._known:
            return None
        self._known = found.version
        return found

    def _mark(self) -> Mark | None:
        """None while there is no file: what was read from it before stands."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _read(self) -> Calibration | None:
        from mixture.routing.storage import PredictorError, load

        try:
            return load(self._path)
        except PredictorError as error:
            logger.warning("router.file: %s; routing stays as it was", error.message)
            return None


async def follow(router: Router, path: str | Path, every: float = EVERY) -> None:
    """Have `router` use each calibration that comes to lie at `path`, until cancelled. Does nothing where the learned
    router is not in this process.
    """
    place = learned(router)
    if place is None:
        return
    file = CalibrationFile(path, fitted(place.calibration))
    while True:
        newer = await file.fresh()
        if newer is not None:
            use(place, newer)
        await asyncio.sleep(every)


def use(place: Any, newer: Calibration) -> None:
    """Have the learned router `place` use `newer`; one that it can't use changes nothing, and the log says so."""
    from mixture.routing.storage import PredictorError

    try:
        place.calibration = newer
    except PredictorError as error:
        logger.warning("router.file: %s; routing stays as it was", error.message)
    else:
        logger.info("router.file: requests are routed by version %s", newer.version)


def learned(router: Any) -> Any:
    """The router in `router`, or itself, whose `calibration` may be replaced; None when there is none."""
    while router is not None and not hasattr(router, "calibration"):
        router = next((part for name in _AROUND if (part := getattr(router, name, None)) is not None), None)
    return router


def fitted(calibration: Calibration | None) -> str | None:
    """The version of the fit on which a calibration rests, without what feedback has made of it."""
    return None if calibration is None else calibration.version.partition("+")[0]
