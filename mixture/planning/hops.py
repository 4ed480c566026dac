"""Questions with several steps whose steps can be seen in the sentence: two named things compared, or something that a
clause with a name in it describes ("the country where Einstein was born").

What must be known to see further steps does not stand in the sentence: that takes a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

LONGEST = 300
"""Characters of a question that is looked at."""

_WORD = r"[A-Z0-9][\w.'&/-]*"
_NAME = rf"(?:[Tt]he\s+)?{_WORD}(?:\s+(?:(?:of|the|in|de|la|van|von|for)\s+){{0,2}}{_WORD})*"
_MORE = (
    r"(?:more|less|fewer|larger|smaller|bigger|older|younger|taller|shorter|longer|higher|lower|earlier|later|faster|"
    r"slower|closer|farther|further|newer|busier|heavier|lighter|richer|poorer|wider|deeper|greater|better|worse|before|"
    r"after|first|last|most|least|oldest|youngest|largest|smallest|tallest|longest|highest|lowest)"
)
_BE = r"(?P<be>is|are|was|were|do|does|did|has|have|had|can|could|will|would)"
_VERB = r"(?:be|been|have|had|need|cost|weigh|take|make|contain|use|get|sell|sold|win|won|earn|own|live|last)"
_TITLE = rf"(?:[\"“][^\"”?]+[\"”]|{_NAME})"
_EITHER = re.compile(
    rf"(?P<asked>(?:which|who|whose|what)\b[^,?]*\b{_MORE}\b[^,?]*)[,:]\s*"
    rf"(?P<one>{_TITLE}),?\s+or\s+(?P<other>{_TITLE})\s*\?",
    re.IGNORECASE,
)
_WHICH = re.compile(
    rf"(?P<asked>(?:which|who|what)\b[^,:?]*\b{_MORE})\s+(?P<one>{_TITLE}),?\s+or\s+(?P<other>{_TITLE})\s*\?"
)
_OR = re.compile(
    rf"{_BE}\s+(?P<one>(?!I\b){_TITLE})\s+or\s+(?P<other>{_TITLE})\s+"
    rf"(?P<asked>(?:[^,?]+\s)?{_MORE}\b[^,?]*?)\s*\?"
)
_DIFFERENCE = re.compile(
    rf"how (?P<much>many|much) more (?P<what>[^,?]+?) (?P<one>(?!\d|I\b){_NAME})(?P<asked>\s[^,?]+?|)"
    rf" than (?:in |on |of |by )?(?P<other>{_NAME})\s*\?"
)
_THAN = re.compile(
    rf"{_BE}\s+(?P<one>{_NAME})\s+(?P<asked>(?:{_VERB}\s+)?(?:an?\s+)?{_MORE}\b[^,?]*?)\s+than\s+(?P<other>{_NAME})\s*\?"
)
_BOTH = re.compile(rf"{_BE}\s+(?P<one>{_NAME})\s+and\s+(?P<other>{_NAME})\s+both\s+(?P<asked>[^,?]+?)\s*\?")
_ARE_BOTH = re.compile(rf"{_BE}\s+both\s+(?P<one>{_NAME})\s+and\s+(?P<other>{_NAME})\s+(?P<asked>[^,?]+?)\s*\?")
_SAME = re.compile(
    rf"{_BE}\s+(?P<one>{_NAME})\s+and\s+(?P<other>{_NAME})\s+(?:\w+\s+){{0,2}}?(?:of|from|in|have|share|at)\s+"
    r"the\s+same\s+(?P<asked>[^,?]+?)\s*\?"
)
_CLAUSE = re.compile(
    r"(?P<outer>(?:(?:in|on|at|to|of|for|from) )?(?:what|which|who|whom|whose|when|where|how)\b(?! of the following)"
    r"[^,?]*?)\bthe\s+"
    r"(?P<head>(?:(?!(?:of|in|on|from|for|to|and|is|are|was|were|it|argument|fact|idea|claim|belief|view)\b)"
    r"[a-z'-]+\s+){1,4}?)"
    r"(?P<link>that|which|who|where|whose|(?:in|for|on|at|by) which|starring|featuring|containing|inspiring|bordering|"
    r"hosting|(?:written|directed|played|founded|produced|created|designed|painted|built|composed|made|ruled|owned) by|"
    r"named after|(?:born|based|located|published|set) in)\s+"
    r"(?P<clause>[^?]+?)\s*\?"
)
_STRANDED = re.compile(
    r"\b(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|and|or|both)\s*$",
    re.IGNORECASE,
)
"""The end of what stands before the described thing, when its verb stands after the clause, whose end nobody sees."""
_ONLY_NAMES_IT = re.compile(
    r"\W*(?:what|which|who|whom|where|when)(?:\s+(?:is|are|was|were|the|name|names|of|called|other))*\W*$",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?<!^)\b[A-Z]\w|\b\d{4}\b|(?<!\w)[\"“']\w")


def hops(text: str) -> Sequence[str]:
    """The steps of a question, the last of which is to be answered from the others; empty when none are seen."""
    question = text.strip()
    if len(question) > LONGEST or not question.endswith("?") or _NAMED.search(question) is None:
        return ()
    for pattern, steps in _FORMS:
        match = pattern.fullmatch(question[:1].lower() + question[1:])
        if match is not None:
            return steps(match)
    return ()


def _compared(match: re.Match[str]) -> Sequence[str]:
    one, asked, other = match["one"], match["asked"].strip(), match["other"]
    matters = "Find what matters about"
    return (f"{matters} {one}: {asked}", f"{matters} {other}: {asked}", f"Compare {one} and {other}: {asked}")


def _difference(match: re.Match[str]) -> Sequence[str]:
    how = f"Find how {match['much']} {match['what']} {{}}{match['asked']}"
    return (how.format(match["one"]), how.format(match["other"]), "Find the difference")


def _both(match: re.Match[str]) -> Sequence[str]:
    one, asked, other = match["one"], match["asked"], match["other"]
    whether = f"Find out whether this holds: {match['be']} {{}} {asked}"
    return (whether.format(one), whether.format(other), "Say whether it holds for both")


def _same(match: re.Match[str]) -> Sequence[str]:
    one, asked, other = match["one"], match["asked"], match["other"]
    return (f"Find the {asked} of {one}", f"Find the {asked} of {other}", "Say whether they are the same")


def _described(match: re.Match[str]) -> Sequence[str]:
    outer, head, clause = match["outer"], match["head"].strip(), match["clause"]
    if _ONLY_NAMES_IT.match(outer) or _STRANDED.search(outer) or _NAMED.search(f" {clause}") is None:
        return ()
    pointer = "those" if head.endswith(("s", "people")) else "that"
    return (f"Find the {head} {match['link']} {clause}", f"{outer[:1].upper()}{outer[1:]}{pointer} {head}?")


_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Sequence[str]]], ...] = (
    (_EITHER, _compared),
    (_WHICH, _compared),
    (_OR, _compared),
    (_THAN, _compared),
    (_DIFFERENCE, _difference),
    (_BOTH, _both),
    (_ARE_BOTH, _both),
    (_SAME, _same),
    (_CLAUSE, _described),
)
