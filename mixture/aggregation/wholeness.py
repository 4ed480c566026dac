"""Whether a text is whole: not cut in the middle, its code fences closed, its code readable."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

LONG = 300
"""Characters from which a text is expected to end its last sentence."""
MOST_CODE = 100_000
"""Characters of a block of code that are parsed."""

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#.-]*)[^\n`]*$", re.MULTILINE)
_ENDED = re.compile(r"[.!?:;\u2026\u3002\uff01\uff1f)\]}\"'\u201d\u2019\u00bb`*_|>$%\d]\s*$")
_SENTENCE = re.compile(r"[.!?\u3002\uff01\uff1f][\"')\u201d\u2019]?(?:\s|$)")
_PROSE = re.compile(r"^[^\W\d_](?!.*\|).*$")
_OPEN_END = re.compile(
    r"(?:[,(\[{\u2014-]|\b(?:the|an?|of|to|and|or|in|on|with|for|is|are|was|by|that|which|from|as|at|because|between|"
    r"der|die|das|und|mit|le|la|les|de|et|el|los|y|que))$"
)
PYTHON = ("python", "py", "python3")
_CODE_WANTED = re.compile(
    r"\b(?:code|function|script|program|snippet|implement\w*|python|class|algorithm|unit tests?)\b", re.IGNORECASE
)


def cut(text: str) -> str | None:
    """How one sees that `text` was cut off, in words; None when one does not."""
    if _open_fence(text):
        return "a block of code is not closed"
    body = text.rstrip()
    last = body.rpartition("\n")[2].strip()
    if len(body) < LONG or _ENDED.search(body) or not _PROSE.match(last) or "```" in body[-20:]:
        return None
    said = len(_SENTENCE.findall(body))
    rest = _SENTENCE.split(last)[-1].split()
    # One who has ended all sentences but this one, which is no line of a list, was stopped in it.
    if _OPEN_END.search(last) or (said >= 3 and len(last) > len(" ".join(rest)) and len(rest) >= 2):
        return "it ends in the middle of a sentence"
    return None


def _open_fence(text: str) -> bool:
    opened = ""
    for match in _FENCE.finditer(text):
        fence, language = match.groups()
        if not opened:
            opened = fence
        elif fence[0] == opened[0] and len(fence) >= len(opened) and not language:
            opened = ""
    return bool(opened)


def broken_code(text: str, question: str) -> str | None:
    """What is wrong with the Python in `text`, in words, when `question` asks for code; None when nothing is seen."""
    if _CODE_WANTED.search(question) is None:
        return None
    python = [code for language, code in blocks(text) if language in PYTHON]
    longest = max(python, key=len, default="")
    fault = _fault(longest)
    return None if fault is None else f"its Python does not parse ({fault})"


def blocks(text: str) -> list[tuple[str, str]]:
    """The closed blocks of code, each with its language in lower case."""
    found, opened = [], None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[1][0] == opened[1][0] and not match[2]:
            found.append((opened[2].lower(), text[opened.end() : match.start()]))
            opened = None
    return found


def _fault(code: str) -> str | None:
    lines = [line.lstrip() for line in code.splitlines()]
    if (
        not code.strip()
        or len(code) > MOST_CODE
        or any(line.startswith((">>>", "!", "%", "$ ", "In [")) for line in lines)
    ):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(textwrap.dedent(code))
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return "it can't be read"
    return None
