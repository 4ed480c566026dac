"""HTML: what a reader of the page sees, in Markdown's marks."""

from __future__ import annotations

import re
from typing import Any

from mixture.retrieval.reading.marks import fenced, row
from mixture.retrieval.reading.unreadable import Unreadable

_HIDDEN = ("script", "style", "noscript", "template", "svg", "nav", "head", "iframe", "form")
_BLOCKS = ("p", "div", "section", "article", "blockquote", "ul", "ol", "dl", "dt", "dd", "table", "figure", "header")
_KEPT = re.compile("\ue000(\\d+)\ue001")


def read(data: bytes, most: int) -> str:
    """The page's text, its title as the first heading. Raises Unreadable for what can't be taken apart."""
    from bs4 import BeautifulSoup

    try:
        page = BeautifulSoup(data, "lxml")
        title = " ".join(page.title.get_text().split()) if page.title else ""
        code = _marked(page)
        text = page.get_text()
    except (RecursionError, ValueError, AssertionError) as error:
        raise Unreadable(f"it can't be read as HTML ({type(error).__name__})") from None
    text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    text = _KEPT.sub(lambda found: code[int(found.group(1))], text)
    return f"# {title}\n\n{text}" if title and not text.startswith("# ") else text


def _marked(page: Any) -> list[str]:
    """Put Markdown's marks into `page`; the code blocks, for each of which a number in marks of its own stands."""
    for tag in page.find_all(_HIDDEN):
        tag.decompose()
    blocks = page.find_all("pre")
    code = [fenced(tag.get_text().strip("\n")) for tag in blocks]
    for number, tag in enumerate(blocks):
        tag.replace_with(f"\n\n\ue000{number}\ue001\n\n")
    for tag in page.find_all(re.compile(r"^h[1-6]$")):
        tag.replace_with(f"\n\n{'#' * int(tag.name[1])} {' '.join(tag.get_text().split())}\n\n")
    for tag in page.find_all("tr"):
        cells = [cell.get_text() for cell in tag.find_all(["td", "th"], recursive=False)]
        tag.replace_with(f"\n{row(cells)}")
    for tag in page.find_all("li"):
        tag.insert(0, "\n- ")
    for tag in page.find_all("br"):
        tag.replace_with("\n")
    for tag in page.find_all(_BLOCKS):
        tag.insert(0, "\n\n")
        tag.append("\n\n")
    return code
