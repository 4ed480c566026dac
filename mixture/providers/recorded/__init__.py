"""Answers that were recorded, given again by prompt: strategies can be tried on real answers without a model.

The rows of one file are read once a process, however many experts replay it, and only the columns that are used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from mixture.config import ConfigError, ExpertConfig, Section
from mixture.errors import Declined
from mixture.providers import Context, card, checked
from mixture.providers.recorded.table import Columns, Index, Table, Value, key
from mixture.types import Chunk, ExpertCard, FinishReason, Query, Usage

Positive = Annotated[float, Field(gt=0)]


class Recording(Section):
    """Where the answers are. The defaults fit an outcome log; `where: {expert: NAME}` picks one expert of it."""

    file: str | tuple[str, ...]
    """Parquet files with a row an answer."""
    prompt: Columns = "prompt"
    """The column with what was asked, as text or as messages; of several columns the texts are joined by newlines."""
    response: str = "response"
    """The column with the answer. Rows where it is null are left out; of several for one prompt the first is given."""
    where: dict[str, Value] = Field(default_factory=dict)
    """Only the rows that have these values: column -> value."""
    items: str | tuple[str, ...] | None = None
    """Parquet files that have the prompts, when `file` has only their ids."""
    items_where: dict[str, Value] = Field(default_factory=dict)
    id: str = "id"
    """The column of `file` that says which item was asked."""
    items_id: str | None = None
    """The same column of `items`, when it is called otherwise."""
    prompt_tokens: str | Annotated[int, Field(ge=0)] | None = None
    """A column's name, or one number for all; None means that the text's length is divided by `chars_per_token`."""
    completion_tokens: str | Annotated[int, Field(ge=0)] | None = None
    finish_reason: str | None = None
    """A column's name; None means that every answer ended by itself."""
    chars_per_token: Positive = 4.0
    latency: str | Annotated[float, Field(ge=0)] | None = None
    """Seconds for the whole answer: a column's name, or one number for all. None means at once."""
    rate: Positive | None = None
    """Tokens a second, where no `latency` is known."""
    chunk_chars: Annotated[int, Field(ge=1)] = 24
    """Characters in each streamed chunk."""


def indexed(table: Table, recording: Recording) -> Index:
    """The rows of `table` by prompt. Raises ValueError when a column is missing."""
    told = pc.is_valid(table.column(recording.response))
    rows = [row for row in table.rows(recording.where) if told[row].as_py()]
    if recording.items is None:
        return Index.of(table.keys(recording.prompt, rows), rows)
    items = Table.of(recording.items)
    asked = items.rows(recording.items_where)
    names = items.column(recording.items_id or recording.id)
    by_id = dict(zip((names[row].as_py() for row in asked), items.keys(recording.prompt, asked), strict=True))
    ids = table.column(recording.id)
    found = [(by_id[name], row) for row in rows if (name := ids[row].as_py()) in by_id]
    return Index.of([prompt_key for prompt_key, _ in found], [row for _, row in found])


class Recorded:
    """An expert that says again what was recorded. Sampling is not looked at: the answer is the one that there is."""

    def __init__(self, card: ExpertCard, recording: Recording) -> None:
        self.card = card
        self.recording = recording
        self._table = Table.of(recording.file)
        self._index = indexed(self._table, recording)
        r = recording
        for column in (r.prompt_tokens, r.completion_tokens, r.latency, r.finish_reason):
            if isinstance(column, str):
                self._table.column(column)  # a name that does not exist is told now, not at the first question

    def __len__(self) -> int:
        return len(self._index.keys)

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The recorded answer. Raises Declined (an ExpertUnavailable) for a prompt that was not recorded."""
        row = self._index.row(key(query.text))
        if row is None:
            raise Declined("no answer to this prompt was recorded", code="not_recorded", expert=self.card.name)
        text = str(self._value(self.recording.response, row))
        usage = self._usage(row, query, text)
        size = self.recording.chunk_chars if query.stream else max(1, len(text))
        pieces = [text[start : start + size] for start in range(0, len(text), size)] or [""]
        pause = self._seconds(row, usage) / len(pieces)
        for piece in pieces[:-1]:
            await asyncio.sleep(pause)
            yield Chunk(piece)
        await asyncio.sleep(pause)
        yield Chunk(pieces[-1], usage=usage, finish_reason=self._reason(row))

    def _value(self, column: str, row: int) -> Any:
        return self._table.column(column)[row].as_py()

    def _usage(self, row: int, query: Query, text: str) -> Usage:
        prompt = self._number(self.recording.prompt_tokens, row)
        completion = self._number(self.recording.completion_tokens, row)
        per_token = self.recording.chars_per_token
        asked = sum(len(message.text) for message in query.messages)
        return Usage(
            round(asked / per_token) if prompt is None else int(prompt),
            round(len(text) / per_token) if completion is None else int(completion),
            estimated=prompt is None or completion is None,
        )

    def _seconds(self, row: int, usage: Usage) -> float:
        latency = self._number(self.recording.latency, row)
        if latency is not None:
            return latency
        return usage.completion_tokens / self.recording.rate if self.recording.rate else 0.0

    def _number(self, source: str | float | None, row: int) -> float | None:
        value = self._value(source, row) if isinstance(source, str) else source
        return None if value is None else float(value)

    def _reason(self, row: int) -> FinishReason:
        if self.recording.finish_reason is None:
            return "stop"
        reason = self._value(self.recording.finish_reason, row)
        return reason if reason in ("length", "tool_calls", "content_filter") else "stop"


def make(config: ExpertConfig, context: Context) -> Recorded:
    """An expert that replays `config.options`. Raises ConfigError when a file or a column is missing."""
    recording = checked(config, Recording)
    where = f"experts.{config.name}.options"
    try:
        expert = Recorded(card(config, location="embedded"), recording)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ConfigError(f"{where}: {error}", param=where) from None
    if not len(expert):
        raise ConfigError(f"{where}: no row fits `where`, `items_where` and the ids", param=where)
    return expert
