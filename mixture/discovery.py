"""What can be used on this machine without any configuration, and why it is there.

Keys in the environment give the models that the catalogue offers for them; local servers are asked which models they
have; the embedded experts are always there. Personas are laid over what was found, so that a single model is already
a small mixture.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from itertools import cycle
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from mixture.catalogue import Preset, presets
from mixture.config import ExpertConfig
from mixture.prompts import PERSONAS

PROBE_SECONDS = 0.3
"""How long a local server has to say which models it has."""
_MOST_BYTES = 1_000_000
_NO_CHAT = ("embed", "rerank", "whisper", "bge-", "minilm")


@dataclass(frozen=True, slots=True)
class Found:
    """An expert that can be had, and the reason in words."""

    config: ExpertConfig
    why: str


def discover(environ: Mapping[str, str]) -> tuple[ExpertConfig, ...]:
    """The experts that can be had without configuration. Takes as long as the slowest probe, at most half a second."""
    return tuple(found.config for found in find(environ))


def find(environ: Mapping[str, str]) -> tuple[Found, ...]:
    """The same with the reasons, in the order: keys, local servers, personas over both, embedded."""
    keyed = list(_keyed(environ))
    local = list(_local(environ))
    models = _distinct([*keyed, *local])
    # Each source's first model is its strongest, and a key's models are stronger than those of this machine.
    personas = _personas(
        _first_of_each([found.config for found in models if found in keyed] or [found.config for found in models])
    )
    return tuple(_distinct([*models, *personas, *_EMBEDDED]))


def _first_of_each(models: Sequence[ExpertConfig]) -> list[ExpertConfig]:
    return list({model.provider: model for model in reversed(models)}.values())[::-1]


_EMBEDDED = (
    Found(ExpertConfig(name="symbolic", provider="symbolic"), "always there: exact arithmetic, algebra, units"),
    Found(ExpertConfig(name="extractive", provider="extractive"), "always there: quotes your documents"),
)


def _keyed(environ: Mapping[str, str]) -> Iterable[Found]:
    for name, preset in presets().items():
        if preset.location == "external" and preset.api_key(environ):
            for offer in preset.offer:
                config = ExpertConfig(provider=name, **offer.model_dump(exclude_none=True))
                yield Found(config, f"{preset.key} is set")


def _local(environ: Mapping[str, str]) -> list[Found]:
    """The models of every local server that answers; all are asked at the same time."""
    candidates = {name: preset for name, preset in presets().items() if preset.probe}
    pool = ThreadPoolExecutor(max_workers=max(1, len(candidates)), thread_name_prefix="probe")
    deadline = time.monotonic() + PROBE_SECONDS
    probes = {name: pool.submit(_models, preset, environ, deadline) for name, preset in candidates.items()}
    found = [
        Found(_local_config(name, model), f"{candidates[name].title} answers at {candidates[name].url(environ)}")
        for name, probe in probes.items()
        for model in _result(probe, deadline)
    ]
    pool.shutdown(wait=False, cancel_futures=True)
    return found


def _result(probe: Future[list[dict[str, Any]]], deadline: float) -> list[dict[str, Any]]:
    try:
        return probe.result(timeout=max(0.0, deadline + PROBE_SECONDS / 2 - time.monotonic()))
    except TimeoutError:
        return []


def _local_config(provider: str, model: dict[str, Any]) -> ExpertConfig:
    window = model.get("max_model_len")
    return ExpertConfig(
        name=_name(model["id"]),
        provider=provider,
        model=model["id"],
        context_window=window if isinstance(window, int) and window > 0 else None,
    )


def _name(model: str) -> str:
    """The model's name as an expert may be called: a path is cut to its end, odd characters become hyphens."""
    short = model.rstrip("/").rpartition("/")[2] if model.startswith("/") else model
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._:/@-") else "-" for c in short)
    return kept.lstrip("._:/@-")[:128] or "model"


def _models(preset: Preset, environ: Mapping[str, str], deadline: float) -> list[dict[str, Any]]:
    """The chat models that a server lists; none when it does not answer, or not as such a server does."""
    try:
        data = json.loads(_get(_probe_url(preset, environ), preset.api_key(environ), deadline))
        listed = data["data"] if isinstance(data, dict) and isinstance(data["data"], list) else []
    except (OSError, HTTPException, ValueError, KeyError):
        return []
    models = [m for m in listed if isinstance(m, dict) and isinstance(m.get("id"), str) and m["id"]]
    if any(m.get("owned_by") == "mixture" for m in models):
        return []  # that is a Mixture itself; asking it would be a circle
    return [m for m in models if not any(word in m["id"].lower() for word in _NO_CHAT)]


def _probe_url(preset: Preset, environ: Mapping[str, str]) -> str:
    named = bool(preset.url_variable and environ.get(preset.url_variable, "").strip())
    return preset.url(environ).rstrip("/") + "/models" if named or not preset.probe else preset.probe


def _get(url: str, key: str | None, deadline: float) -> bytes:
    """The body at `url`, asked directly (a proxy has no business with loopback). Raises OSError or HTTPException."""
    request = Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})  # noqa: S310  ours or the user's
    body = b""
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=PROBE_SECONDS) as response:
            while (part := response.read1(65536)) and len(body) < _MOST_BYTES and time.monotonic() < deadline:
                body += part
    except HTTPError as error:
        error.close()
        raise
    return body


def _distinct(found: Sequence[Found]) -> list[Found]:
    """Every name once: a second model of the same name gets its provider's name before its own."""
    taken, kept = set[str](), list[Found]()
    for item in found:
        name = item.config.name if item.config.name not in taken else f"{item.config.provider}/{item.config.name}"
        if name not in taken:
            taken.add(name)
            kept.append(item if name == item.config.name else Found(_renamed(item.config, name), item.why))
    return kept


def _renamed(config: ExpertConfig, name: str) -> ExpertConfig:
    return config.model_copy(update={"name": name, "model": config.model or config.name})


def _personas(models: Sequence[ExpertConfig]) -> list[Found]:
    """Finance, technical and general personas, dealt out over `models` in turn."""
    if not models:
        return []
    return [
        Found(_persona(name, base.name), f"persona of {base.name}")
        for (name, base) in zip(PERSONAS, cycle(models), strict=False)
    ]


def _persona(name: str, base: str) -> ExpertConfig:
    persona = PERSONAS[name]
    return ExpertConfig(
        name=name,
        provider="persona",
        expert=base,
        description=persona.description,
        skills=persona.skills,
        system_prompt=persona.system_prompt,
    )
