"""Plain text and Markdown: the file as it is."""

from __future__ import annotations

import codecs

from mixture.retrieval.reading.unreadable import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(data: bytes, most: int) -> str:
    """The text: UTF-8, or what the byte order mark says, or else Latin-1. Raises Unreadable for what is no text."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, errors="replace")
    if b"\0" in data[:8_192]:
        raise Unreadable("it holds bytes that no text has: is it a file of another kind?")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
