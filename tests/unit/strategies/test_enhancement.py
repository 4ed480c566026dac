"""enhance: a second pass over one expert's answer with what stands in the documents, and when there is none."""

import pytest

from mixture.errors import ExpertUnavailable, StreamBroken
from mixture.mixture import Mixture
from mixture.models import Wishes
from mixture.providers.scripted import scripted
from mixture.retrieval.relevant import Relevant
from mixture.types import Message, Passage, Query, Retrieved, Sampling

ASKED = "How long may a request take by default?"
DRAFT, BETTER = "A minute, I think.", "A request may take 120 seconds. Ask again after it."
PASSAGES = [Passage("A request may take 120 seconds.", "docs/limits.md", 40, 0.8), Passage("Cats.", "cats.md", 0, 0.1)]


class Found:
    """A retriever that finds the same for everything, or fails."""

    def __init__(self, passages=PASSAGES, error=None):
        self.passages, self.error, self.asked = passages, error, []

    async def retrieve(self, text, k, caller):
        self.asked.append(text)
        if self.error is not None:
            raise self.error
        return self.passages[:k]


def over(found):
    return {"retriever": Relevant(lambda: found, 0.45)}


async def test_the_same_expert_writes_its_answer_anew_with_the_passages(run):
    a = scripted("a", (DRAFT, BETTER))
    done = await run("task_based", a, asked=ASKED, parts=over(Found()), enhance=True)
    assert [event[0] for event in done.told[:3]] == ["routed", "retrieved", "proposed"]
    assert done.events[1] == Retrieved((PASSAGES[0],)), "only what has to do with the request"
    assert "".join(event[2] for event in done.told[3:-1]) == BETTER
    assert done.completion.text == BETTER
    assert done.completion.degraded is None
    first, second = a.queries
    assert [(query.purpose, query.stream) for query in (first, second)] == [("draft", False), ("enhancement", True)]
    assert second.text.startswith(ASKED)
    assert DRAFT in second.text and "passage 1 from docs/limits.md" in second.text and "Cats" not in second.text


async def test_sentences_that_a_passage_supports_are_cited(run):
    done = await run("task_based", scripted("a", (DRAFT, BETTER)), asked=ASKED, parts=over(Found()), enhance=True)
    [note] = done.completion.choices[0].annotations
    cited = note["url_citation"]
    assert BETTER[cited["start_index"] : cited["end_index"]] == PASSAGES[0].text
    assert (cited["title"], cited["url"]) == ("docs/limits.md", "docs/limits.md#char=40,71")
    assert done.events[-1].chunk.annotations == (note,)
    how = done.completion.aggregation
    assert (how.method, how.by, how.supported) == ("enhancement", "a", 0.5)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (over(Found(PASSAGES[1:])), "nothing in the documents fits the request"),
        (
            over(Found(error=ExpertUnavailable("the index is gone"))),
            "the documents can't be searched (the index is gone)",
        ),
        ({}, "there are no documents"),
    ],
)
async def test_without_passages_there_is_one_call_and_it_is_said(run, parts, why):
    a = scripted("a", DRAFT)
    done = await run("task_based", a, asked=ASKED, parts=parts, enhance=True)
    assert a.counts.started == 1
    assert done.told[1][0] == "delta", "the answer is passed on live"
    assert done.completion.degraded == f"not enhanced: {why}"


async def test_it_is_off_unless_asked_for(run):
    found, a = Found(), scripted("a", DRAFT)
    done = await run("task_based", a, asked=ASKED, parts=over(found))
    assert (found.asked, a.counts.started, done.completion.degraded) == ([], 1, None)


async def test_several_choices_have_no_second_pass(run):
    query = Query((Message("user", ASKED),), Sampling(n=2))
    done = await run("task_based", scripted("a", DRAFT), query=query, parts=over(Found()), enhance=True)
    assert len(done.completion.choices) == 2
    assert "no second pass" in done.completion.degraded


class Twice:
    """An expert whose second call goes wrong."""

    def __init__(self, **failure):
        self.first, self.second = scripted("a", DRAFT), scripted("a", BETTER, failure=failure)
        self.card, self.calls = self.first.card, 0

    async def stream(self, query):
        self.calls += 1
        async for chunk in (self.first if self.calls == 1 else self.second).stream(query):
            yield chunk


async def test_a_second_pass_that_fails_leaves_the_first_answer(run):
    done = await run("task_based", Twice(error="RateLimited"), asked=ASKED, parts=over(Found()), enhance=True)
    assert done.told[-1] == ("end", "a", DRAFT, "stop")
    assert done.completion.degraded.startswith("not enhanced: the second pass failed")


async def test_a_second_pass_that_breaks_off_ends_the_stream(run):
    broken = Twice(error="StreamBroken", after=2)
    done = await run("task_based", broken, asked=ASKED, parts=over(Found()), enhance=True)
    assert isinstance(done.error, StreamBroken)


async def test_as_a_wish_of_a_request_over_real_documents(tmp_path):
    (tmp_path / "limits.md").write_text(
        "# Limits\n\nA request to the harbour office may take 120 seconds by default.\n"
    )
    config = {
        "experts": [{"name": "a", "provider": "scripted", "options": {"text": [DRAFT, BETTER, DRAFT, BETTER]}}],
        "documents": {"paths": [str(tmp_path)]},
    }
    mixture = Mixture.from_config(config)
    asked = "How long may a request to the harbour office take?"
    answer = await mixture.answer(asked, "auto", Wishes(strategy="task_based", enhance=True))
    assert answer.text == BETTER
    assert [call.purpose for call in answer.report.calls] == ["draft", "enhancement"]
    far = await mixture.answer("Write a poem on love.", "task_based", Wishes(enhance=True))
    assert far.report.degraded == "not enhanced: nothing in the documents fits the request"
