"""The one place where notes arrive: they are checked, logged and learned from."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.config import ExperimentConfig, FeedbackConfig, RouterConfig
from mixture.errors import InvalidQuery, MixtureError
from mixture.experiments import Mirrored, Status, status_of
from mixture.experiments.records import Records, lines
from mixture.feedback.journal import Journal
from mixture.feedback.learning import Learner
from mixture.feedback.memory import CHARACTERS, Memory, Rate
from mixture.feedback.notes import Answering, Note, Receipt, Remembered
from mixture.routing.calibration import Calibration, nothing_held
from mixture.routing.encoder import readable
from mixture.routing.encoders import embedder_of
from mixture.routing.reloading import CalibrationFile
from mixture.routing.storage import PredictorError, load, save

logger = logging.getLogger("mixture.feedback")

LEARNED = "learned.npz"
"""In the feedback folder: what feedback has made of the calibrated router."""


PATIENCE = 0.5
"""Seconds that a note about an unknown request waits for a gateway to tell of that: more than gateways take."""


class FeedbackError(InvalidQuery):
    """The note can't be taken; `message` says what is wrong with it."""


class UnknownRequest(MixtureError):
    """No request of this key with this id is remembered: it never was, is too long ago, or came with another key."""

    status = 404
    type = "invalid_request_error"
    default_code = "request_not_found"


