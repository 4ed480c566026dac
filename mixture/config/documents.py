"""What a configuration may say of documents: where they are kept, who may use them, and when requests get some."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mixture.config.expert import Name
from mixture.config.section import Section, Share

CollectionName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
"""Lower case, because some file systems and object stores know no other."""
Scalar = str | bool | int | float


def _as_word(value: object) -> object:
    return {True: "always", False: "off"}.get(value, value) if isinstance(value, bool) else value


When = Annotated[Literal["off", "auto", "always"], BeforeValidator(_as_word)]
"""Without quotes YAML reads `off` as false."""


class CollectionConfig(Section):
    """A collection that is shared between keys. Others belong to the key that adds documents to them."""

    private: bool = False
    """Its passages never reach an expert whose location is `external`."""
    keys: tuple[str, ...] | None = None
    """The names or ids of the keys that may use it; every key when left out."""
    experts: tuple[Name, ...] | None = None
    """The experts that may read its passages; every expert when left out."""
    writable: bool = False
    """Whether the keys that may use it may add documents to it and delete them, too; otherwise only `mixture ingest`
    does."""


class RetrievalOptions(Section):
    """What is retrieved for requests that don't say it themselves."""

    when: When | None = None
    """`always`; `auto`, when documents are near enough to what is asked (`documents.min_score`); or `off`."""
    collection: CollectionName | tuple[CollectionName, ...] | None = None
    """Where is searched; every collection that the key may use when left out."""
    k: Annotated[int, Field(ge=1, le=50)] | None = None
    """Passages, at most."""
    filter: dict[str, Scalar | tuple[Scalar, ...]] | None = None
    """Only passages whose metadata have these values, or one of them."""


class DocumentsConfig(Section):
    """The documents that answers draw on: the index, which `mixture ingest` and `POST /v1/mixture/documents` fill, and
    what the `extractive` expert reads beside it.
    """

    paths: tuple[str, ...] | None = None
    """Files and folders of Markdown and text that the `extractive` expert reads at each start, beside the index; this
    project's own documents when left out. What was read before is not embedded again."""
    min_score: Share = 0.45
    """Below this similarity nothing is quoted (the expert says that it found nothing), and nothing is retrieved for a
    request that did not ask for it."""
    uri: str | None = None
    """Where the index is kept: a folder, or a bucket (`s3://bucket/folder`, `gs://`, `az://`);
    `documents` in $MIXTURE_HOME when left out."""
    storage: dict[str, str] = Field(default_factory=dict, repr=False)
    """Options of the bucket's storage, `region` or `endpoint` for instance."""
    encoder: Literal["minilm", "static"] = "minilm"
    """What turns the passages of new collections into vectors: `minilm`, or the `static` encoder, which takes a
    hundredth of the time and finds less."""
    reranker: str | None = None
    """A folder with a cross-encoder in the form of sentence-transformers, which puts the best passages in order; rules
    that ask no model do when left out."""
    retrieval: When = "auto"
    """When requests that don't say it themselves get passages: see `aliases.NAME.retrieval.when`."""
    k: Annotated[int, Field(ge=1, le=50)] = 6
    """Passages for one request, at most."""
    share: Share = 0.5
    """The share of an expert's context window, beside conversation and answer, that passages may take."""
    private: bool = False
    """Whether collections that are not configured are private (see `collections.NAME.private`) unless whoever adds
    documents says otherwise."""
    max_file_bytes: Annotated[int, Field(ge=1)] = 50_000_000
    """Files over this are not read; neither is text over this that comes out of a smaller one."""
    collections: dict[CollectionName, CollectionConfig] = Field(default_factory=dict)
    """Collections that are shared between keys, by name."""
