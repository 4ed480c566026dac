"""No test reads or writes what the person who runs it keeps in their home folder."""

import logging
import os
import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def home():
    """A home of the tests' own, for what they start too; one that was set stays."""
    if "MIXTURE_HOME" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mixture-home-") as folder:
        os.environ["MIXTURE_HOME"] = folder
        yield
        del os.environ["MIXTURE_HOME"]


@pytest.fixture(autouse=True)
def log_as_it_was():
    """What is made here as in a server's process writes a server's log; the next test is no such process."""
    yield
    ours = logging.getLogger("mixture")
    ours.handlers.clear()
    ours.setLevel(logging.NOTSET)
