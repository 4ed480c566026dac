"""The outcome log that feedback is appended to: JSON lines that `mixture calibrate` reads."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from mixture.config import ConfigError
from mixture.feedback.notes import Answering, Note, Remembered

NAME = "outcomes.jsonl"


class Journal:
    """Appends to `outcomes.jsonl` in a folder, a line a note, each written whole. With `prompts` the request's text is
    part of the line, and the user's correction: without it the log can't be calibrated from.
    """

    def __init__(self, folder: Path, *, prompts: bool) -> None:
        self.path = folder / NAME
        self._prompts = prompts
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
        except OSError as error:
            raise ConfigError(
                f"feedback.folder: {folder}: {error.strerror or error}", param="feedback.folder"
            ) from None

    def add(self, request: Remembered, note: Note, part: Answering | None, learned: bool) -> None:
        """Append a line. Raises OSError when the disk does not take it."""
        line: dict[str, Any] = {
            "item": f"{request.owner}/{request.request_id}",
            "at": round(time.time(), 3),
            "strategy": request.strategy,
            "expert": note.expert or request.writer,
            "score": note.score,
            "learned": learned,
        }
        if part is not None:
            line |= {
                "prompt_tokens": part.prompt_tokens,
                "completion_tokens": part.completion_tokens,
                "cost_usd": part.cost_usd,
                "latency_s": round(part.latency_s, 4),
            }
        if self._prompts:
            line |= {"prompt": request.prompt, "correction": note.correction}
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)
