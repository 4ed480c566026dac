"""A second pass over an expert's answer, with what is found for it in the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.aggregation.composing import appended
from mixture.aggregation.exhibits import code_of, quoted
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.outcomes import reason, told
from mixture.dispatch.plans import lacking
from mixture.dispatch.tracing import Held, in_time, supported
from mixture.errors import MixtureError, StreamBroken
from mixture.metering import draws_on
from mixture.prompts import ENHANCE
from mixture.retrieval import plain
from mixture.retrieval.access import may_read
from mixture.streams import present
from mixture.types import LOCAL, Aggregation, Completion, Emit, Panel, Passage, Proposed, Query, Retrieved, Source

MOST = 8
"""Passages that are put before the expert."""
LONGEST = 2_000
"""Characters of a request that passages are looked for with: its beginning."""


async def enhanced(names: Sequence[str], query: Query, panel: Panel, emit: Emit) -> Completion:
    """The answer of the first of `names` that gives one, written anew by it with passages from the documents. Where
    nothing is found, it is the answer as it is, live, and the result says so. Raises as `first_answer`.
    """
    passages, why = await _found(query, panel)
    if why is not None:
        return lacking(await first_answer(names, query, panel, emit), f"not enhanced: {why}")
    await emit(Retrieved(tuple(passages)))
    draft = await first_answer(names, replace(query, stream=False, purpose="draft"), panel, emit)
    await emit(Proposed(draft.expert, draft))
    passages = [passage for passage in passages if may_read(panel.experts[draft.expert].card, passage)]
    if not passages:
        return lacking(await present(draft, query, emit), "not enhanced: its expert may not read what was found")
    draws_on(tuple(passages))
    held = Held(emit)
    try:
        improved = told(await in_time(panel.experts[draft.expert], _second(query, draft, passages), held))
    except MixtureError as error:
        if held.sent:
            raise error if isinstance(error, StreamBroken) else StreamBroken(reason(error)) from None
        return lacking(await present(draft, query, emit), f"not enhanced: the second pass failed ({reason(error)})")
    done = await _cited(query, improved, passages, panel)
    await held.close(done.choices[0].annotations)
    return done


async def _found(query: Query, panel: Panel) -> tuple[Sequence[Passage], str | None]:
    """What stands in the documents about the request, or why nothing can be done with it."""
    if query.needs & {"tools", "n", "logprobs"}:
        return (), "calls of tools, several choices and log probabilities have no second pass"
    if panel.retriever is None:
        return (), "there are no documents"
    try:
        passages = await panel.retriever.retrieve(query.text[:LONGEST], MOST, query.caller or LOCAL)
    except MixtureError as error:
        return (), f"the documents can't be searched ({reason(error)})"
    return passages, None if passages else "nothing in the documents fits the request"


def _second(query: Query, draft: Completion, passages: Sequence[Passage]) -> Query:
    texts = [plain(passage.text) for passage in passages]
    code = code_of([draft.text, *texts])
    shown = [
        quoted(f"passage {number} from {passage.source}", text, code)
        for number, (passage, text) in enumerate(zip(passages, texts, strict=True), 1)
    ]
    said = ENHANCE.format(code=code, draft=quoted("draft", draft.text, code), passages="\n".join(shown))
    return replace(query, messages=appended(query.messages, said), purpose="enhancement")


async def _cited(query: Query, completion: Completion, passages: Sequence[Passage], panel: Panel) -> Completion:
    """`completion` with a citation, in OpenAI's form, for each sentence that a passage supports. JSON has none."""
    texts = [] if "json" in query.needs else [plain(passage.text) for passage in passages]
    found = await supported(completion.text, texts, panel.embedder) if texts else []
    notes = [
        {"type": "url_citation", "url_citation": _citation(one.start, one.end, passages[number - 1])}
        for one in found
        for number in one.proposals
    ]
    first = completion.choices[0]
    choice = replace(first, annotations=(*first.annotations, *notes))
    counts = [sum(number in one.proposals for one in found) for number in range(1, len(passages) + 1)]
    sources = tuple(Source(n, passage.source, counts[n - 1]) for n, passage in enumerate(passages, 1))
    share = sum(bool(one.proposals) for one in found) / len(found) if found else None
    how = Aggregation("enhancement", completion.expert, sources=sources, supported=share)
    return replace(completion, choices=(choice, *completion.choices[1:]), aggregation=how)


def _citation(start: int, end: int, passage: Passage) -> dict[str, object]:
    place = f"{passage.source}#char={passage.offset},{passage.offset + len(passage.text)}"
    return {"start_index": start, "end_index": end, "title": passage.source, "url": place}
