"""`mixture validate`: check a configuration without starting anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from commands.display import err, out

if TYPE_CHECKING:
    from mixture.config import Config, StrategyOptions

FILE = typer.Argument(help="A Ray Serve config (serve_config.yaml) or a bare configuration.")


def validate(
    file: Annotated[Path, FILE],
    cluster: Annotated[Path | None, typer.Option(help="A cluster-launcher file or a RayService: where to.")] = None,
) -> None:
    """Check a configuration, and name every fault, its field and the fix. Exit code 1 when there is one.

    Nothing is started and no model is called. Environment variables must be set, as they must be at the start. Engines
    (`provider: vllm`) are held against this machine, or against the nodes that a cluster-launcher file or a RayService
    for Kubernetes describes, which the FILE may be itself.

    Try:

      mixture validate serve_config.yaml

      mixture validate serve_config.yaml --cluster cluster.yaml

      mixture validate deploy/kuberay/rayservice.yaml
    """
    from commands.serve import load_dotenv

    load_dotenv()
    found = list(dict.fromkeys(faults_of(file, os.environ, cluster)))
    if not found:
        out.print(f"[green]{escape(str(file))} is valid.[/]")
        for note in _notes(file, cluster):
            out.print(f"  {escape(note)}", soft_wrap=True)
        return
    err.print(f"[red]{escape(str(file))}: {len(found)} {'fault' if len(found) == 1 else 'faults'}[/]")
    for fault in found:
        err.print(f"  {escape(fault)}", soft_wrap=True)
    raise typer.Exit(1)


def _notes(file: Path, cluster: Path | None) -> Iterator[str]:
    """What engines of a valid configuration need, prices that are not known or old, cascades that stop too soon."""
    from commands import capacity
    from commands.experts import price_warnings
    from mixture.config import load

    config, cluster = load(file, os.environ), cluster or _own_cluster(file)
    yield from (f"price of {warning}" for warning in price_warnings(config, os.environ))
    yield from _hasty(config)
    if any(expert.provider == "vllm" for expert in config.experts):
        yield from capacity.notes_of(config, capacity.of_cluster(cluster) if cluster else capacity.this_machine())


def _hasty(config: Config) -> Iterator[str]:
    """Cascades that look as if they compared answers, and end at the first."""
    cascades: dict[str, StrategyOptions] = {
        f"aliases.{name}": alias for name, alias in config.aliases.items() if alias.strategy == "cascade"
    }
    cascades |= {f"strategies.{name}": options for name, options in config.strategies.items() if name == "cascade"}
    for where, options in cascades.items():
        if options.lead == 1 and options.confidence is None and not (options.n and options.early_stop is False):
            yield (
                f"{where}: with `lead: 1` the first answer ends it, being one vote ahead of none; to have two answers "
                "compared, add `n: 2` and `early_stop: false`"
            )


def _own_cluster(file: Path) -> Path | None:
    """`file` where it describes the nodes, too."""
    from mixture.config import document

    data = document(file)
    return file if isinstance(data, dict) and data.get("kind") == "RayService" else None


def faults_of(file: Path, environ: Mapping[str, str], cluster: Path | None = None) -> Iterator[str]:
    """Every fault of the configuration in `file`, a line each; of its engines also where they would run."""
    from mixture.config import ConfigError, mapping

    try:
        args = mapping(file)
    except ConfigError as error:
        yield from error.message.splitlines()
        return
    yield from _args_faults(args, environ, cluster or _own_cluster(file))
    yield from _serve_faults(file, args, environ)


class _Lenient(Mapping[str, str]):
    """An environment in which everything is set, and which remembers what is not."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.missing: list[str] = []

    def __getitem__(self, name: str) -> str:
        found = self._environ.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        found = self._environ.get(name, default)
        if found is None:
            self.missing.append(name)
            return "unset"
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)


def _args_faults(args: dict[str, Any], environ: Mapping[str, str], cluster: Path | None) -> Iterator[str]:
    from mixture.config import ConfigError, expand, parse

    lenient = _Lenient(environ)
    expand(args, lenient)
    yield from (f"${{{name}}}: the environment variable {name} is not set" for name in lenient.missing)
    try:
        config = parse(args, lenient)
    except ConfigError as error:
        yield from error.message.splitlines()
        return
    yield from _expert_faults(config, environ)
    yield from _router_faults(config)
    yield from _engine_faults(config, cluster)


