from __future__ import annotations

import io
import zipfile
from pathlib import Path

import docx
import pytest
from pypdf import PdfWriter

from mixture.retrieval.reading import Unreadable, read
from mixture.retrieval.splitting import LONGEST, Document, passages

MOST = 1_000_000
HTML = (
    b"<title>T</title><nav>menu</nav><h2>Sub</h2><p>Hello <b>you</b>.<ul><li>one</ul><pre>if x:\n    y</pre>"
    b"<script>evil()</script>"
)


def zipped(size: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("word/document.xml", b"0" * size)
    return data.getvalue()


def pdf(password: str | None = None) -> bytes:
    writer, data = PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    if password:
        writer.encrypt(password)
    writer.write(data)
    return data.getvalue()


def word() -> bytes:
    document, data = docx.Document(), io.BytesIO()
    document.add_heading("Holidays", 1)
    document.add_paragraph("Thirty days a year.")
    document.add_paragraph("with pay", style="List Bullet")
    table = document.add_table(1, 2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "May", "1"
    document.save(data)
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.txt", b"caf\xe9", "café"),
        ("a.txt", "\ufeffBOM".encode(), "BOM"),
        ("a.md", b"# A\n\nb", "# A\n\nb"),
        ("a.csv", b'name,age\nBob,3\n"Al, x",4\n', "- name: Bob; age: 3\n- name: Al, x; age: 4"),
        ("a.tsv", b"name\tage\nBob\t3\n", "- name: Bob; age: 3"),
        ("a.docx", word(), "# Holidays\n\nThirty days a year.\n\n- with pay\n\n| May | 1 |"),
        (
            "a.html",
            HTML,
            "# T\n\n## Sub\n\nHello you.\n\n- one\n\n```\nif x:\n    y\n```",
        ),
        (
            "a.py",
            b"import x\n\n@d\ndef f(a):\n    return a\n",
            "```\nimport x\n```\n\n# def f, line 4\n\n```\n@d\ndef f(a):\n    return a\n```",
        ),
        ("a.go", b"func (s *S) Run() {}\nfunc Go() {}", "# func Go, line 2"),
    ],
)
def test_structure_becomes_marks(name: str, data: bytes, expected: str) -> None:
    text = read(data, name, MOST)
    assert expected in text if name == "a.go" else text == expected


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.exe", b"MZ", "files of this kind are not read"),
        ("a.txt", b"\0\1", "bytes that no text has"),
        ("a.txt", b"a" * (MOST + 1), "has 1,000,001 bytes"),
        ("a.pdf", b"%PDF-1.4 and then nothing", "damaged"),
        ("a.pdf", pdf("secret"), "encrypted"),
        ("a.pdf", pdf(), "no text in it"),
        ("a.docx", b"junk", "damaged"),
        ("a.docx", b"\xd0\xcf\x11\xe0 locked", "encrypted"),
        ("a.docx", zipped(MOST + 1), "unpacks to 1,000,001 bytes"),
        ("a.csv", b"a\n" + b"x" * 200_000, "can't be read as a table"),
    ],
)
def test_what_can_t_be_read_says_why(name: str, data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(data, name, MOST)


@pytest.mark.parametrize(
    "text", ["word " * 5_000, "x" * 5_000, "A sentence. " * 500, "```\n" + "a = 1\n" * 900 + "```"]
)
def test_nothing_is_lost_and_nothing_too_long(text: str) -> None:
    spans = passages(Document("a", text))
    assert all(len(span.text) <= LONGEST and text[span.offset :].startswith(span.text) for span in spans)
    assert "".join("".join(span.text for span in spans).split()) == "".join(text.split())


def test_this_file_is_split_by_its_definitions() -> None:
    text = read(Path(__file__).read_bytes(), "test_reading.py", MOST)
    headings = {span.heading.partition(",")[0] for span in passages(Document("a", text))}
    assert {"def zipped", "def pdf", "def word"} <= headings
