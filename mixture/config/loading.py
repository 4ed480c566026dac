"""From a file or a mapping to a checked configuration."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from mixture.config.schema import Config
from mixture.errors import InvalidQuery


class ConfigError(InvalidQuery):
    """The configuration is wrong; `message` has a line for each fault, which names the field and the mending."""


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expand(value: Any, environ: Mapping[str, str], where: str = "") -> Any:
    """`value` with every `${VAR}` and `${VAR:-default}` replaced, in nested mappings and lists too.

    Raises ConfigError naming the field when a variable without a default is not set.
    """
    if isinstance(value, dict):
        return {key: expand(item, environ, f"{where}.{key}".lstrip(".")) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, environ, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replaced(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        found = environ.get(name, default)
        if found is None:
            raise ConfigError(f"{where}: the environment variable {name} is not set", param=where)
        return found

    return _VARIABLE.sub(replaced, value)


def parse(data: Mapping[str, Any] | None, environ: Mapping[str, str] | None = None) -> Config:
    """A checked configuration from a plain mapping. Raises ConfigError with a line for each fault."""
    return checked(expand(dict(data or {}), os.environ if environ is None else environ))


def checked(data: Mapping[str, Any]) -> Config:
    """A checked configuration from a mapping without variables. Raises ConfigError with a line for each fault."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        lines = fault_lines(error)
        raise ConfigError("\n".join(lines), param=lines[0].partition(":")[0]) from None


def fault_lines(error: ValidationError) -> list[str]:
    """A line for each fault, which begins with the field."""
    return [_line(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]


def _line(loc: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    message = message.removeprefix("Value error, ")
    if message == "Extra inputs are not permitted":
        message = "unknown field; see docs/configuration.md for the fields that exist"
    return f"{where}: {message}" if where else message


def load(path: str | Path, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in a YAML file: a Ray Serve config (its application's `args`) or the bare mapping.

    Raises ConfigError when the file is missing, is no YAML, or says something that can't be.
    """
    return parse(mapping(path), environ)


class _Loader(yaml.SafeLoader):
    """Refuses what YAML takes and nobody means: a key that is there twice, of which the last would count."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of `node`. Raises a YAMLError for a key that is there twice."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"{key.value!r} is there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(path: str | Path) -> Any:
    """What a YAML file holds; of a RayService for Kubernetes the `serveConfigV2` in it. Raises ConfigError, in one
    line, when it can't be read.
    """
    data = document(path)
    if not isinstance(data, dict) or data.get("kind") != "RayService":
        return data
    spec = data.get("spec")
    text = spec.get("serveConfigV2") if isinstance(spec, dict) else None
    if not isinstance(text, str):
        raise ConfigError(f"{path}: spec.serveConfigV2: the text of a Ray Serve config is expected")
    return _parsed(text, f"{path}: spec.serveConfigV2")


def document(path: str | Path) -> Any:
    """What a YAML file holds. Raises ConfigError, in one line, when it can't be read."""
    try:
        return _parsed(Path(path).read_text(encoding="utf-8"), path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None


def _parsed(text: str, path: str | Path) -> Any:
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
        json.dumps(data, default=str, skipkeys=True)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}: not valid YAML: {error.problem or error.context}{where}") from None
    except (RecursionError, ValueError, yaml.YAMLError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None
    return data


def mapping(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file, taken out of a Ray Serve config where it is one. Raises ConfigError."""
    data = read(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a mapping is expected, not {type(data).__name__}")
    if "applications" in data:
        return _application_args(path, data["applications"])
    return data


def _application_args(path: str | Path, applications: Any) -> dict[str, Any]:
    listed = applications if isinstance(applications, list) else []
    ours = [a for a in listed if isinstance(a, dict) and a.get("import_path") == "deployments.app:build"]
    if len(ours) != 1:
        raise ConfigError(f"{path}: applications: exactly one with `import_path: deployments.app:build` is expected")
    args = ours[0].get("args") or {}
    if not isinstance(args, dict):
        raise ConfigError(f"{path}: applications.args: a mapping is expected")
    return args
