"""What a server's processes have to say of themselves, where requests are logged too, and at once.

Serve takes a replica's standard error and, tuned for throughput as we run it, keeps a thousand records of it back
before it writes any: a warning would be seen hours later, or never.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import time
from collections.abc import Mapping
from contextlib import suppress
from logging.handlers import QueueHandler, QueueListener

ROOT = "mixture"
"""The logger above all of ours."""


def descriptor_of(environ: Mapping[str, str]) -> int:
    """Where to write: the file (or the terminal of `mixture serve`) that MIXTURE_LOG_PATH names, else standard error.
    Raises OSError when that file can't be opened.
    """
    path = environ.get("MIXTURE_LOG_PATH")
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    return os.open(path, flags, 0o600) if path else os.dup(2)


def write_log(who: str, environ: Mapping[str, str]) -> QueueListener | None:
    """Have all of this process's records from INFO on written as those of `who`, by a thread of its own; None where
    that is so already. Where the file can't be opened they go where they went.
    """
    logger = logging.getLogger(ROOT)
    if any(isinstance(handler, QueueHandler) for handler in logger.handlers):
        return None
    try:
        lines = Lines(descriptor_of(environ), who)
    except OSError:
        return None
    waiting: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    logger.addHandler(Queued(waiting))
    logger.setLevel(logging.INFO)
    listener = QueueListener(waiting, lines)
    listener.start()
    atexit.register(listener.stop)
    return listener


class Queued(QueueHandler):
    """Hands records over as they are: they stay in this process."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """See `QueueHandler`."""
        return record


class Lines(logging.Handler):
    """A line a record: readable on a terminal, JSON elsewhere."""

    def __init__(self, descriptor: int, who: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._who = who
        self._line = self._text if os.isatty(descriptor) else self._json

    def emit(self, record: logging.LogRecord) -> None:
        """Write it. A log that nobody reads any more is no reason to fail."""
        with suppress(OSError):
            os.write(self._descriptor, (self._line(record) + "\n").encode("utf-8", "replace"))

    def _text(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        fault = f"\n{_fault(record)}" if record.exc_info else ""
        return f"{clock} {record.levelname.lower()} ({self._who}): {record.getMessage()}{fault}"

    def _json(self, record: logging.LogRecord) -> str:
        fields = {"time": record.created, "level": record.levelname.lower(), "process": self._who}
        fields["message"] = record.getMessage()
        if record.exc_info:
            fields["exception"] = _fault(record)
        return json.dumps(fields, ensure_ascii=False)


def _fault(record: logging.LogRecord) -> str:
    return logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
