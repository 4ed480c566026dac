"""Everything that a configuration may say, checked before anything starts.

The same mapping stands under `args:` of a Ray Serve application in `serve_config.yaml`, or alone in a file for the
library. `${VAR}` and `${VAR:-default}` are expanded from the environment; an unset variable is an error that names the
field. Unknown fields are errors too, so that a typing mistake is found by `mixture validate` and not in production.
"""

from mixture.config.batches import BatchesConfig
from mixture.config.cache import CacheConfig, SemanticConfig
from mixture.config.documents import CollectionConfig, CollectionName, DocumentsConfig, RetrievalOptions, Scalar
from mixture.config.engine import AutoscalingConfig, EngineConfig
from mixture.config.experiment import ExperimentConfig
from mixture.config.expert import ExpertConfig, PriceConfig, Resilience, ResilienceOverride, SamplingConfig
from mixture.config.feedback import FeedbackConfig
from mixture.config.ledger import LedgerConfig
from mixture.config.live import LiveConfig, LiveExpert, overlaid, parse_live
from mixture.config.loading import ConfigError, document, expand, load, mapping, parse, read
from mixture.config.router import RouterConfig
from mixture.config.schema import (
    STRATEGY_NAMES,
    AggregationName,
    AggregatorConfig,
    AliasConfig,
    Config,
    DecomposerConfig,
    Hedge,
    LimitsConfig,
    OnPartial,
    ServerConfig,
    StrategyOptions,
)
from mixture.config.section import Section

__all__ = [
    "AggregationName",
    "AggregatorConfig",
    "AliasConfig",
    "AutoscalingConfig",
    "BatchesConfig",
    "CacheConfig",
    "CollectionConfig",
    "CollectionName",
    "Config",
    "ConfigError",
    "DecomposerConfig",
    "DocumentsConfig",
    "EngineConfig",
    "ExperimentConfig",
    "ExpertConfig",
    "FeedbackConfig",
    "Hedge",
    "LedgerConfig",
    "LimitsConfig",
    "LiveConfig",
    "LiveExpert",
    "OnPartial",
    "PriceConfig",
    "Resilience",
    "ResilienceOverride",
    "RetrievalOptions",
    "RouterConfig",
    "STRATEGY_NAMES",
    "SamplingConfig",
    "Scalar",
    "Section",
    "SemanticConfig",
    "ServerConfig",
    "StrategyOptions",
    "document",
    "expand",
    "load",
    "mapping",
    "overlaid",
    "parse",
    "parse_live",
    "read",
]
