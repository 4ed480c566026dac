"""What the columns of a dataset mean: the layouts of known benchmarks, or a mapping of the user's own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item, RowFault
from mixture.types import Message, Role

Row = Mapping[str, Any]

ROLES = ("prompt", "messages", "reference", "domain", "item", "tests", "entry_point", "schema")
"""What a column can be mapped to."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Fields:
    """What a layout makes of a row."""

    prompt: str | tuple[Message, ...]
    reference: str | None = None
    domain: str = ""
    id: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)


Read = Callable[[Row], Fields]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a dataset's rows are read, and the scorer that fits them. `template` is a text with `{prompt}` in it that
    is asked in place of the prompt; `system` a system message.
    """

    name: str
    read: Read
    scorer: str
    template: str | None = None
    system: str | None = None

    def item(self, position: int, row: Row) -> Item:
        """The item that a row is. Raises RowFault."""
        found = self.read(row)
        messages = found.prompt if isinstance(found.prompt, tuple) else (Message("user", self._filled(found.prompt)),)
        if self.system is not None:
            messages = (Message("system", self.system), *messages)
        name = found.id or _digest(messages)
        return Item(position, name, messages, found.reference, found.domain, found.extras)

    def _filled(self, prompt: str) -> str:
        return prompt if self.template is None else self.template.replace("{prompt}", prompt)


def _digest(messages: Sequence[Message]) -> str:
    text = "\x1e".join(f"{message.role}\x1f{message.text}" for message in messages)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def text(row: Row, *names: str) -> str:
    """The first of these columns that says something, as text. Raises RowFault naming them when none does."""
    for name in names:
        value = row.get(name)
        if value is None or value != value:
            continue
        if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
            raise RowFault(f"{name}: a text is expected, not {type(value).__name__}")
        if (said := str(value)).strip():
            return _unicode(said, name)
    raise RowFault(f"{names[0]}: missing or empty" + (f" (nor is there {', '.join(names[1:])})" if names[1:] else ""))


def _unicode(said: str, name: str) -> str:
    try:
        said.encode()
    except UnicodeEncodeError:
        raise RowFault(f"{name}: half of a surrogate pair is no text") from None
    return said


def word(row: Row, *names: str) -> str:
    """The first of these columns that says something; empty when none does."""
    try:
        return text(row, *names)
    except RowFault:
        return ""


def options(row: Row, *names: str) -> list[str]:
    """A list of possible answers, which may stand in the column as JSON text. Raises RowFault."""
    value = next((row[name] for name in names if row.get(name) is not None), None)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise RowFault(f"{names[0]}: a list is expected, or one as JSON text") from None
    if not isinstance(value, Sequence) or isinstance(value, str) or not 2 <= len(value) <= len(LETTERS):
        raise RowFault(f"{names[0]}: a list of 2 to {len(LETTERS)} possible answers is expected")
    return [str(option) for option in value]


def lettered(question: str, given: Sequence[str]) -> str:
    """A question with its possible answers, a line and a letter each."""
    return question + "".join(f"\n{letter}. {option}" for letter, option in zip(LETTERS, given, strict=False))


def letter(value: Any, given: Sequence[str], name: str) -> str:
    """The letter of the right answer, from a letter, a place (from 0) or the answer itself. Raises RowFault."""
    said = str(value).strip()
    if isinstance(value, int) or said.isdigit():
        place = int(said)
    elif len(said) == 1 and said.upper() in LETTERS:
        place = LETTERS.index(said.upper())
    else:
        place = given.index(said) if said in given else -1
    if not 0 <= place < len(given):
        raise RowFault(f"{name}: {said[:40]!r} is none of the {len(given)} possible answers")
    return LETTERS[place]


def _gsm8k(row: Row) -> Fields:
    """OpenAI's `question` and `answer`, which ends in `#### 18`; or a `gold` of its own."""
    gold = text(row, "gold", "answer").rpartition("####")[2].strip().lstrip("# ")
    return Fields(text(row, "question"), gold, word(row, "domain") or "gsm8k", word(row, "id", "item"))


_BOX = re.compile(r"\\boxed\s*\{")


def _math(row: Row) -> Fields:
    """`problem` and its `answer`, or a `solution` with the answer in a box; `type` or `subject` is the domain."""
    from mixture.aggregation.answers import stated

    gold = word(row, "answer", "gold")
    if not gold:
        solution = text(row, "solution", "answer")
        if _BOX.search(solution) is None:
            raise RowFault("solution: there is no \\boxed answer in it")
        gold = stated(solution)
    domain = word(row, "type", "subject", "domain") or "math"
    return Fields(text(row, "problem", "question"), gold, domain, word(row, "unique_id", "id", "item"))