class Desk:
    """A `FeedbackHost` in this process. There is one for all gateways: the log has one writer, and the learner sees all
    notes. Raises ConfigError when the folder can't be written, or `router.encoder` names no model.
    """

    def __init__(self, config: FeedbackConfig, router: RouterConfig, *, seed: int | None = None) -> None:
        self._config, self._seed = config, seed
        folder = Path(config.folder or ".")
        self._journal = Journal(folder, prompts=config.log_prompts)
        self._memory = Memory(config.remembered, config.ttl)
        self._records = Records(folder)
        self._rate = Rate(config.per_hour)
        self._noted: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._file = folder / LEARNED
        self._calibrated = _calibrated(router) if config.learn else None
        self._learner = None if self._calibrated is None else Learner(self._calibrated.predictor, seed)
        self._embedder = embedder_of(router) if config.learn else None
        self._current = self._resumed()
        known = None if self._calibrated is None else self._calibrated.version
        self._written = CalibrationFile(router.file, known) if config.learn and router.file is not None else None

    async def remember(self, requests: Sequence[Remembered]) -> None:
        """See `FeedbackHost`."""
        for request in requests:
            text = request.prompt
            kept = text if len(text) <= CHARACTERS else f"{text[: CHARACTERS * 3 // 4]}\n{text[-CHARACTERS // 4 :]}"
            self._memory.keep(replace(request, prompt=kept))
            if request.exposed is not None:
                self._recorded(self._records.exposed, request.owner, request.request_id, request.exposed)

    async def mirrored(self, what: Mirrored) -> None:
        """See `FeedbackHost`."""
        self._recorded(self._records.mirrored, what)

    async def experiments(self, configs: Mapping[str, ExperimentConfig]) -> Sequence[Status]:
        """See `FeedbackHost`. The records are read anew each time, apart from the event loop."""
        folder = self._records.folder.parent
        return await asyncio.to_thread(
            lambda: [status_of(name, config, lines(folder, name)) for name, config in configs.items()]
        )

    async def give(self, note: Note) -> Receipt:
        """See `FeedbackHost`."""
        self._rate.count(note.owner)
        request = await self._found(note)
        if request is None:
            raise UnknownRequest(
                f"no request {note.request_id!r} of this key is remembered; send the x-request-id of an answer within "
                f"{self._config.ttl:g} seconds, with the same key",
                param="request_id",
            )
        part = _part(request, note)
        why = await self._learned(request, note, part)
        try:
            self._journal.add(request, note, part, why is None)
        except OSError as error:
            logger.exception("the feedback log can't be written")
            raise MixtureError(f"the feedback log can't be written ({error.strerror})", code="feedback_log") from None
        if request.exposed is not None and note.expert in (None, request.writer):
            exposure = request.exposed.exposure
            self._recorded(self._records.scored, note.owner, note.request_id, exposure, note.score)
        expert = part.expert if part else None
        version = None if self._current is None else self._current.version
        return Receipt(note.request_id, expert, note.score, True, why is None, why or "learned from", version)

    async def _found(self, note: Note) -> Remembered | None:
        """The request that a note is about. Another gateway than the one that takes the note may have answered it, and
        tells of its answers a moment later.
        """
        found = self._memory.find(note.owner, note.request_id)
        if found is None:
            await asyncio.sleep(PATIENCE)
            found = self._memory.find(note.owner, note.request_id)
        return found

    async def newer(self, version: str | None) -> Calibration | None:
        """See `FeedbackHost`."""
        await self._recalibrated()
        return None if self._current is None or self._current.version == version else self._current

    async def facts(self) -> dict[str, Any]:
        """See `FeedbackHost`."""
        return {
            "log": self._journal.path.name,
            "log_prompts": self._config.log_prompts,
            "remembered": len(self._memory),
            "routing": None if self._current is None else self._current.version,
            "learning": None if self._learner is None else self._learner.facts(),
        }

    async def _recalibrated(self) -> None:
        """Begin anew on what `mixture calibrate` has written since the last look."""
        found = None if self._written is None else await self._written.fresh()
        if found is not None:
            self._calibrated = self._current = found
            self._learner = Learner(found.predictor, self._seed)
            logger.info("router.file: learning begins anew on version %s", found.version)

    def _recorded(self, record: Callable[..., None], *what: object) -> None:
        """Put down what came of an experiment; a disk that is full costs the record, and no answer."""
        try:
            record(*what)
        except OSError as error:
            logger.warning("the records of experiments can't be written: %s", error.strerror)

    async def _learned(self, request: Remembered, note: Note, part: Answering | None) -> str | None:
        """Learn from the note; returns why not, where it is not learned from."""
        if part is None:
            return "several experts wrote this answer: name one with `expert`"
        key = note.owner, note.request_id, part.expert
        if key in self._noted:
            return "this answer has been judged before: the first note counts"
        self._noted[key] = None
        if len(self._noted) > 2 * self._config.remembered:
            self._noted.popitem(last=False)
        vector = await self._vector(request.prompt)
        learner = self._learner
        if learner is None:
            return "the router has no calibration to learn on" if self._config.learn else "learning is switched off"
        before = learner.published
        why = learner.learn(request.prompt, part.expert, note.score, vector)
        if learner.published is not before:
            self._publish()
        return why

    async def _vector(self, prompt: str) -> npt.NDArray[np.float32] | None:
        """The prompt's vector as the router sees it; None where there is nothing to learn on, or no heavier encoder."""
        if self._learner is None or self._embedder is None:
            return None
        return np.array((await self._embedder.embed((readable(prompt),)))[0], dtype=np.float32)

    def _publish(self) -> None:
        """Route by what the learner has come to, and keep it for the next start."""
        learner, calibrated = self._learner, self._calibrated
        if learner is None or calibrated is None:
            return
        version = f"{calibrated.version}+{learner.number}"
        learned = None if learner.published is calibrated.predictor else learner.published
        self._current = replace(calibrated, version=version, learned=learned)
        logger.info("feedback: requests are routed by version %s", version)
        try:
            predictor = learner.published
            save(Calibration(predictor, nothing_held(predictor), version, calibrated.encoder), self._file)
        except OSError as error:
            logger.warning("feedback: %s can't be written: %s", self._file, error.strerror)

    def _resumed(self) -> Calibration | None:
        """The calibration with what was learned on it before this start; without, when the router was calibrated anew
        or the file can't be read.
        """
        calibrated = self._calibrated
        if calibrated is None or not self._file.exists():
            return calibrated
        try:
            kept = load(self._file)
        except PredictorError as error:
            logger.warning("feedback: %s; learning begins anew", error.message)
            return calibrated
        same = kept.version.rpartition("+")[0] == calibrated.version
        if not same or kept.predictor.experts != calibrated.predictor.experts or self._learner is None:
            return calibrated
        self._learner.resume(kept.predictor)
        return replace(calibrated, version=kept.version, learned=kept.predictor)


def _calibrated(router: RouterConfig) -> Calibration | None:
    if router.file is None:
        return None
    try:
        return load(router.file)
    except PredictorError as error:
        logger.warning("router.file: %s; feedback is logged and not learned from", error.message)
        return None


def _part(request: Remembered, note: Note) -> Answering | None:
    """What the judged expert did; None when nobody is named and several wrote the answer. Raises FeedbackError when the
    named one had no part in it.
    """
    parts = {part.expert: part for part in request.answered}
    if note.expert is not None and note.expert not in parts:
        known = ", ".join(parts) or "none"
        raise FeedbackError(
            f"expert: {note.expert!r} had no part in this answer; those who had: {known}", param="expert"
        )
    return parts.get(note.expert or request.writer or "")
