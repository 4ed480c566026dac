from __future__ import annotations

import pytest

from mixture.retrieval import Document, passages, plain, sentences
from mixture.retrieval.documents import own

TEXT = """# Guide

First sentence here, e.g. this one. Second sentence is
wrapped over two lines! A third one follows?

## Lists

- an item without a full stop
- another item that goes
  on in the next line. And a second sentence in it.

> quoted words are text too

| name | what it is |
|---|---|
| `voting` | asks several experts the same |

```python
print("Code is not prose. It is left out.")
```

### Deep

Dr. Smith met J. Doe in St. Ives. They talked for hours.
"""


def texts(document: Document) -> list[str]:
    return [span.text for span in sentences(document)]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_span_stands_where_it_says(newline: str) -> None:
    document = Document("guide.md", TEXT.replace("\n", newline))
    for span in sentences(document) + passages(document):
        assert document.text[span.offset : span.offset + len(span.text)] == span.text
        assert span.source == "guide.md"
        assert span.text.strip() == span.text or "\n" in span.text


def test_sentences_of_markdown() -> None:
    assert texts(Document("guide.md", TEXT)) == [
        "First sentence here, e.g. this one.",
        "Second sentence is\nwrapped over two lines!",
        "A third one follows?",
        "an item without a full stop",
        "another item that goes\n  on in the next line.",
        "And a second sentence in it.",
        "quoted words are text too",
        "name | what it is",
        "`voting` | asks several experts the same",
        "Dr. Smith met J. Doe in St. Ives.",
        "They talked for hours.",
    ]


def test_headings_are_kept_as_a_path() -> None:
    found = {span.text: span.heading for span in sentences(Document("guide.md", TEXT))}
    assert found["A third one follows?"] == "Guide"
    assert found["an item without a full stop"] == "Guide > Lists"
    assert found["They talked for hours."] == "Guide > Lists > Deep"


def test_passages_join_neighbours_under_one_heading_and_hold_code() -> None:
    found = passages(Document("guide.md", TEXT))
    assert [span.heading for span in found] == ["Guide", "Guide > Lists", "Guide > Lists > Deep"]
    assert "print(" in found[1].text


def test_a_text_without_stops_is_cut_where_words_end() -> None:
    document = Document("long.txt", "word " * 2_000)
    found = sentences(document)
    assert max(len(span.text) for span in found) <= 1_200
    assert " ".join(span.text for span in found).split() == document.text.split()


NOTHING = ["", "\n\n", "# only a heading", "```\nopen fence. It never ends. At all.", "---", "Hi."]


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_to_quote(text: str) -> None:
    assert texts(Document("x.md", text)) == []


def test_plain_leaves_what_is_said() -> None:
    assert plain("**Bold** `code` [a link](http://x.y/z)\n> and  more | cells") == "Bold code a link and more cells"


def test_our_own_documents_are_split_exactly() -> None:
    documents = own()
    assert "docs/architecture.md" in {document.source for document in documents}
    for document in documents:
        for span in sentences(document) + passages(document):
            assert document.text[span.offset : span.offset + len(span.text)] == span.text
