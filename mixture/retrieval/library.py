"""The documents' index in this process, with who may use what: the `DocumentHost` that others are twins of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mixture.config import CollectionConfig, DocumentsConfig
from mixture.retrieval.access import Place, usable, written
from mixture.retrieval.encoders import DIMENSIONS, encoder
from mixture.retrieval.host import Entry, Kept, Search, Submission, UnknownCollection, UnknownDocument, kept_at
from mixture.retrieval.hybrid import Asked, Found, Rerank, hybrid
from mixture.retrieval.intake import Intake
from mixture.retrieval.reranking import cross_encoder
from mixture.retrieval.store import Store
from mixture.retrieval.upkeep import Upkeep
from mixture.types import Caller, Embedder, Passage


@dataclass(frozen=True, slots=True)
class _About:
    """What was said of a collection when it was made."""

    encoder: str
    private: bool


def library(config: DocumentsConfig, environ: Mapping[str, str]) -> Library:
    """The index that `config` describes, in this process; nothing is opened before it is used."""
    rerank = None if config.reranker is None else cross_encoder(config.reranker)
    return Library(kept_at(config, environ), rerank=rerank)


class Library:
    """Collections at `config.uri`. `encoders` gives the encoder of a name; `rerank` puts what was found in order."""

    def __init__(
        self,
        config: DocumentsConfig,
        encoders: Mapping[str, Embedder] | None = None,
        rerank: Rerank | None = None,
    ) -> None:
        self._config = config
        self._encoders = encoders or {name: encoder(name) for name in DIMENSIONS}
        self._rerank = rerank
        self._abouts: dict[Place, _About] = {}
        self.store = Store(config.uri or "documents", config.storage)
        self.upkeep = Upkeep(self.store)

    async def search(self, search: Search) -> list[Passage]:
        """See `DocumentHost.search`."""
        places = await self._places(search.caller, search.collections)
        if not places or not search.text.strip():
            return []
        abouts = {place: await self._about(place) for place in places}
        vectors = {
            name: (await self._encoders[name].embed([search.text]))[0] for name in {a.encoder for a in abouts.values()}
        }
        asked = [Asked(place, abouts[place].encoder, vectors[abouts[place].encoder]) for place in places]
        found = await hybrid(self.store, asked, search.text, search.k, search.filter, self._rerank)
        return [self._passage(one, abouts[one.asked.place]) for one in found]

    async def holds(self, caller: Caller) -> bool:
        """See `DocumentHost.holds`."""
        return bool(await self._places(caller, None))

    async def add(
        self, caller: Caller, collection: str, documents: Sequence[Submission], private: bool | None = None
    ) -> list[Entry]:
        """See `DocumentHost.add`."""
        place = written(collection, caller, self._config, await self.store.places())
        intake = await self.intake(place, private)
        try:
            return await intake.add(documents)
        finally:
            self.upkeep.touched(place)

    async def intake(self, place: Place, private: bool | None = None, name: str | None = None) -> Intake:
        """What takes documents into the collection, which is made, with the encoder `name`, when it is not there."""
        if place not in await self.store.places():
            chosen = name or self._config.encoder
            kept = self._config.private if private is None else private
            await self.store.make(place, DIMENSIONS[chosen], {"encoder": chosen, "private": str(kept).lower()})
        about = await self._about(place)
        return Intake(self.store, place, about.encoder, self._encoders[about.encoder], self._config.max_file_bytes)

    async def kept(self, caller: Caller, collection: str | None = None) -> list[Kept]:
        """See `DocumentHost.kept`."""
        found = []
        for place in await self._places(caller, None if collection is None else (collection,)):
            private = self._private(place, await self._about(place))
            found += [
                Kept(name, place.name, passages, place.shared, private, metadata)
                for name, passages, metadata in await self.store.documents(place)
            ]
        return found

    async def delete(self, caller: Caller, collection: str, document: str) -> Entry:
        """See `DocumentHost.delete`."""
        await self._places(caller, (collection,))
        place = written(collection, caller, self._config, await self.store.places())
        if place not in await self.store.places() or not await self.store.digests(place, [document]):
            raise UnknownDocument(f"the collection {collection!r} has no document {document!r}", param="document")
        await self.store.delete(place, [document])
        self.upkeep.touched(place)
        return Entry(document, "deleted")

    async def follow(self) -> None:
        """See `DocumentHost.follow`."""
        await self.upkeep.run()

    async def _places(self, caller: Caller, names: Sequence[str] | None) -> list[Place]:
        """Where `caller` may search. Raises UnknownCollection for a name that is nothing to it."""
        places = [place for place in await self.store.places() if usable(place, caller, self._config)]
        if names is None:
            return places
        for name in names:
            if not any(place.name == name for place in places):
                raise UnknownCollection(f"there is no collection {name!r} for this key", param="collection")
        return [place for place in places if place.name in names]

    async def _about(self, place: Place) -> _About:
        if place not in self._abouts:
            told = await self.store.about(place)
            self._abouts[place] = _About(told.get("encoder", "minilm"), told.get("private") == "true")
        return self._abouts[place]

    def _configured(self, place: Place) -> CollectionConfig:
        known = self._config.collections.get(place.name) if place.shared else None
        return known or CollectionConfig(private=self._config.private)

    def _private(self, place: Place, about: _About) -> bool:
        """Private when either the configuration or whoever made it says so."""
        configured = self._config.collections.get(place.name) if place.shared else None
        return about.private or (configured is not None and configured.private)

    def _passage(self, one: Found, about: _About) -> Passage:
        readers = self._configured(one.asked.place).experts
        return Passage(
            one.hit.text,
            one.hit.document,
            one.hit.offset,
            one.similarity,
            one.hit.heading,
            one.hit.document,
            one.asked.place.name,
            self._private(one.asked.place, about),
            None if readers is None else frozenset(readers),
        )
