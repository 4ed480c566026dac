"""The verdict over JSON answers: merged field by field, in place of one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from mixture.aggregation.ballots import Ballot, canonical_json, unfenced
from mixture.aggregation.merging import merged, written
from mixture.types import Completion, Query, Verdict


def wants_json(query: Query, proposals: Sequence[Completion]) -> bool:
    """Whether the proposals are JSON that can be merged: it was asked for, and no tool is called instead."""
    form = query.response_format
    return form is not None and form.type != "text" and not any(proposal.tool_calls for proposal in proposals)


def field_by_field(
    query: Query,
    proposals: Sequence[Completion],
    votes: Sequence[Ballot],
    verdict: Verdict,
    counting: Sequence[float] | None,
) -> Verdict:
    """`verdict`, which chose among the whole `proposals`, with the merge of those that are JSON (their `votes` are not
    None). `counting` says what each one's votes count. The confidence holds only when the merge says what was chosen.
    """
    places = [place for place, vote in enumerate(votes) if vote is not None]
    values = [json.loads(unfenced(proposals[place].text)) for place in places]
    schema = None if query.response_format is None else query.response_format.schema
    made = merged(values, schema, None if counting is None else [counting[place] for place in places])
    text = written(made.value)
    same = canonical_json(text) == votes[verdict.chosen or 0]
    whole = "one proposal as it stood: merged, the fields did not fit the schema"
    return replace(
        verdict,
        chosen=verdict.chosen if same else places[made.best],
        text=text,
        fields=made.fields,
        agreement=made.agreement * len(values) / len(votes),
        agreed=verdict.agreed if same else made.agreed,
        confidence=verdict.confidence if same else None,
        why=whole if made.whole else "field by field",
    )
