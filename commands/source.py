"""What a server is started from: a Ray Serve config, a bare configuration, or nothing at all."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mixture.config import Config, ConfigError, ExpertConfig, mapping, parse
from mixture.config import read as read_yaml

DEFAULT_FILE = Path("serve_config.yaml")
IMPORT_PATH = "deployments.app:build"


@dataclass(frozen=True, slots=True)
class Source:
    """`schema` is a whole Ray Serve config whose application of ours has `args`; `config` is what they mean."""

    name: str
    schema: dict[str, Any]
    args: dict[str, Any]
    config: Config
    whys: Mapping[str, str]
    """Why each expert is there, by its name."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        options = self.schema["http_options"]
        return options["host"], options["port"]


def read(file: Path | None, environ: Mapping[str, str]) -> Source:
    """The source in `file`; without one, `serve_config.yaml` here, else what is found on this machine.

    Raises ConfigError with a line for each fault.
    """
    file = DEFAULT_FILE if file is None and DEFAULT_FILE.exists() else file
    args = mapping(file) if file else {}
    schema = _schema(file, args)
    config = parse(args, environ)
    name = str(file) if file else "found on this machine"
    return Source(name, schema, args, config, {expert.name: name for expert in config.experts})


def _schema(file: Path | None, args: dict[str, Any]) -> dict[str, Any]:
    data = read_yaml(file) if file else None
    if isinstance(data, dict) and "applications" in data:
        schema = data
    else:
        schema = {"applications": [{"name": "mixture", "import_path": IMPORT_PATH, "args": args}]}
    options = schema.get("http_options") or {}
    if not isinstance(options, dict):
        raise ConfigError("http_options: a mapping is expected", param="http_options")
    schema["http_options"] = {"host": "127.0.0.1", "port": 8000, **options}
    if fault := port_fault(schema["http_options"]["port"]):
        raise ConfigError(fault, param="http_options.port")
    for application in schema["applications"]:
        application.setdefault("route_prefix", "/")
    return schema


def port_fault(port: Any) -> str | None:
    """What is wrong with a port; Ray Serve itself takes any number."""
    fits = isinstance(port, int) and not isinstance(port, bool) and 0 < port < 65536
    return None if fits else "http_options.port: a number from 1 to 65535 is expected"


def at(source: Source, host: str | None, port: int | None) -> Source:
    """`source` listening elsewhere, where that is asked for."""
    schema = copy.deepcopy(source.schema)
    schema["http_options"] |= {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    return replace(source, schema=schema)


def with_found(source: Source, environ: Mapping[str, str]) -> Source:
    """`source` with the experts that are found on this machine, where it asks for them."""
    if not source.config.discovers:
        return source
    from mixture.discovery import find

    taken = {expert.name for expert in source.config.experts}
    found = [item for item in find(environ) if item.config.name not in taken]
    args = {**source.args, "experts": [*(source.args.get("experts") or ()), *(_plain(item.config) for item in found)]}
    args["discover"] = False
    whys = {**source.whys, **{item.config.name: item.why for item in found}}
    return replace(source, args=args, config=parse(args, environ), whys=whys)


def _plain(config: ExpertConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def deployable(source: Source, environ: MutableMapping[str, str]) -> dict[str, Any]:
    """The Ray Serve config to deploy. Keys that were written into the file are moved to `environ` and referred to,
    because Ray writes an application's arguments to its log.
    """
    args = copy.deepcopy(source.args)
    _hide(args.get("server") or {}, "api_keys", environ)
    _hide(args.get("ledger") or {}, "url", environ)
    if "://" in str((args.get("cache") or {}).get("shared")):
        _hide(args["cache"], "shared", environ)
    storage = (args.get("documents") or {}).get("storage") or {}
    for field in storage:
        _hide(storage, field, environ)
    for expert in args.get("experts") or ():
        _hide(expert, "api_key", environ)
    schema = copy.deepcopy(source.schema)
    for application in schema["applications"]:
        if application.get("import_path") == IMPORT_PATH:
            application["args"] = args
    return schema


def _hide(section: dict[str, Any], field: str, environ: MutableMapping[str, str]) -> None:
    value = section.get(field)
    if isinstance(value, list):
        section[field] = [_variable(item, environ) for item in value]
    elif value:
        section[field] = _variable(value, environ)


def _variable(value: Any, environ: MutableMapping[str, str]) -> Any:
    if not isinstance(value, str) or "${" in value:
        return value
    name = f"MIXTURE_SECRET_{sum(key.startswith('MIXTURE_SECRET_') for key in environ)}"
    environ[name] = value
    return "${" + name + "}"
