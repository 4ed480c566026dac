"""What must be in the environment before Ray is imported, and the ports and files of one server."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from commands import haproxy

STATS_PORT, METRICS_PORT, FALLBACK_PORT = 8404, 9101, 8500
"""Further ports of a server, the first two of which HAProxy opens on all interfaces; the next free ones are taken."""

GONE = {
    # A machine that vanished closes no connection. The head takes a node for gone that has not answered five times: its
    # replicas are started elsewhere after about twenty seconds in place of a minute.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    # What is sent to such a machine fails after ten seconds without an acknowledgement of its kernel, not after 120.
    "RAY_grpc_client_keepalive_timeout_ms": "10000",
    # HAProxy turns to another gateway when one does not take a connection for two seconds, not five.
    "RAY_SERVE_HAPROXY_TIMEOUT_CONNECT_S": "2",
}


def for_ray(folder: Path, held: Held, with_haproxy: bool, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for a server that keeps its files in `folder`. What the user has set himself is left alone."""
    variables = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Ray's own ports are open to the network, whatever address we listen on: nobody may use them without this.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "SERVE_SOCKET_REUSE_PORT_ENABLED": "1",  # so that ports can be held until Serve opens them
        # Ray drains a gateway for half a minute by default; a server on one machine is stopped faster than that.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        # A proxy that is not ready by then is ended and started anew, which on a busy machine would go on for ever.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",
        # Ray runs its workers at a low priority, for batch work beside a desktop; here they are what clients wait for.
        "RAY_worker_niceness": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        **GONE,
        "TOKENIZERS_PARALLELISM": "false",
        "MIXTURE_FIXED_CLUSTER": "1",  # this machine is all there is: no place here is no place at all
    }
    if with_haproxy:
        # The folder's name is short: Ray adds a long one to it, and a socket's path has at most 97 bytes.
        variables |= _for_haproxy(folder / "h", held)
    return {name: value for name, value in variables.items() if name not in environ}


def _for_haproxy(folder: Path, held: Held) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    everywhere = "0.0.0.0"  # noqa: S104  HAProxy opens its own ports there, so there they must be free
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(haproxy.write(folder / "haproxy")),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        # Ray counts requests in Python from a log line each; the gateway logs and counts them itself.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        # Where HAProxy turns when no gateway is there; nothing but this server may use it.
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(held.first_free("127.0.0.1", FALLBACK_PORT)),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(held.first_free(everywhere, STATS_PORT)),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(held.first_free(everywhere, METRICS_PORT)),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, os.cpu_count() or 1)),
    }


class Held:
    """Ports that are kept for this server from the moment they are chosen, so that two servers that are started
    together do not choose the same.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def hold(self, host: str, port: int) -> None:
        """Keep a port: Serve, which shares ports, can open it, and nobody else. Raises OSError when it is in use."""
        kept = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not count
            kept.bind((host, port))
        except OSError:
            kept.close()
            raise
        if sys.platform != "linux":
            kept.close()
            return
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._sockets.append(kept)

    def first_free(self, host: str, first: int) -> int:
        """Keep the first free port from `first` on, and return it. Raises OSError when a thousand are in use."""
        for port in range(first, min(first + 1000, 65536)):
            with suppress(OSError):
                self.hold(host, port)
                return port
        raise OSError(f"no free port from {first} on")

    def release(self) -> None:
        """Let go of all of them."""
        while self._sockets:
            self._sockets.pop().close()


def free_port(host: str, first: int) -> int:
    """The first port from `first` on that is free on `host` now. Raises OSError when a thousand are not."""
    held = Held()
    try:
        return held.first_free(host, first)
    finally:
        held.release()
