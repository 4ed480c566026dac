"""PDF: the text of its pages, each under its number."""

from __future__ import annotations

import logging
import time
from io import BytesIO

from mixture.retrieval.reading.unreadable import Unreadable

SECONDS = 120.0
"""Time for one file: some are made to take for ever."""


def read(data: bytes, most: int) -> str:
    """The text. Raises Unreadable for a file that is damaged, encrypted, scanned, or takes too long."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # it has a warning for every fault that it mends
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is encrypted: take the password off")
        pages = _pages(reader, most)
    except Unreadable:
        raise
    except Exception as error:  # pypdf raises whatever a damaged file makes it stumble over
        raise Unreadable(f"it is damaged, or no PDF ({type(error).__name__})") from None
    if not any(text.strip() for text in pages):
        raise Unreadable("there is no text in it: pages that were scanned have to be read by OCR first")
    return "\n\n".join(f"# Page {number}\n\n{text.strip()}" for number, text in enumerate(pages, 1) if text.strip())


def _pages(reader: object, most: int) -> list[str]:
    texts: list[str] = []
    size, until = 0, time.monotonic() + SECONDS
    for page in reader.pages:  # type: ignore[attr-defined]
        texts.append(page.extract_text())
        size += len(texts[-1])
        if size > most:
            raise Unreadable(f"the text in it is longer than {most:,} characters (documents.max_file_bytes)")
        if time.monotonic() > until:
            raise Unreadable(f"reading it takes longer than {SECONDS:g} s")
    return texts
