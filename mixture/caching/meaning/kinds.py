"""What kind of answer a question asks for, by how it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BEGINNINGS: Mapping[str, tuple[str, ...]] = {
    "amount": (
        "how (?:many|much|long|far|old|often|tall|big|large|high|deep|fast|heavy|wide|expensive|hot|cold|soon)",
    ),
    "reason": ("why", "how come", "what (?:is |was |are |were )?(?:the )?(?:causes?|reasons?)", "what makes"),
    "time": (
        "when",
        "since when",
        "(?:in |on |at )?(?:what|which) (?:year|date|day|time|month|century)",
        "what is the (?:date|time|year)",
    ),
    "place": (
        "where",
        "(?:in |at |on )?(?:what|which) (?:place|location|country|city|continent|state)",
    ),
    "person": ("who", "whom", "whose", "by whom", "(?:what|which) (?:person|man|woman)"),
    "manner": (
        "how",
        "in what way",
        "(?:what|which) (?:is |are )?(?:the |a |an )?(?:way|ways|method|steps|process|procedure)",
    ),
    "thing": ("what", "which", "in which", "in what", "to what", "of what"),
    "polar": (
        "(?:is|are|was|were|am|do|does|did|has|have|had)(?:n't)?",
        "(?:can|could|should|would|will|may|must|might|shall)(?:n't|'t)?",
    ),
}
_KINDS = tuple((kind, re.compile(rf"(?:{'|'.join(found)})\b")) for kind, found in _BEGINNINGS.items())


def kind_of(text: str) -> str:
    """The kind of a question in lower case, without what politeness puts before it; `none` where it does not say."""
    return next((kind for kind, pattern in _KINDS if pattern.match(text)), "none")
