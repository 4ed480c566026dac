"""An answer in sections that are written at the same time and sent one after another."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from mixture.types import Chunk, Completion, Delta, Emit, Event, Usage

BETWEEN = "\n\n"
"""What stands between two sections."""
MOST = 8_192
"""Chunks of a section that are held until its turn; then its writer waits, so that memory stays bounded."""


class Section:
    """The `Emit` of one section's writer: what it emits is held until the section's turn, and then passed on."""

    def __init__(self) -> None:
        self._held: deque[Delta] = deque()
        self._live: Emit | None = None
        self._turn = asyncio.Event()
        self.sent = False

    async def __call__(self, event: Event) -> None:
        """Take in the next piece."""
        if not isinstance(event, Delta):
            return
        if self._live is None and len(self._held) >= MOST:
            await self._turn.wait()
        if self._live is None:
            self._held.append(event)
        else:
            await self._pass(self._live, event)

    async def begin(self, live: Emit) -> None:
        """It is this section's turn: pass on what is held, also what comes meanwhile, and from then on everything."""
        while self._held:
            await self._pass(live, self._held.popleft())
        self._live = live
        self._turn.set()

    def recall(self) -> bool:
        """Forget what was written, so that another expert can write it; false when a part has been sent already."""
        if self.sent:
            return False
        self._held.clear()
        return True

    async def _pass(self, live: Emit, event: Delta) -> None:
        self.sent = True
        await live(event)


class Joiner:
    """Makes one stream of the sections': a blank line between them, one end, and no usage of a part."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._between = ""
        self._last = ""

    async def __call__(self, event: Event) -> None:
        """Pass on a piece of a section."""
        if not isinstance(event, Delta):
            return
        chunk = replace(event.chunk, text=self._between + event.chunk.text, usage=None, finish_reason=None)
        if event.chunk.text or event.chunk.annotations:
            self._between, self._last = "", event.expert
            await self._emit(Delta(event.expert, chunk))

    def next(self) -> None:
        """What comes now belongs to another section."""
        self._between = BETWEEN if self._last else ""

    async def end(self, completion: Completion) -> None:
        """The end of the whole."""
        await self._emit(Delta(self._last or completion.expert, Chunk(finish_reason=completion.finish_reason)))


def joined(completions: list[Completion]) -> Completion:
    """The sections as one answer; it was cut when one of them was. `completions` is not empty."""
    experts = "+".join(dict.fromkeys(completion.expert for completion in completions))
    written = [completion for completion in completions if completion.text]
    ends = {completion.finish_reason for completion in completions} - {"stop"}
    choice = replace(
        completions[0].choices[0],
        text=BETWEEN.join(completion.text for completion in written),
        finish_reason=ends.pop() if ends else "stop",
        annotations=tuple(note for completion in completions for note in completion.choices[0].annotations),
    )
    return Completion(experts, (choice,), sum((completion.usage for completion in completions), Usage()))
