"""Mixture: many language models, one endpoint.

    from mixture import Mixture

    m = Mixture.from_config("serve_config.yaml")
    print(m.answer_sync("What is 15% of 80?").text)

Importing this package imports neither Ray nor a web framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixture.mixture import Mixture
    from mixture.request import Answer

__all__ = ["Answer", "Mixture", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import mixture.types` stays light for workers and the command line's help.
    if name in ("Mixture", "Answer"):
        from mixture import mixture as module

        return getattr(module, name)
    raise AttributeError(f"module 'mixture' has no attribute {name!r}")
