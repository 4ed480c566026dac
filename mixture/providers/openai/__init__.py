"""Any server that speaks OpenAI's chat completions: OpenAI itself, and the catalogue's other presets."""

from mixture.providers.openai.expert import OpenAIExpert, make

__all__ = ["OpenAIExpert", "make"]
