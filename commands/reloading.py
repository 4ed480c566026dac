"""What of a changed configuration a running server can take on, and how it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from commands.clusters import Cluster, Unreachable
from commands.source import IMPORT_PATH
from mixture.config import ConfigError, LiveConfig, LiveExpert, overlaid, parse, parse_live

EXPERT_FIELDS = tuple(LiveExpert.model_fields)
WHOLE_FIELDS = tuple(name for name in LiveConfig.model_fields if name != "experts")
PATIENCE = 60.0
"""Seconds in which every gateway has taken on the new configuration."""


def applied(cluster: Cluster, wanted: dict[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Have the application on `cluster` answer by `wanted`, a whole Ray Serve config. The fields that changed. Raises
    ConfigError for what takes a new deployment, and for a configuration that does not hold together.
    """
    schema = cluster.schema()
    deployed = _ours(schema)
    new = _ours(wanted)
    user_config = told(deployed["args"], new["args"]) | _own(new)
    before = _own(deployed)
    overlaid(parse(deployed["args"], _Any(environ)), parse_live(user_config, _Any(environ)))
    changed = sorted(name for name in {*user_config, *before} if user_config.get(name) != before.get(name))
    if changed:
        cluster.deploy(_with(schema, user_config))
        _await(cluster)
    return changed


class _Any(dict[str, str]):
    """An environment in which everything is set: secrets are on the server, and nothing here depends on them."""

    def get(self, name: str, default: Any = None) -> Any:
        """The variable, or `unset`."""
        return super().get(name, "unset" if default is None else default)


def told(deployed: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The `user_config` that makes of the arguments `deployed` the arguments `new`. Raises ConfigError, with a line for
    each field that can't be changed so.
    """
    if lines := list(_fixed(deployed, new)):
        raise ConfigError("\n".join(lines), param=lines[0].partition(":")[0])
    empty = LiveConfig.model_validate({"strategy": "auto", "limits": {}}).model_dump(exclude_none=True)
    made: dict[str, Any] = {}
    for name in WHOLE_FIELDS:
        if new.get(name) != deployed.get(name):
            made[name] = new.get(name, empty.get(name, [] if name == "fallback_order" else {}))
    before = {expert["name"]: expert for expert in deployed.get("experts") or ()}
    for expert in new.get("experts") or ():
        old = before[expert["name"]]
        change = {field: expert[field] for field in EXPERT_FIELDS if expert.get(field) != old.get(field)}
        if change:
            made.setdefault("experts", {})[expert["name"]] = change
    return made


def _fixed(deployed: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """A line for each difference that takes a new deployment."""
    left = {"experts", "discover", *WHOLE_FIELDS}
    for name in sorted({*deployed, *new} - left):
        if deployed.get(name) != new.get(name):
            yield f"{name}: {_TAKES}"
    before = {expert["name"]: expert for expert in deployed.get("experts") or ()}
    after = {expert["name"]: expert for expert in new.get("experts") or ()}
    for name in after:
        if name not in before:
            yield f"experts.{name}: is new, which {_TAKES}"
            continue
        yield from _fixed_of(name, before[name], after[name])
    if not new.get("discover", not after):
        yield from (f"experts.{name}: was removed, which {_TAKES}" for name in before if name not in after)


def _fixed_of(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted({*before, *after}):
        if before.get(field) == after.get(field):
            continue
        if field not in EXPERT_FIELDS:
            yield f"experts.{name}.{field}: {_TAKES}"
        elif after.get(field) is None:
            yield f"experts.{name}.{field}: was removed, which {_TAKES}; another value does not"


_TAKES = "takes a new deployment (`serve deploy`), which replaces the replicas one after the other"


def _ours(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = [one for one in schema["applications"] if one.get("import_path") == IMPORT_PATH]
    if len(found) != 1:
        raise Unreachable("no application of Mixture runs there")
    return {"args": {}, **found[0]}


def _own(application: Mapping[str, Any]) -> dict[str, Any]:
    """The `user_config` of the gateway in an application's config."""
    deployments = application.get("deployments") or ()
    return next((one.get("user_config") or {} for one in deployments if one.get("name") == "gateway"), {})


def _with(schema: Mapping[str, Any], user_config: dict[str, Any]) -> dict[str, Any]:
    """`schema` with another `user_config` of the gateway, and nothing else changed."""
    made = deepcopy(dict(schema))
    for application in made["applications"]:
        if application.get("import_path") == IMPORT_PATH:
            deployments = application.setdefault("deployments", [])
            gateway = next((one for one in deployments if one.get("name") == "gateway"), None)
            if gateway is None:
                deployments.append(gateway := {"name": "gateway"})
            gateway["user_config"] = user_config
    return made


def _await(cluster: Cluster) -> None:
    """Until every replica has taken it on. Raises Unreachable when that takes too long."""
    end = time.monotonic() + PATIENCE
    while not cluster.settled():
        if time.monotonic() > end:
            raise Unreachable("not every gateway has taken on the new configuration within a minute; see its log")
        time.sleep(0.1)