def _router_faults(config: Any) -> Iterator[str]:
    """A file that can't be read: the server would start without it, and route by keywords."""
    if config.router.chosen != "learned":
        return
    from mixture.routing.storage import PredictorError, load

    try:
        load(config.router.file)
    except PredictorError as error:
        yield f"router.file: {error.message}"


def _expert_faults(config: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """What only the providers know: their options, their keys."""
    from mixture.assembly import in_order
    from mixture.config import ConfigError
    from mixture.providers import Context, create

    made: dict[str, Any] = {}
    context = Context(environ=environ, experts=made, documents=config.documents)
    for expert in in_order(config.experts):
        if expert.expert is not None and expert.expert not in made:
            continue  # its base is at fault, which has been said
        try:
            made[expert.name] = create(expert, context)
        except ConfigError as error:
            yield from error.message.splitlines()


def _engine_faults(config: Any, cluster: Path | None) -> Iterator[str]:
    """Engines that would find no place."""
    if not any(expert.provider == "vllm" for expert in config.experts):
        return
    from commands import capacity
    from mixture.config import ConfigError

    try:
        place = capacity.of_cluster(cluster) if cluster is not None else capacity.this_machine()
    except ConfigError as error:
        yield error.message
        return
    yield from capacity.faults_of(config, place)


def _serve_faults(file: Path, args: dict[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    """What Ray Serve would refuse in the file around `args`."""
    from commands.source import port_fault
    from mixture.config import read

    data = read(file)
    if not isinstance(data, dict) or "applications" not in data:
        return
    from pydantic import ValidationError
    from ray.serve.schema import ServeDeploySchema

    try:
        ServeDeploySchema.model_validate(data)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"])
            yield f"{where}: {fault['msg'].removeprefix('Value error, ')}"
    options = data.get("http_options")
    if isinstance(options, dict) and (wrong := port_fault(options.get("port", 8000))):
        yield wrong
    yield from _unknown_fields(data, "", ServeDeploySchema)
    yield from _deployment_faults(data, args)


def _live_faults(args: dict[str, Any], user_config: Any) -> Iterator[str]:
    """What a gateway would refuse of its `user_config`, over arguments that hold together by themselves."""
    from mixture.config import ConfigError, overlaid, parse, parse_live

    try:
        config = parse(args, _Lenient(os.environ))
    except ConfigError:
        return
    try:
        overlaid(config, parse_live(user_config, _Lenient(os.environ)))
    except ConfigError as error:
        yield from error.message.splitlines()


def _unknown_fields(data: dict[str, Any], where: str, schema: Any) -> Iterator[str]:
    """Serve ignores fields that it does not know, so that a typing mistake would go unseen."""
    for name in data:
        if name not in schema.model_fields:
            yield f"{where}{name}: unknown field; Ray Serve would ignore it"


def _deployment_faults(data: dict[str, Any], args: dict[str, Any]) -> Iterator[str]:
    from commands.source import IMPORT_PATH
    from deployments.expert import deployment_name

    known = {"gateway", "retrieval", "ledger", *(args.get("hosted") or ())}
    for expert in args.get("experts") or ():
        if isinstance(expert, dict) and (expert.get("hosted") or expert.get("provider") == "vllm"):
            known.add(deployment_name(str(expert.get("name"))))
    for application in data["applications"]:
        if not isinstance(application, dict) or application.get("import_path") != IMPORT_PATH:
            continue
        for index, deployment in enumerate(application.get("deployments") or ()):
            name = deployment.get("name") if isinstance(deployment, dict) else None
            if name == "gateway":
                where = f"applications.deployments[{index}].user_config"
                yield from (f"{where}.{line}" for line in _live_faults(args, deployment.get("user_config")))
            if name not in known:
                yield (
                    f"applications.deployments[{index}].name: no deployment is called {name!r}; "
                    f"known: {', '.join(sorted(known))} (an expert has one with `hosted: true`)"
                )
