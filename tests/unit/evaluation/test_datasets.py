"""Rows with stable positions, from files of three kinds; what is no row is told."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixture.evaluation import datasets
from mixture.evaluation.datasets import DatasetError, rows, survey
from mixture.evaluation.items import Broken


def read(path):
    return [pair for shard in survey(path).shards for pair in rows(shard)]


def test_lines_keep_their_positions_over_shards_and_files(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "LINES", 3)
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"n": number}) for number in range(7)) + "\n\n")
    (tmp_path / "b.ndjson").write_text('{"n": 8}\n')
    (tmp_path / "notes.txt").write_text("not data")
    found = survey(tmp_path)
    assert [(shard.first, shard.rows) for shard in found.shards] == [(0, 3), (3, 3), (6, 2), (8, 1)]
    assert [(position, row["n"]) for position, row in read(tmp_path)] == [*zip(range(7), range(7), strict=True), (8, 8)]
    assert found.rows == 9


def test_what_is_no_object_is_told_where_it_stands(tmp_path):
    lines = ['{"a": 1}', "{broken", "[1, 2]", "null", '"text"', "7", "\ufeff" + '{"a": 2}', "[" * 100_000]
    (tmp_path / "x.jsonl").write_bytes("\n".join(lines).encode() + b'\n{"a": "\xff"}')
    found = read(tmp_path / "x.jsonl")
    assert [position for position, _ in found] == list(range(9))
    assert [type(row) for _, row in found] == [dict, *[Broken] * 5, dict, Broken, Broken]
    assert found[2][1].why == "not a JSON object but a list"


def test_tables_in_csv(tmp_path):
    text = '\ufeffq,a\n"one\nline, more",1\nshort\n\n"two","2"\na,b,c\n'
    (tmp_path / "x.csv").write_text(text)
    found = read(tmp_path / "x.csv")
    assert found[0] == (0, {"q": "one\nline, more", "a": "1"})
    assert found[1] == (1, Broken(1, "1 fields where the header has 2"))
    assert found[2] == (2, {"q": "two", "a": "2"})
    assert isinstance(found[3][1], Broken)
    assert survey(tmp_path / "x.csv").rows == 4
    (tmp_path / "x.tsv").write_text("q\ta\n1\t2\n")
    assert read(tmp_path / "x.tsv") == [(0, {"q": "1", "a": "2"})]


def test_parquet_by_row_groups(tmp_path):
    pq.write_table(pa.table({"n": list(range(10)), "m": [[1]] * 10}), tmp_path / "x.parquet", row_group_size=4)
    found = survey(tmp_path / "x.parquet")
    assert [(shard.start, shard.first) for shard in found.shards] == [(0, 0), (1, 4), (2, 8)]
    assert [(position, row["n"]) for position, row in read(tmp_path / "x.parquet")] == [(n, n) for n in range(10)]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_pieces_are_the_whole(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(datasets, "ROWS", 3)
    file = tmp_path / f"x.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"n": list(range(23))}), file, row_group_size=10)
    else:
        lines = [json.dumps({"n": number}) for number in range(23)] if kind == "jsonl" else ["n", *map(str, range(23))]
        file.write_text("\n".join(lines) + "\n")
    pieces = datasets.cut(survey(file), 4)
    assert all(piece.rows <= 4 for piece in pieces)
    found = [(position, int(row["n"])) for piece in pieces for position, row in rows(piece)]
    assert found == [(number, number) for number in range(23)]


def test_a_digest_knows_every_byte(tmp_path):
    file = tmp_path / "x.jsonl"
    file.write_text('{"a": 1}')
    before = survey(file).digest
    file.write_text('{"a": 2}')
    assert survey(file).digest != before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.jsonl", None, "there is no such file"),
        ("x.xlsx", b"x", "a file that ends in .parquet"),
        ("x.parquet", b"not parquet", "not readable as parquet"),
        ("x.csv", b"", "a header"),
    ],
)
def test_datasets_that_are_none(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        survey(tmp_path / name)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DatasetError, match="in this folder"):
        survey(tmp_path)