def _mmlu(row: Row) -> Fields:
    """`question`, `choices`, `answer` (a place from 0, or a letter) and `subject`."""
    given = options(row, "choices", "options")
    right = letter(row.get("answer"), given, "answer")
    return Fields(
        lettered(text(row, "question"), given), right, word(row, "subject", "domain"), word(row, "id", "item")
    )


def _mmlu_pro(row: Row) -> Fields:
    """`question`, `options`, `answer` (a letter) or `answer_index`, and `category`."""
    given = [option for option in options(row, "options", "choices") if option != "N/A"]
    right = letter(row.get("answer", row.get("answer_index")), given, "answer")
    name = word(row, "question_id", "id", "item")
    return Fields(lettered(text(row, "question"), given), right, word(row, "category", "domain"), name)


def _code(row: Row) -> Fields:
    """HumanEval's `prompt`, `test` and `entry_point`; or MBPP's `text` and `test_list`."""
    tests = row.get("test_list") or row.get("test") or row.get("tests")
    if not tests:
        raise RowFault("test: missing or empty (nor is there test_list)")
    body = "\n".join(map(str, tests)) if isinstance(tests, list | tuple) else str(tests)
    extras = {"tests": body, "entry_point": word(row, "entry_point"), "stub": word(row, "prompt")}
    reference = word(row, "canonical_solution", "code") or None
    return Fields(text(row, "prompt", "text"), reference, word(row, "domain") or "code", word(row, "task_id"), extras)


def _pairs(row: Row) -> Fields:
    """AlpacaEval's `instruction` and the `output` to compare with; `dataset` is the domain."""
    prompt = text(row, "instruction", "prompt")
    return Fields(prompt, text(row, "output", "reference"), word(row, "dataset", "domain"), word(row, "id", "item"))


def _plain(columns: Mapping[str, str]) -> Read:
    """Columns by what they mean; each is called as its meaning where nothing else is said."""
    named = {role: columns.get(role, role) for role in ROLES}

    def read(row: Row) -> Fields:
        said = row.get(named["messages"])
        prompt = text(row, named["prompt"]) if said is None else messages_of(said, named["messages"])
        reference = word(row, named["reference"]) or None
        if "reference" in columns and reference is None:
            raise RowFault(f"{named['reference']}: missing or empty")
        extras = {role: row[named[role]] for role in ("tests", "entry_point", "schema") if row.get(named[role])}
        return Fields(prompt, reference, word(row, named["domain"]), word(row, named["item"]), extras)

    return read


def messages_of(value: Any, name: str) -> tuple[Message, ...]:
    """Messages in OpenAI's form, which may be JSON text. Raises RowFault."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise RowFault(f"{name}: messages, or messages as JSON text, are expected") from None
    found = []
    for one in value if isinstance(value, list | tuple) else ():
        role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise RowFault(f"{name}: each message needs a `role` and a `content` of text")
        found.append(Message(cast("Role", role), content))
    if not any(message.role == "user" for message in found):
        raise RowFault(f"{name}: at least one message of the user is expected")
    return tuple(found)


LAYOUTS: Mapping[str, Layout] = {
    "gsm8k": Layout("gsm8k", _gsm8k, "numeric"),
    "math": Layout("math", _math, "math"),
    "mmlu": Layout("mmlu", _mmlu, "choice"),
    "mmlu-pro": Layout("mmlu-pro", _mmlu_pro, "choice"),
    "code": Layout("code", _code, "code"),
    "pairs": Layout("pairs", _pairs, "judge"),
}


def layout_of(
    name: str | None, columns: Mapping[str, str], *, template: str | None = None, system: str | None = None
) -> Layout:
    """The layout of this name; without one, `columns` by what they mean. Raises InvalidQuery."""
    unknown = sorted(set(columns) - set(ROLES))
    if unknown:
        raise InvalidQuery(f"unknown meaning {unknown[0]!r}; known: {', '.join(ROLES)}", param="column")
    if name is not None and name not in LAYOUTS:
        raise InvalidQuery(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}", param="layout")
    if name is not None and columns:
        raise InvalidQuery(f"the layout {name!r} says what columns mean: leave out either", param="column")
    if template is not None and "{prompt}" not in template:
        raise InvalidQuery("a template needs `{prompt}` where the prompt goes", param="template")
    found = Layout("plain", _plain(columns), "exact") if name is None else LAYOUTS[name]
    return replace(found, template=template, system=system)
