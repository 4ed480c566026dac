"""What a process says of itself, in the server's log."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixture.logs import write_log

ours = logging.getLogger("mixture")


@pytest.fixture(autouse=True)
def bare() -> Iterator[None]:
    """The logger as it was before a process had called `write_log`."""
    handlers, level = ours.handlers, ours.level
    ours.handlers = []
    yield
    ours.handlers, ours.level = handlers, level


def test_records_are_lines_with_what_said_them_and_faults_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"
    listener = write_log("ledger", {"MIXTURE_LOG_PATH": str(file)})
    assert write_log("again", {"MIXTURE_LOG_PATH": str(file)}) is None
    logging.getLogger("mixture.ledger").warning("the database failed: %s", "\ud800 it is gone")
    logging.getLogger("mixture.ledger").debug("nobody wants to know")
    logging.getLogger("another").warning("not ours")
    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger("mixture").exception("a defect")
    assert listener is not None
    atexit.unregister(listener.stop)
    listener.stop()
    warning, fault = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (warning["level"], warning["process"]) == ("warning", "ledger")
    assert warning["message"].startswith("the database failed: ")
    assert fault["level"] == "error"
    assert fault["exception"].endswith("KeyError: 'missing'")


def test_a_file_that_can_not_be_opened_stops_nobody(tmp_path: Path) -> None:
    assert write_log("gateway", {"MIXTURE_LOG_PATH": str(tmp_path / "no" / "folder")}) is None
    assert ours.handlers == []
