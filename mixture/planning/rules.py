"""Taking a request apart into its operations, by rules that would rather leave it whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mixture.planning.hops import hops
from mixture.routing.classification import classify
from mixture.types import Plan, Query, Subtask

LONGEST = 1_500
"""Characters of a request that is looked at; what is longer holds material, in which every sentence could look like an
operation."""
MOST = 6
"""Operations; more than that are the points of one task."""
FEWEST_WORDS = 2

_VERBS = (
    r"(?:explain|describe|discuss|outline|analy[sz]e|compare|define|summari[sz]e|translate|calculate|compute|solve|prove|"
    r"derive|implement|write|compose|draft|provide|give|show|create|generate|design|list|suggest|recommend|build|debug|"
    r"refactor|evaluate|assess|tell|find|convert|estimate|develop|include)"
)
_OBJECT = (
    r"(?=\s+(?:me|us|a|an|the|my|our|its|their|some|any|one|two|three|four|five|\d+|how|why|what|which|whether|when|where|"
    r"it|them|who|all|each|every|both|code|python|java|javascript|typescript|sql|rust|bash|html|examples?|[\"'“A-Z0-9_]))"
)
_LEAD = (
    r"(?:(?:and|then|also|first|second|third|next|finally|lastly|additionally|furthermore|please|kindly|(?:can|could|would|"
    r"will) you|i (?:want|need|would like) you to)\b[\s,]*)*"
)
_QUESTION = r"(?:what|why|how|who|whom|whose|which)\b|(?:when|where)\b.*\?\s*$"
_OPERATION = re.compile(rf"^\W*{_LEAD}(?:{_QUESTION}|{_VERBS}\s+\S)", re.IGNORECASE | re.DOTALL)
_LEADING = re.compile(rf"^\W*{_LEAD}", re.IGNORECASE)
_JOINT = re.compile(
    r"(?:,\s*)?\band\s+(?:also\s+)?(?=(?:what|why|who|where|when|which|how)\s+(?:is|are|was|were|do|does|did|can|could|should|"
    r"would|will|has|have|many|much|long|old|far|tall|often)\b)|"
    rf"(?:[,;]\s*)?\b(?:and|then|as well as)\s+(?=(?:(?:also|then|please|finally)\s+)*(?i:{_VERBS})\b{_OBJECT})|"
    rf"[;,]\s+(?=(?:(?:also|then|please|finally)\s+)*(?i:{_VERBS})\b{_OBJECT})"
)
_ITEM = re.compile(r"(?:^|\n)\s*(?:\d{1,2}[.)]|[-*•])\s+")
_SENTENCE = re.compile(r"(?<=[.?!])\s+|\n+")
_QUOTED = re.compile(r"\"[^\"\n]*\"|“[^”\n]*”|(?<!\w)'[^'\n]*'(?!\w)|\([^()\n]*\)|\[[^\[\]\n]*\]")
_DEPENDENT = re.compile(
    r"\b(?:it|them|they|those|these|this|above|following|previous|both|your (?:\w+ )?(?:answer|code|solution|reasoning|"
    r"result|choice)|(?:each|every) (?:step|line|part)|the (?:same|result|results|answer|output|summary|"
    r"translation|code|function|program|script|solution|poem|story|text|steps?|differences?))\b",
    re.IGNORECASE,
)
_MANY = re.compile(r"\b(?:them|they|those|these|both|results|steps|differences?)\b", re.IGNORECASE)
_SPEAKS_OF = re.compile(
    r"\b(?:he|him|his|she|hers?|its|theirs?|ones?|each other|such|more|another|other|else|so|too|"
    r"that|there|then|better|worse|version|rest)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"\W*(?:{_QUESTION})", re.IGNORECASE | re.DOTALL)
_VERB = re.compile(rf"{_VERBS}$", re.IGNORECASE)
_SAY_LITTLE = frozenset(
    re.findall(
        r"\w+",
        """a an the of in on at to for from by with as and or is are was were be been do does did can could
        will would should has have had what why how who whom whose which when where it its this that these
        those i you we they me us my your our their he she his her him them not no some any all each every one
        two three four five six seven eight nine ten many much few more most please also about into than very
        good best short brief simple example examples detail details reason reasons step steps benefit
        benefits risk risks advantage advantages disadvantage disadvantages pros cons limitation limitations
        application applications use uses case cases alternative alternatives way ways thing things point
        points list lists table tables summary overview explanation description answer question sentence
        sentences paragraph paragraphs word words line lines kind kinds type types sort""",
    )
)
"""Words that don't say what an operation is about."""
_WORD = re.compile(r"[^\W\d_][^\W_]*(?:['-][^\W_]+)*")
_ALIKE = {"calculation": "math", "data": "code", "security": "code", "creative": "writing", "chat": "general"}


