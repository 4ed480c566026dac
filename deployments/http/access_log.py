"""The request log: one line a request, readable on a terminal, JSON elsewhere. Never a key; prompts only when asked."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import orjson

from deployments.http.exchange import Exchange
from mixture.api.parsing import shown
from mixture.logs import descriptor_of

GATHER = 0.05
"""Seconds for which lines are gathered before they are written together."""
_LONGEST = 4_000

Line = Callable[[Mapping[str, Any]], str]


class AccessLog:
    """Writes lines to a file descriptor from a thread of its own, so that a terminal that stands still stops nobody."""

    def __init__(self, descriptor: int, line: Line) -> None:
        self._descriptor = descriptor
        self._line = line
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._batches: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._thread.start()

    def add(self, fields: Mapping[str, Any]) -> None:
        """Log one request."""
        self._lines.append(self._line(fields))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER, self.flush)

    def flush(self) -> None:
        """Hand over what was gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            text = "\n".join(self._lines) + "\n"
            self._lines.clear()
            self._batches.put(text.encode("utf-8", "replace"))

    def close(self) -> None:
        """Write what is left and end."""
        self.flush()
        self._batches.put(None)
        self._thread.join(timeout=2.0)

    def _write(self) -> None:
        while (batch := self._batches.get()) is not None:
            while batch:
                try:
                    batch = batch[os.write(self._descriptor, batch) :]
                except OSError:  # nobody reads it any more; a log is no reason to fail
                    break


def open_log(mode: Literal["auto", "json", "text", "off"], environ: Mapping[str, str]) -> AccessLog | None:
    """The log that `mode` asks for: to the file (or the terminal of `mixture serve`) that MIXTURE_LOG_PATH names, else
    to standard error. Raises OSError when that file can't be opened.
    """
    if mode == "off":
        return None
    descriptor = descriptor_of(environ)
    text = mode == "text" or (mode == "auto" and os.isatty(descriptor))
    return AccessLog(descriptor, text_line if text else json_line)


def fields_of(exchange: Exchange) -> dict[str, Any]:
    """What the log says of a request."""
    trace = exchange.trace
    report = exchange.report or trace.report()
    fields: dict[str, Any] = {
        "time": time.time(),
        "id": exchange.id,
        "method": exchange.method,
        "path": shown(exchange.path, 128),
        "status": exchange.status,
        "ms": round((time.perf_counter() - exchange.started) * 1e3, 2),
    }
    if exchange.model is not None:
        fields |= {
            "model": shown(exchange.model, 128),
            "strategy": trace.executed or None,
            "stream": exchange.stream,
            "cache": trace.cache,
            "route": list(trace.route.experts) if trace.route else None,
            "why": shown(trace.route.why, 200) if trace.route else None,
            "experts": [f"{call.expert}:{call.outcome}" for call in trace.calls],
            "prompt_tokens": report.usage.prompt_tokens,
            "completion_tokens": report.usage.completion_tokens,
            "cost_usd": report.cost_usd if report.cost_complete else None,
            "overhead_ms": round(trace.overhead_ms, 2),
        }
    if exchange.error is not None:
        fields["error"] = exchange.error
    if exchange.prompt is not None:
        fields["prompt"], fields["answer"] = exchange.prompt, exchange.answer
    return fields


def json_line(fields: Mapping[str, Any]) -> str:
    """The fields as a line of JSON."""
    return orjson.dumps(fields).decode()


def text_line(fields: Mapping[str, Any]) -> str:
    """The fields for a person at a terminal."""
    clock = time.strftime("%H:%M:%S", time.localtime(fields["time"]))
    parts = [clock, str(fields["status"] or "gone"), f"{fields['ms']:.0f} ms", f"{fields['method']} {fields['path']}"]
    if "model" in fields:
        parts.append(f"{fields['model']} → {fields['strategy'] or '-'}")
        parts.append(" ".join(fields["experts"]) or ("no expert" if fields["cache"] == "bypass" else fields["cache"]))
        parts.append(f"{fields['prompt_tokens']}+{fields['completion_tokens']} tokens")
        cost = fields["cost_usd"]
        parts.append("cost unknown" if cost is None else f"${cost:.6f}")
        if fields["why"]:
            parts.append(f"({fields['why']})")
    if "error" in fields:
        parts.append(f"error: {fields['error']}")
    if "prompt" in fields:
        asked, said = shown(fields["prompt"], _LONGEST), shown(fields["answer"] or "", _LONGEST)
        parts.append(f"prompt: {asked!r} answer: {said!r}")
    return "  ".join([*parts, fields["id"]])
