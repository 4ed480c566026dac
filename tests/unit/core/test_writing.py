"""Files are there whole or not at all, and nothing else is left beside them."""

import json

import pytest

from mixture.writing import write_json, write_whole


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": "é"})
    write_json(path, {"a": [1]}, indent=1)
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": [1]}
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, [1])

    def fails(file):
        file.write(b"half")
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        write_whole(path, fails)
    assert json.loads(path.read_text()) == [1]
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]
