"""Scorers that look at the form of an answer: a regular expression, a JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mixture.aggregation.answers import LONGEST
from mixture.aggregation.schemas import violation
from mixture.aggregation.wholeness import blocks
from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item, RowFault
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means


@dataclass(frozen=True, slots=True)
class Pattern:
    """Whether a regular expression is found in the answer; where it has a group and the item a reference, whether what
    the last match has in it is the reference.
    """

    pattern: re.Pattern[str]
    cheap: bool = True

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`."""
        found = list(self.pattern.finditer(answer[-LONGEST:]))
        if not found:
            return Score(0.0, "the pattern is not found")
        if not self.pattern.groups or item.reference is None:
            return Score(1.0)
        said = (found[-1][1] or "").strip()
        right = said.casefold() == item.reference.strip().casefold()
        return Score(1.0) if right else Score(0.0, f"it says {said[:60]!r}")


def regex(argument: str, means: Means) -> Pattern:
    """`regex:PATTERN`. Raises InvalidQuery."""
    if not argument:
        raise InvalidQuery("`regex:PATTERN` is expected", param="scorer")
    try:
        return Pattern(re.compile(argument, re.MULTILINE))
    except re.error as error:
        raise InvalidQuery(f"{argument!r} is no regular expression: {error}", param="scorer") from None


@dataclass(frozen=True, slots=True)
class Form:
    """Whether the answer is JSON that fits a schema: one for all items, or each item's own."""

    schema: Mapping[str, Any] | None = None
    cheap: bool = True

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`. Raises RowFault where there is no schema."""
        schema = self.schema or _own(item)
        found, value = read(answer)
        if not found:
            return Score(0.0, "there is no JSON in the answer")
        fault = violation(value, schema)
        return Score(1.0) if fault is None else Score(0.0, fault)


def _own(item: Item) -> Mapping[str, Any]:
    schema = item.extras.get("schema")
    if isinstance(schema, str):
        schema = json.loads(schema)
    if not isinstance(schema, Mapping):
        raise RowFault("schema: a JSON schema is expected, in the column or as `schema:FILE`")
    return schema


def read(answer: str) -> tuple[bool, Any]:
    """The JSON that an answer is, or that its longest block of code holds; whether there is any."""
    fenced = sorted((code for _, code in blocks(answer)), key=len, reverse=True)
    for text in (answer, *fenced[:1]):
        try:
            return True, json.loads(text)
        except (ValueError, RecursionError):
            continue
    return False, None


def schema(argument: str, means: Means) -> Form:
    """`schema`, or `schema:FILE` for one schema for all. Raises InvalidQuery."""
    if not argument:
        return Form()
    try:
        found = json.loads(Path(argument).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidQuery(f"{argument}: no JSON schema: {error}", param="scorer") from None
    if not isinstance(found, dict):
        raise InvalidQuery(f"{argument}: a JSON schema is an object", param="scorer")
    return Form(found)
