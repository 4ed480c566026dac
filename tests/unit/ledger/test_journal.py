"""The journal: what a process began and ended survives it, and is found once."""

import os
import subprocess
import sys

import pytest

from mixture.errors import Overloaded
from mixture.ledger import journal as journals
from mixture.ledger.entries import Entry
from mixture.ledger.journal import Journal, abandoned
from mixture.types import Call, Usage

CALL = Call("a", "answer", Usage(3, 4), 0.5, 1.0, "ok")


def entry(number, **more):
    return Entry(f"c-{number}", 1.0, "r", 1, "me", "expert", "a", "m", "answer", **more)


def test_calls_of_a_living_process_are_its_own(tmp_path):
    journal = Journal(tmp_path, "one")
    journal.begin(entry(1))
    assert list(abandoned(tmp_path)) == []


def test_what_was_left_behind_is_found_once(tmp_path):
    journal = Journal(tmp_path, "one")
    journal.begin(entry(1, cost_usd=0.7))
    journal.begin(entry(2))
    journal.end(entry(2).ended(CALL, 0.5))
    journal.close()
    (found,) = abandoned(tmp_path)
    assert found.name == "one"
    assert [(e.id, e.outcome, e.cost_usd) for e in found.entries] == [("c-1", "unknown", 0.7), ("c-2", "ok", 0.5)]
    assert list(abandoned(tmp_path)) == [], "it is held by whoever found it"
    found.release()
    (again,) = abandoned(tmp_path)
    again.entered()
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_was_cut_off_hides_no_other(tmp_path):
    journal = Journal(tmp_path, "one")
    journal.begin(entry(1))
    journal.close()
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id":"c-2","at"')
    (found,) = abandoned(tmp_path)
    assert [e.id for e in found.entries] == ["c-1"]


def test_files_go_when_all_of_their_calls_are_entered(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "SEGMENT", 100)
    journal = Journal(tmp_path, "one")
    for number in range(3):
        journal.begin(entry(number))
    assert len(list(tmp_path.iterdir())) == 3
    journal.booked(frozenset({"c-1", "c-2"}))
    assert [path.stat().st_size > 0 for path in sorted(tmp_path.iterdir())] == [True, False]
    journal.booked(frozenset({"c-0"}))
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_refuses_the_call(tmp_path, monkeypatch):
    journal = Journal(tmp_path, "one")
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, data[:10]))
    with pytest.raises(Overloaded, match="journal can't be written"):
        journal.begin(entry(1))
    monkeypatch.setattr(os, "write", whole)
    journal.begin(entry(2))
    journal.close()
    (found,) = abandoned(tmp_path)
    assert [e.id for e in found.entries] == ["c-2"]


DYING = """
import os, signal, sys
from pathlib import Path
from mixture.ledger.journal import Journal
from tests.unit.ledger.test_journal import CALL, entry
journal = Journal(Path(sys.argv[1]), "dying")
journal.begin(entry(1))
journal.begin(entry(2))
journal.end(entry(2).ended(CALL, 0.5))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_is_lost_with_a_process_that_is_killed(tmp_path):
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -9
    (found,) = abandoned(tmp_path)
    assert [(e.id, e.outcome) for e in found.entries] == [("c-1", "unknown"), ("c-2", "ok")]
