"""One JSON value out of several, field by field, valid under the schema by construction.

Booleans, enumerations and short texts go to the majority, numbers to the median (whole numbers stay whole), lists
become the union of their items, the best supported first; objects are merged field by field, optional fields standing
where most have them. A long text is not mixed: it comes from the proposal that agrees most with all the others. What
still does not fit the schema gives way to that proposal as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixture.aggregation.fields import alike, kind_of, listed, median, named, paired, resolved, voted
from mixture.aggregation.schemas import fits
from mixture.types import FieldVote

SHORT = 60
"""Characters up to which a text is voted on; longer ones are taken whole."""
FIELDS = 200
"""Fields of which the votes are reported, the first ones."""

Item = tuple[int, Any]
"""The number of a proposal, and what it has in a field."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The `value`, the votes on each of its `fields` by path (`a.b[0].c`), how many of the proposals say the same in
    all of them (`agreed`), and the mean of the fields' agreement. `whole` says that it is the proposal `best` as it
    stood.
    """

    value: Any
    fields: Mapping[str, FieldVote]
    agreed: int
    agreement: float
    best: int
    whole: bool = False


def merged(values: Sequence[Any], schema: Mapping[str, Any] | None, weights: Sequence[float] | None = None) -> Merged:
    """The merge of `values` (at least one, the preferred one first); votes count as `weights` say, or one each."""
    counts = tuple(weights) if weights is not None else (1.0,) * len(values)
    items = list(enumerate(values))
    first = _Merge(schema or {}, counts)
    try:
        first.value("", items, first.schema)
        best = max(range(len(values)), key=lambda i: (first.matches.get(i, 0), -i))
        done = _Merge(schema or {}, counts, best)
        value = done.value("", items, done.schema)
    except RecursionError:
        return Merged(values[0], {}, 1, 1 / len(values), 0, True)
    whole = schema is not None and not fits(value, schema)
    total = len(done.votes) or 1
    agreed = sum(done.matches.get(i, 0) == done.leaves for i in range(len(values)))
    agreement = sum(vote.agreement for vote in done.votes.values()) / total
    fields = dict(list(done.votes.items())[:FIELDS])
    return Merged(values[best] if whole else value, fields, agreed, agreement, best, whole)


@dataclass(slots=True)
class _Merge:
    """A merge at work: the votes so far, and of how many leaves each proposal says what was chosen. Long texts come
    from the proposal `best`, once it is known.
    """

    schema: Mapping[str, Any]
    weights: Sequence[float]
    best: int | None = None
    votes: dict[str, FieldVote] = field(default_factory=dict)
    matches: dict[int, int] = field(default_factory=dict)
    leaves: int = 0

    def value(self, path: str, items: Sequence[Item], schema: Mapping[str, Any]) -> Any:
        """What the `items` of a field become. Those of another kind than most have do not count."""
        kind = voted([(i, kind_of(value)) for i, value in items], self.weights)[0]
        same = [(i, value) for i, value in items if kind_of(value) == kind]
        rules = resolved(schema, self.schema, same[0][1])
        if kind == "object":
            return self._object(path, same, rules)
        if kind == "array":
            return self._array(path, same, len(items), rules)
        return self._leaf(path, items, self._scalar(kind, same, rules))

    def _object(self, path: str, items: Sequence[Item], rules: Mapping[str, Any]) -> dict[str, Any]:
        wanted, properties = set(rules.get("required", ())), rules.get("properties", {})
        other = rules.get("additionalProperties")
        found = {}
        for name in dict.fromkeys([*(key for _, value in items for key in value)]):
            have = [(i, value[name]) for i, value in items if name in value]
            if name in wanted or self._most(have, items):
                below = properties.get(name, other)
                found[name] = self.value(named(path, name), have, below if isinstance(below, dict) else {})
        return found

    def _most(self, have: Sequence[Item], items: Sequence[Item]) -> bool:
        """Whether most have it; of two halves that of the preferred proposal counts."""
        part, all_of = (sum(self.weights[i] for i, _ in some) for some in (have, items))
        return 2 * part > all_of or (2 * part == all_of and have[0][0] == items[0][0])

    def _array(self, path: str, items: Sequence[Item], asked: int, rules: Mapping[str, Any]) -> list[Any]:
        if not listed([value for _, value in items], rules):
            return list(self._leaf(path, items, voted(items, self.weights)[0]))
        below = rules.get("items")
        groups = paired(items)
        groups.sort(key=lambda group: -sum(self.weights[i] for i, _ in group))
        groups = groups[: rules.get("maxItems", len(groups))]
        counts = tuple(len(group) for group in groups)
        self.votes[path] = FieldVote(sum(counts) / (len(counts) * asked) if counts else 1.0, counts)
        self._note([i for i, value in items if len(value) == len(groups)])
        rest = below if isinstance(below, dict) else {}
        return [
            self.value(f"{path}[{place}]", group, rest) if kind_of(group[0][1]) == "object" else group[0][1]
            for place, group in enumerate(groups)
        ]

    def _scalar(self, kind: str, items: Sequence[Item], rules: Mapping[str, Any]) -> Any:
        if kind == "number" and "enum" not in rules:
            return median(items, self.weights, rules)
        chosen, weight = voted(items, self.weights)
        if kind == "string" and len(chosen) > SHORT and "enum" not in rules:
            most = 2 * weight > sum(self.weights[i] for i, _ in items)
            return chosen if most or self.best is None else dict(items).get(self.best, chosen)
        return chosen

    def _leaf(self, path: str, items: Sequence[Item], chosen: Any) -> Any:
        """Note who says `chosen`, and give it."""
        agree = [i for i, value in items if alike(value, chosen)]
        self.votes[path] = FieldVote(len(agree) / len(items), len(agree))
        self._note(agree)
        return chosen

    def _note(self, agree: Iterable[int]) -> None:
        self.leaves += 1
        for i in agree:
            self.matches[i] = self.matches.get(i, 0) + 1


def written(value: Any) -> str:
    """A merged value as JSON text."""
    return json.dumps(value, ensure_ascii=False)
