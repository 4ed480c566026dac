"""A question in words into a task, or the finding that it is none.

The text must be accounted for to the last character: a polite beginning, one known form, an expression that parses
whole. A single unknown word makes it not ours. So a story with numbers in it is never answered wrongly.
"""

from __future__ import annotations

import re

from mixture.providers.symbolic import calculus_forms, conversions, equations, forms
from mixture.providers.symbolic.refusals import NotMaths
from mixture.providers.symbolic.tasks import Task
from mixture.providers.symbolic.vocabulary import known
from mixture.providers.symbolic.words import characters, signs

LONGEST = 600
"""Characters of a question; what is longer is not looked at."""

_POLITE = re.compile(
    r"(?:hi|hello|hey|ok|okay|so|and|now|then|please|kindly|just|quickly|"
    r"(?:can|could|would|will) you(?: please)?(?: help me(?: to)?)?|i(?:'d| would) like(?: you)? to(?: know)?|"
    r"i (?:need|want|wanna)(?: you)?(?: to)?(?: know)?|tell me|show me|give me|help me(?: to)?|let me know|do you know"
    r"|provide)(?:[,:!]\s*|\s+)"
)
_ASKING = re.compile(
    r"(?:(?:what|how much)(?:'s|s| is| are| was| does| would| do (?:you|we|i) get (?:if|when) (?:you|we|i))"
    r"|whats?|calculate|compute|evaluate|work out|figure out|find|determine|get|do)(?::\s*|\s+)"
)
_VALUE = re.compile(r"the (?:exact |numerical )?(?:value|answer|result|output|solution|amount)(?: of| to|:)?\s+")
_THE = re.compile(r"\b(?:the)\s+")
_TAIL = re.compile(
    r"(?:[\s,]*(?:please|thanks|thank you|for me|exactly|equal to what|is what|[?.=:;]|(?<=[a-z]{2})!|\bequals?(?: to)?"
    r"|\bis equal to|\bcome to|(?<!what) is))+$"
)
_OTHER = re.compile(r"\d\s*[kKMGT]b(?:ps)?\b|\b0[xXbBoO]\d")
"""Bits beside bytes, which small letters can't tell apart, and numbers in other bases."""


def read(text: str) -> Task | None:
    """The task that `text` asks for, None when it is not for us. Raises TooLarge when it is and can't be done."""
    if len(text) > LONGEST or _OTHER.search(text) or not known(text.lower()):
        return None
    plain = _stripped(characters(text).lower())
    asked = _ASKING.match(plain)
    bare = _VALUE.sub("", plain[asked.end() :] if asked else plain, count=1)
    if forms.IDIOMS.match(bare):
        return None
    body, whole = (_THE.sub("", signs(said)) for said in (bare, plain))
    try:
        return conversions.read(body) or conversions.read(whole) or _formed(body, whole)
    except NotMaths:
        return None


def _formed(body: str, whole: str) -> Task | None:
    for read_form in (equations.read, calculus_forms.read, forms.read):
        for text in dict.fromkeys((body, whole)):
            task = _tried(read_form, text)
            if task is not None:
                return task
    return _tried(forms.compute, body)


def _tried(read_form: forms.Form, text: str) -> Task | None:
    try:
        return read_form(text)
    except NotMaths:
        return None


def _stripped(text: str) -> str:
    """`text` without what is only manners."""
    text = _TAIL.sub("", text.strip().strip('"'))
    while match := _POLITE.match(text):
        text = text[match.end() :]
    return text
