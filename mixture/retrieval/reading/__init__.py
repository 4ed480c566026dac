"""Files of all kinds, read as text whose structure Markdown's marks show: headings, lists, tables, code.

A reader is a function `(data, most) -> text`, a file a kind; what it needs is imported when it is first used. What is
in a file is not trusted: what can't be read, or would come out larger than `most` bytes, is `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import PurePath

from mixture.retrieval.reading.unreadable import Unreadable

__all__ = ["KINDS", "Unreadable", "kind_of", "read"]

Reader = Callable[[bytes, int], str]

_CODE = (
    ".c .cc .cpp .cs .css .cu .dart .el .ex .exs .go .h .hpp .hs .java .jl .js .json .jsx .kt .kts .lua .m .ml "
    ".php .pl .proto .ps1 .py .pyi .r .rb .rs .scala .sh .sql .svelte .swift .tf .toml .ts .tsx .vue .xml "
    ".yaml .yml .zig .ini .cfg"
)
KINDS: Mapping[str, str] = {
    **dict.fromkeys((".md", ".markdown", ".rst", ".txt", ".text", ".log", ".adoc"), "text"),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    **dict.fromkeys((".csv", ".tsv"), "table"),
    **dict.fromkeys(_CODE.split(), "code"),
    ".pdf": "pdf",
    ".docx": "docx",
}
"""The kind of each file name's ending that is read."""


def kind_of(name: str) -> str | None:
    """What kind of file `name` is, by its ending; None for a kind that is not read."""
    return KINDS.get(PurePath(name).suffix.lower())


def read(data: bytes, name: str, most: int) -> str:
    """The text of a file named `name`. Raises Unreadable, with the reason in words."""
    kind = kind_of(name)
    if kind is None:
        raise Unreadable(f"files of this kind are not read; those that are: {', '.join(sorted(KINDS))}")
    if len(data) > most:
        raise Unreadable(f"it has {len(data):,} bytes, and at most {most:,} are read (documents.max_file_bytes)")
    reader: Reader = import_module(f"mixture.retrieval.reading.{kind}").read
    text = reader(data, most)
    if len(text) > most:
        raise Unreadable(f"the text in it is longer than {most:,} characters (documents.max_file_bytes)")
    return text.replace("\0", " ")
