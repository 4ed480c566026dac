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


MOST_AROUND = 64
"""Tokens that a protocol puts around a message or a tool at most."""
MOST_IMAGE = 6_000
"""Tokens of an image at most, of what providers publish for their largest ones."""


def most_prompt_tokens(query: Query) -> int:
    """The most tokens that the prompt of `query` can have: no tokenizer makes more of a text than it has bytes."""
    size, images = 0, 0
    for message in query.messages:
        size += MOST_AROUND + len(message.text.encode())
        images += len(message.images)
        for call in message.tool_calls:
            size += MOST_AROUND + len(call.name.encode()) + len(call.arguments.encode())
    for tool in query.tools:
        size += MOST_AROUND + len(f"{tool.name}{tool.description}{tool.parameters}".encode())
    if query.response_format is not None:
        size += MOST_AROUND + len(str(query.response_format).encode())
    return size + MOST_IMAGE * images


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