class RuleDecomposer:
    """Splits a request into operations: sentences, points of a list, imperatives and questions joined by "and".

    An operation that refers to what another gives ("and translate it") waits for it when it is of another domain, and
    belongs to it when it is of the same. Two of the same domain are two only when each says by itself what it is about.
    A single question is taken apart where its steps can be seen in it, see `hops`.

    A request stays whole when nothing is left to divide, when something else than operations is in it, or when there
    are more than `most`.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most

    async def decompose(self, query: Query) -> Plan:
        """A plan of at least one subtask. Subtasks stand in the order of the request."""
        return plan(query.text, self._most)


def plan(text: str, most: int = MOST) -> Plan:
    """The operations of `text`, or `text` as the only one, also when there are more than `most`."""
    whole = Plan((Subtask("1", text),))
    if len(text) > LONGEST or "```" in text:
        return whole
    parts = _joined(_operations(text))
    made = _stepwise(hops(text)) if len(parts) < 2 else _compound(parts)
    return made if 2 <= len(made.subtasks) <= most else whole


def _compound(parts: Sequence[_Part]) -> Plan:
    """The operations, each with those that it waits for."""
    return Plan(tuple(Subtask(str(i), part.text, part.skill, part.after(i)) for i, part in enumerate(parts, 1)))


def _stepwise(steps: Sequence[str]) -> Plan:
    """The steps of a question, the last of which waits for all the others; empty when there are none."""
    if not steps:
        return Plan(())
    ids = tuple(str(number) for number in range(1, len(steps) + 1))
    parts = [Subtask(name, text, classify(text).task) for name, text in zip(ids, steps, strict=True)]
    return Plan((*parts[:-1], replace(parts[-1], depends_on=ids[:-1])), final=ids[-1])


def _operations(text: str) -> list[str]:
    """The operations in `text`; none when there is something else in it that could matter to them."""
    parts = [part for sentence in _sentences(text) for part in _clauses(sentence)]
    if not all(_OPERATION.match(part) and len(part.split()) >= FEWEST_WORDS for part in parts):
        return []
    return [_bare(part) for part in parts]


def _sentences(text: str) -> Iterable[str]:
    masked = _ITEM.sub(lambda match: "\n" + " " * (len(match.group()) - 1), _masked(text))
    return _cut(text, masked, _SENTENCE)


def _clauses(sentence: str) -> Iterable[str]:
    return _cut(sentence, _masked(sentence), _JOINT)


def _cut(text: str, masked: str, boundary: re.Pattern[str]) -> list[str]:
    """`text` cut where `masked` shows a boundary; the list's markers that only the mask has blanked are left out."""
    parts, start = [], 0
    for match in boundary.finditer(masked):
        parts.append(text[start : match.start()])
        start = match.end()
    parts.append(text[start:])
    return [stripped for part in parts if (stripped := _ITEM.sub("", "\n" + part).strip())]


def _masked(text: str) -> str:
    """`text` with what is quoted or in brackets blanked out: "and" means nothing in there."""
    return _QUOTED.sub(lambda match: "_" * len(match.group()), text)


def _bare(part: str) -> str:
    """Without "and then please" before it, beginning with a capital letter."""
    bare = _LEADING.sub("", part, count=1).strip().rstrip(",;")
    return bare[:1].upper() + bare[1:]


@dataclass(frozen=True, slots=True)
class _Part:
    """An operation with its domain; `refers` says to what goes before: nothing, the part before, all parts before."""

    text: str
    skill: str
    refers: Literal["", "one", "all"]

    def after(self, number: int) -> tuple[str, ...]:
        """The ids of the parts that this one, which is the `number`th, waits for."""
        first = {"": number, "one": number - 1, "all": 1}[self.refers]
        return tuple(str(before) for before in range(max(1, first), number))


def _joined(operations: Sequence[str]) -> list[_Part]:
    """The operations as parts. One that belongs to the part before it is joined to it: it is of the same kind, and
    speaks of the same thing or says too little by itself ("and give two examples").
    """
    parts: list[_Part] = []
    for text in operations:
        task = classify(text).task
        skill = _ALIKE.get(task, task)
        refers = _refers(text)
        if parts and skill in ("general", parts[-1].skill) and not _apart(parts[-1].text, text):
            parts[-1] = replace(parts[-1], text=f"{parts[-1].text}\n{text}")
        else:
            parts.append(_Part(text, skill, refers))
    return parts


def _refers(text: str) -> Literal["", "one", "all"]:
    found = _DEPENDENT.search(text)
    if found is None:
        return ""
    return "all" if _MANY.search(found.group()) else "one"


def _apart(before: str, text: str) -> bool:
    """Whether an operation of the same kind as the one before it is about something else, and says about what: in a
    question one word can say it ("what is inflation?"), in an imperative it takes two, or a name.
    """
    if _refers(text) or _SPEAKS_OF.search(text):
        return False
    words, names = _says(text)
    others, other_names = _says(before)
    if not others or len(words) + len(names) < (1 if _ASKS.match(text) else 2):
        return False
    return not words & others or (bool(names and other_names) and not names & other_names)


def _says(text: str) -> tuple[set[str], set[str]]:
    """The words that say what it is about, in lower case, and those of them that are names."""
    words = {word for word in _WORD.findall(text) if word.lower() not in _SAY_LITTLE and not _VERB.match(word)}
    names = {word.lower() for word in words if word[0].isupper() and not text.startswith(word)}
    return {word.lower() for word in words}, names
