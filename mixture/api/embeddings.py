"""OpenAI's embeddings request and its answer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from pydantic import Field

from mixture.api.parsing import Body, check_count, parse
from mixture.embedding import DIMENSIONS, MODEL
from mixture.errors import InvalidQuery, UnknownModel

MODELS = (MODEL, f"sentence-transformers/{MODEL}")
"""The names that the embedding model goes by."""
MOST = 2_048
"""Texts in one request."""
Text = Annotated[str, Field(json_schema_extra={"minLength": 1})]
Texts = Annotated[list[Text | int | list[int]], Field(json_schema_extra={"minItems": 1, "maxItems": MOST})]


class EmbeddingsRequest(Body):
    """An embeddings request."""

    input: Text | Texts
    """A text or a list of texts; token numbers are refused."""
    model: Annotated[str, Field(min_length=1, max_length=256, json_schema_extra={"enum": list(MODELS)})]
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class AskedVectors:
    """Texts to embed, and how to send the vectors."""

    model: str
    texts: tuple[str, ...]
    base64: bool


def parse_embeddings(body: bytes) -> AskedVectors:
    """The request in `body`. Raises InvalidQuery, naming the field, or UnknownModel."""
    request = parse(body, EmbeddingsRequest)
    if request.model.removeprefix("mixture/") not in MODELS:
        raise UnknownModel(f"the embedding model {request.model!r} does not exist; use {MODEL!r}", param="model")
    if request.dimensions not in (None, DIMENSIONS):
        raise InvalidQuery(f"dimensions: {MODEL} has {DIMENSIONS}; leave it out", param="dimensions")
    return AskedVectors(request.model, _texts(request.input), request.encoding_format == "base64")


def _texts(given: str | list[str | int | list[int]]) -> tuple[str, ...]:
    if isinstance(given, str):
        texts = [given]
    else:
        check_count("input", len(given), MOST)
        texts = [item for item in given if isinstance(item, str)]
        if len(texts) < len(given):
            raise InvalidQuery("input: token numbers are not supported; send text", param="input")
    if not texts or not all(texts):
        where = "input" if isinstance(given, str) or not texts else f"input[{texts.index('')}]"
        raise InvalidQuery(f"{where}: is empty; send text", param=where)
    return tuple(texts)


def encode_embeddings(asked: AskedVectors, vectors: Sequence[Sequence[float]]) -> bytes:
    """The answer as JSON; base64 holds little-endian float32. Tokens are estimated at four characters each."""
    tokens = sum(-(-len(text) // 4) for text in asked.texts)
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(vector) if asked.base64 else list(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage: dict[str, Any] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": asked.model, "usage": usage})


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()
