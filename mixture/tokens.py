"""Token counts where nobody has counted: a rule of thumb, the same everywhere."""

from __future__ import annotations

from mixture.types import Query

CHARACTERS = 4
"""Characters of English a token, as OpenAI states it: https://help.openai.com/en/articles/4936856"""
MESSAGE = 4
"""Tokens around each message."""
IMAGE = 765
"""Tokens of an image in high detail of 1024 x 1024, as OpenAI counts them for GPT-4o."""


def tokens(characters: int) -> int:
    """About how many tokens so many characters are, rounded up."""
    return -(-characters // CHARACTERS)


def prompt_tokens(query: Query) -> int:
    """About how many tokens the prompt of `query` has, tools and images included."""
    characters = images = 0
    for message in query.messages:
        characters += len(message.text)
        images += len(message.images)
        for call in message.tool_calls:
            characters += len(call.name) + len(call.arguments)
    for tool in query.tools:
        characters += len(tool.name) + len(tool.description or "") + len(str(tool.parameters))
    return tokens(characters) + MESSAGE * len(query.messages) + IMAGE * images
