"""Word documents: paragraphs, headings, lists and tables."""

from __future__ import annotations

import re
import zipfile
from io import BytesIO
from typing import Any

from mixture.retrieval.reading.marks import row
from mixture.retrieval.reading.unreadable import Unreadable

_HEADING = re.compile(r"(?:Heading|heading) (\d)$")


def read(data: bytes, most: int) -> str:
    """The text. Raises Unreadable for a file that is damaged, encrypted, or unpacks to more than `most` bytes."""
    _check(data, most)
    from docx import Document

    try:
        document = Document(BytesIO(data))
        return "\n\n".join(part for item in document.iter_inner_content() for part in _marked(item))
    except Exception as error:  # python-docx raises whatever a damaged file makes it stumble over
        raise Unreadable(f"it is damaged, or no Word document ({type(error).__name__})") from None


def _check(data: bytes, most: int) -> None:
    """Look at how large it is before anything is unpacked: a small file can hold petabytes."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        encrypted = data.startswith(b"\xd0\xcf\x11\xe0")
        why = "it is encrypted, or of Word 2003 or older" if encrypted else "it is damaged, or no Word document"
        raise Unreadable(why) from None
    if size > most:
        raise Unreadable(f"it unpacks to {size:,} bytes, and at most {most:,} are read (documents.max_file_bytes)")


def _marked(item: Any) -> list[str]:
    if hasattr(item, "rows"):
        return ["\n".join(row(cell.text for cell in one.cells) for one in item.rows)]
    text = item.text.strip()
    style = item.style.name if item.style is not None else ""
    heading = _HEADING.match(style)
    if not text:
        return []
    if heading or style == "Title":
        return [f"{'#' * (min(6, int(heading.group(1))) if heading else 1)} {text}"]
    return [f"- {text}" if style.startswith("List") else text]
