"""`mixture simulate`: a stand-in for a model server, to try a configuration or a load without a model."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mixture.simulation import Service

Rate = Annotated[float | None, typer.Option(min=0.001, help="Tokens a second; as fast as possible when left out.")]


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 9000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    text: Annotated[str, typer.Option(help="What every answer says.")] = "Hello from the stand-in.",
    tokens: Annotated[int | None, typer.Option(min=1, help="Say so many numbered words instead of --text.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A name for GET /v1/models. Any name is answered.")] = None,
    api_key: Annotated[str | None, typer.Option(help="Refuse requests without this key.")] = None,
    delay: Annotated[float, typer.Option(min=0, help="Seconds before the first token.")] = 0.0,
    rate: Rate = None,
    chunk_tokens: Annotated[int, typer.Option(min=1, help="Tokens in each streamed chunk.")] = 1,
    fail: Annotated[str | None, typer.Option(help="Fail with this error, such as RateLimited or StreamBroken.")] = None,
    fail_after: Annotated[int, typer.Option(min=0, help="Break a stream off after so many tokens.")] = 0,
    fail_first: Annotated[int | None, typer.Option(min=0, help="Only the first so many requests fail.")] = None,
    fail_probability: Annotated[float, typer.Option(min=0, max=1, help="The share of requests that fail.")] = 1.0,
) -> None:
    """Run an OpenAI-compatible server that answers from a script.

    It serves POST /v1/chat/completions (plain and streamed), GET /v1/models, and GET /stats with counts of everything
    it has seen and sent. For example, an upstream of fifty tokens a second that fails one time in ten:

        mixture simulate --tokens 200 --rate 50 --fail ExpertUnavailable --fail-probability 0.1
    """
    import uvloop
    from pydantic import ValidationError

    from mixture.providers.scripted import Script
    from mixture.simulation import Service

    failure: dict[str, Any] | None = None
    if fail is not None:
        failure = {"error": fail, "after": fail_after, "calls": fail_first, "probability": fail_probability}
    said = text if tokens is None else " ".join(f"w{number}" for number in range(tokens))
    try:
        script = Script.model_validate(
            {"text": said, "delay": delay, "rate": rate, "chunk_tokens": chunk_tokens, "failure": failure}
        )
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"], param_hint="--fail") from None
    service = Service(script, tuple(model or ("stand-in",)), api_key)
    try:
        uvloop.run(_serve(service, host, port))
    except OSError as error:
        typer.echo(f"can't listen on {host}:{port}: {error.strerror}. Choose another with --port.", err=True)
        raise typer.Exit(1) from None


async def _serve(service: Service, host: str, port: int) -> None:
    from mixture.simulation import listen

    server = await listen(service, host, port)
    typer.echo(f"http://{host}:{server.sockets[0].getsockname()[1]}/v1")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with suppress(asyncio.CancelledError):
        await stop.wait()
    server.close()
    service.drop()


if __name__ == "__main__":
    typer.run(simulate)
