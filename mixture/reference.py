"""The configuration's reference, written from the models themselves so that it can't fall behind them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mixture.config import (
    AggregatorConfig,
    AliasConfig,
    AutoscalingConfig,
    BatchesConfig,
    CacheConfig,
    CollectionConfig,
    Config,
    DecomposerConfig,
    DocumentsConfig,
    EngineConfig,
    ExperimentConfig,
    ExpertConfig,
    FeedbackConfig,
    LedgerConfig,
    LimitsConfig,
    LiveConfig,
    LiveExpert,
    PriceConfig,
    Resilience,
    RetrievalOptions,
    RouterConfig,
    SamplingConfig,
    SemanticConfig,
    ServerConfig,
    StrategyOptions,
)

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The whole", Config),
    ("experts[]", ExpertConfig),
    ("experts[].price", PriceConfig),
    ("experts[].sampling", SamplingConfig),
    ("experts[].engine", EngineConfig),
    ("experts[].engine.autoscaling_config", AutoscalingConfig),
    ("strategies.NAME", StrategyOptions),
    ("aliases.NAME", AliasConfig),
    ("aliases.NAME.experiment", ExperimentConfig),
    ("aliases.NAME.retrieval", RetrievalOptions),
    ("limits", LimitsConfig),
    ("defaults", Resilience),
    ("server", ServerConfig),
    ("documents", DocumentsConfig),
    ("documents.collections.NAME", CollectionConfig),
    ("router", RouterConfig),
    ("feedback", FeedbackConfig),
    ("ledger", LedgerConfig),
    ("batches", BatchesConfig),
    ("cache", CacheConfig),
    ("cache.semantic", SemanticConfig),
    ("decomposer", DecomposerConfig),
    ("aggregator", AggregatorConfig),
    ("user_config of the gateway", LiveConfig),
    ("user_config.experts.NAME", LiveExpert),
)


INTRODUCTION = """# Configuration

What stands under `args` of the application in `serve_config.yaml`, or alone in a file for the library. `${VAR}` and
`${VAR:-default}` are replaced from the environment. Unknown fields are refused: `mixture validate FILE` names each
fault, its field and the fix. This page is written from the code by `python -m mixture.reference`.
"""


def markdown() -> str:
    """The reference as Markdown: a table for each section of the configuration."""
    tables = "\n".join(line for title, model in SECTIONS for line in _section(title, model))
    return f"{INTRODUCTION}\n{tables}"


def _section(title: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"## `{title}`" if title != "The whole" else f"## {title}"
    yield ""
    yield _joined(model.__doc__)
    yield ""
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {_joined(field.description)} |"
    yield ""


def _joined(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or value == () or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    return _PLAIN.get(annotation, "mapping")


_PLAIN: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "boolean", Any: "anything"}


if __name__ == "__main__":
    print(markdown(), end="")
