"""Claude models through Anthropic's Messages API."""

from mixture.providers.anthropic.expert import AnthropicExpert, make

__all__ = ["AnthropicExpert", "make"]
