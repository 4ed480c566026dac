"""`mixture ingest`: files and folders taken into the documents' index."""

from __future__ import annotations

import json
import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from commands.display import err, faults, out

if TYPE_CHECKING:
    from mixture.config import DocumentsConfig
    from mixture.retrieval.ingesting import Make, Report, Told

SHOWN = 20
"""Failures that are printed; `--report` has all of them."""
MANY = 64
"""Files from which on processes of their own read them, unless `--workers` says otherwise."""

PATHS = typer.Argument(help="Files and folders: text, Markdown, HTML, PDF, DOCX, CSV, code.")
COLLECTION = typer.Option("--collection", help="Where they are kept.")
FILE = typer.Option("--config", "-c", help="A configuration. Default: serve_config.yaml, if it is here.")
PRIVATE = typer.Option(
    "--private", help="For a new collection: its passages never reach an expert outside. Default: documents.private."
)
ENCODER = typer.Option(help="For a new collection: minilm or static. Default: documents.encoder.")
WORKERS = typer.Option(
    help="Processes that read and embed, on Ray ($RAY_ADDRESS, else here). 0: this process alone. Default: one a core "
    "for many files."
)
REPORT = typer.Option(help="Write what became of each file here, as JSON.")


def ingest(
    paths: Annotated[list[Path], PATHS],
    collection: Annotated[str, COLLECTION] = "default",
    config: Annotated[Path | None, FILE] = None,
    private: Annotated[bool | None, PRIVATE] = None,
    encoder: Annotated[str | None, ENCODER] = None,
    workers: Annotated[int | None, typer.Option(help=WORKERS.help, min=0, max=256)] = None,
    report: Annotated[Path | None, REPORT] = None,
) -> None:
    """Take files into the index that answers draw on.

    What has not changed since the last time is left as it is, what is gone from a folder is deleted, and what was
    interrupted goes on. A file that can't be read is listed, and the rest is taken in; the exit status is 1 then. A
    running server finds the documents at once.

    Try:

      mixture ingest handbook/

      mixture ingest contracts/ --collection contracts --private
    """
    from mixture.config import ConfigError
    from mixture.errors import MixtureError

    try:
        documents = _configured(config, collection, encoder)
        done = _ingested(documents, paths, collection, private, workers)
    except ConfigError as error:
        faults(error, str(config or "the configuration"))
        raise typer.Exit(1) from None
    except (FileNotFoundError, MixtureError) as error:
        err.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    _show(done, collection)
    if report is not None:
        report.write_text(json.dumps(report_fields(done), indent=1) + "\n", encoding="utf-8")
    raise typer.Exit(1 if done.failures else 0)


def _configured(file: Path | None, collection: str, encoder: str | None) -> DocumentsConfig:
    """What the configuration says of documents, the collection's name and the encoder checked with it."""
    from commands.serve import load_dotenv
    from commands.source import read
    from mixture.config import parse

    load_dotenv()
    found = read(file, os.environ).config.documents
    wanted = {"collections": {collection: {}}, "encoder": encoder or found.encoder}
    parse({"discover": True, "documents": wanted}, {})
    return found.model_copy(update={"encoder": encoder}) if encoder else found


def _ingested(
    config: DocumentsConfig, paths: list[Path], collection: str, private: bool | None, workers: int | None
) -> Report:
    import asyncio

    from mixture.retrieval.access import SHARED, Place
    from mixture.retrieval.ingesting import files, in_this_process, ingest
    from mixture.retrieval.library import library
    from mixture.retrieval.upkeep import Upkeep

    found = list(files(paths))
    processes = (os.cpu_count() or 1) if workers is None and len(found) >= MANY else workers or 0

    async def run() -> Report:
        place = Place(SHARED, collection)
        intake = await library(config, os.environ).intake(place, private)
        with _making(processes, intake.encoder, intake.most) as make, _progress(len(found)) as told:
            done = await ingest(intake, found, make or in_this_process(intake), told)
        if done.passages or done.counts["deleted"]:
            await Upkeep(intake.store).ordered(place)
        return done

    return asyncio.run(run())


@contextmanager
def _making(workers: int, encoder: str, most: int) -> Iterator[Make | None]:
    """Ray, and the way through it; None where no workers are wanted."""
    if not workers:
        yield None
        return
    import ray

    from actors.ingesting import through_ray

    address = os.environ.get("RAY_ADDRESS", "local")
    more: dict[str, Any] = {"num_cpus": max(2, workers), "include_dashboard": False} if address == "local" else {}
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **more)
    try:
        yield through_ray(encoder, most, workers)
    finally:
        ray.shutdown()


@contextmanager
def _progress(total: int) -> Iterator[Told]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("files, {task.fields[passages]:,} passages"))
    with Progress(*columns, TimeElapsedColumn(), console=err) as bar:
        task = bar.add_task("", total=total, passages=0)

        def told(done: int, passages: int) -> None:
            bar.update(task, completed=done, passages=passages)

        yield told


def _show(done: Report, collection: str) -> None:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(done.counts.items())) or "no files"
    rate = f", {done.passages / done.seconds:,.0f} a second" if done.passages else ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = f"{done.passages:,} passages in {done.seconds:.1f} s{rate}, {peak:,.0f} MiB"
    out.print(f"{escape(collection)}: {counts}; {took}")
    for entry in done.failures[:SHOWN]:
        err.print(f"[yellow]{escape(entry.id)}[/]: {escape(entry.error or '')}", soft_wrap=True)
    if len(done.failures) > SHOWN:
        err.print(f"... and {len(done.failures) - SHOWN:,} more: see --report", style="dim")


def report_fields(done: Report) -> dict[str, Any]:
    """The report as plain data."""
    files = [
        {"id": one.id, "outcome": one.outcome, "passages": one.passages, "error": one.error}
        for one in done.entries.values()
    ]
    return {"seconds": round(done.seconds, 3), "passages": done.passages, "counts": dict(done.counts), "files": files}
