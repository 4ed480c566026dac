"""Server-sent events, decoded from bytes as they come.

The format is that of the HTML standard, section 9.2.6: lines end in LF, CRLF or CR, a line that begins with a colon is
a comment, an event is ended by an empty line, and the `data` lines of one event are joined by newlines.
"""

from __future__ import annotations

MOST = 8 * 1024 * 1024
"""Bytes that an unfinished event may have: an upstream that never ends its line must not fill the memory."""


class Decoder:
    """Cuts a byte stream into the data of its events; where the bytes are split makes no difference."""

    __slots__ = ("_data", "_held", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._held = 0

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that `received` completes. Raises ValueError when one is too long."""
        text, self._rest = self._rest + received, b""
        if b"\r" in text:
            text = self._plain(text)
        *lines, rest = text.split(b"\n")
        self._rest = rest + self._rest
        events = [data for line in lines if (data := self._line(line)) is not None]
        if len(self._rest) + self._held > MOST:
            raise ValueError("an event of the upstream does not end")
        return events

    def end(self) -> list[bytes]:
        """What is left when the stream is over: servers forget the last empty line."""
        last = [self._rest.rstrip(b"\r"), b""] if self._rest.strip() else [b""]
        self._rest = b""
        return [data for line in last if (data := self._line(line)) is not None]

    def _plain(self, text: bytes) -> bytes:
        if text.endswith(b"\r"):  # it may be half of a CRLF: it waits for the next bytes
            text, self._rest = text[:-1], b"\r"
        return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _line(self, line: bytes) -> bytes | None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            self._held += len(line)
        elif not line and self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._data.clear()
            self._held = 0
            return data
        return None
