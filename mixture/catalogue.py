"""What is known of providers and models, read from `catalogue.yaml`, and filled into configurations."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import yaml
from pydantic import Field

from mixture.config import ConfigError, ExpertConfig, PriceConfig, Section
from mixture.types import Ability, Location


class DatedPrice(PriceConfig):
    """A published price: the day on which it was read, and where."""

    date: datetime.date | None
    source: str

    @property
    def price(self) -> PriceConfig:
        """The price and its day."""
        return PriceConfig(**self.model_dump(exclude={"source"}))


class Model(Section):
    """What is known of one model; None where it is not known."""

    price: DatedPrice | None = None
    context_window: int | None = None
    abilities: tuple[Ability, ...] | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Offer(Section):
    """An expert that is configured when its provider's key is found."""

    name: str
    model: str | None = None
    description: str
    skills: tuple[str, ...]


class Preset(Section):
    """A provider as it is reached."""

    title: str
    provider: Literal["openai", "anthropic"]
    base_url: str
    key: str | None = None
    """The environment variable that holds the key."""
    url_variable: str | None = None
    """The environment variable that replaces `base_url`."""
    location: Location = "external"
    probe: str | None = None
    """For a server on this machine: the URL that lists its models when it is running."""
    abilities: tuple[Ability, ...]
    options: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, Model] = Field(default_factory=dict)
    offer: tuple[Offer, ...] = ()

    def url(self, environ: Mapping[str, str]) -> str:
        """Where it is reached: what the environment says, else `base_url`. A bare host gets `base_url`'s path."""
        found = environ.get(self.url_variable, "").strip() if self.url_variable else ""
        if not found:
            return self.base_url
        parts = urlsplit(found if "://" in found else f"http://{found}")
        path = parts.path.rstrip("/") or urlsplit(self.base_url).path
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def api_key(self, environ: Mapping[str, str]) -> str | None:
        """The key in the environment, or None."""
        return (environ.get(self.key, "").strip() or None) if self.key else None


@cache
def presets() -> Mapping[str, Preset]:
    """Every preset by the name that a configuration gives as `provider`."""
    data = yaml.safe_load(files("mixture").joinpath("catalogue.yaml").read_text(encoding="utf-8"))
    return MappingProxyType({name: Preset.model_validate(entry) for name, entry in data.items()})


def resolve(config: ExpertConfig, environ: Mapping[str, str] | None = None) -> ExpertConfig:
    """`config` with everything that its preset knows filled in; what it says itself stays. Any other provider's
    configuration comes back as it is, and a resolved one comes back the same.

    A key from the environment goes only to the preset's own address, never to a `base_url` of the user's. Raises
    ConfigError when a key is needed and there is none.
    """
    preset = presets().get(config.provider)
    if preset is None:
        return config
    environ = {} if environ is None else environ
    url = config.base_url or preset.url(environ)
    ours = config.base_url is None or _same(config.base_url, preset.url(environ))
    model = preset.models.get(config.model or config.name, Model()) if ours else Model()
    location = config.location or _location(url)
    filled: dict[str, Any] = {
        "provider": preset.provider,
        "base_url": url,
        "api_key": config.api_key or (preset.api_key(environ) if ours else None),
        "model": config.model or config.name,
        "location": location,
        "price": config.price or _price(preset, model, location),
        "context_window": config.context_window or model.context_window,
        "abilities": config.abilities if config.abilities is not None else model.abilities or preset.abilities,
        "options": _options(config, preset, model, ours),
    }
    if ours and filled["api_key"] is None and preset.key and preset.location == "external":
        where = f"experts.{config.name}.api_key"
        raise ConfigError(f"{where}: no key for {preset.title}; set {preset.key} in the environment", param=where)
    return config.model_copy(update=filled)


def _options(config: ExpertConfig, preset: Preset, model: Model, ours: bool) -> dict[str, Any]:
    """The preset's options under the model's under the user's; `fields` is merged field by field. What suits the
    preset's own address need not suit another that speaks the same protocol.
    """
    layers = [preset.options, model.options] if ours else []
    named = {} if "preset" in config.options else {"preset": config.provider}
    merged: dict[str, Any] = dict(named)
    for layer in (*layers, config.options):
        fields = {**merged.get("fields", {}), **layer.get("fields", {})}
        merged |= layer | ({"fields": fields} if fields else {})
    return merged


def _price(preset: Preset, model: Model, location: Location) -> PriceConfig | None:
    if preset.location == "local" and location == "local":
        return PriceConfig(input=0, output=0)
    return model.price.price if model.price else None


def _location(url: str) -> Location:
    """Local only on this machine: what goes to a server elsewhere has left it."""
    return "local" if _loopback(urlsplit(url).hostname or "") else "external"


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")
