"""Make `thesaurus.txt.gz` from WordNet 3.0: `python -m mixture.caching.meaning.thesaurus_building DIR`.

DIR holds WordNet's files (Debian's package `wordnet-base` puts them into /usr/share/wordnet). Kept of each word that
the static encoder knows: the synsets of its commoner senses (words that share one are synonyms), its family (words that
are derived from each other), its antonyms, its irregular forms, and whether it is a proper name. No text of WordNet is
in the file; the licence stands in `mixture/routing/static.md`.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

SENSES = {"n": 3, "v": 4, "a": 3, "r": 2}
"""The first senses that count, by part of speech; rarer ones make synonyms of words that hardly ever are."""
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
NAME = "thesaurus.txt.gz"


class _Network:
    """What is read of WordNet, by word."""

    def __init__(self, folder: Path, words: frozenset[str]) -> None:
        self.words = words
        self.synsets: dict[str, list[str]] = defaultdict(list)
        self.antonyms: dict[str, set[str]] = defaultdict(set)
        self.proper: set[str] = set()
        self.parents: dict[str, str] = {}
        self.irregular: dict[str, str] = {}
        self._lemmas: dict[str, list[str]] = {}
        for name, kind in KINDS.items():
            self._read_data(folder / f"data.{name}", kind)
        for name, kind in KINDS.items():
            self._read_pointers(folder / f"data.{name}", kind)
            self._read_index(folder / f"index.{name}", kind)
            self._read_irregular(folder / f"{name}.exc")

    def family(self, word: str) -> str:
        """The word that stands for all that are derived from each other."""
        while self.parents.get(word, word) != word:
            word = self.parents[word]
        return word

    def _read_data(self, path: Path, kind: str) -> None:
        common: set[str] = set()
        for fields in _entries(path):
            lemmas = [_bare(fields[4 + 2 * place]) for place in range(int(fields[3], 16))]
            self._lemmas[kind + fields[0]] = [lemma.lower() for lemma in lemmas]
            for lemma in lemmas:
                (self.proper if lemma[0].isupper() else common).add(lemma.lower())
        self.proper -= common

    def _read_pointers(self, path: Path, kind: str) -> None:
        for fields in _entries(path):
            own = self._lemmas[kind + fields[0]]
            start = 4 + 2 * len(own)
            for place in range(int(fields[start])):
                symbol, offset, part, ends = fields[start + 1 + 4 * place : start + 5 + 4 * place]
                source, target = int(ends[:2], 16), int(ends[2:], 16)
                if symbol in "!+" and source:
                    other = self._lemmas[part.replace("s", "a") + offset][target - 1]
                    self._relate(symbol, own[source - 1], other)

    def _relate(self, symbol: str, one: str, other: str) -> None:
        if one not in self.words or other not in self.words:
            return
        if symbol == "!":
            self.antonyms[one].add(other)
        elif one[:4] == other[:4]:  # what is derived begins alike; chains beyond that wander off
            self.parents[self.family(one)] = self.family(other)

    def _read_index(self, path: Path, kind: str) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = line.split()
            if not line.startswith("  ") and fields[0] in self.words:
                offsets = fields[-int(fields[2]) :]
                self.synsets[fields[0]] += [kind + offset for offset in offsets[: SENSES[kind]]]

    def _read_irregular(self, path: Path) -> None:
        for line in path.read_text(encoding="utf-8").splitlines():
            form, *lemmas = line.split()
            if form in self.words and lemmas[0] in self.words and form != lemmas[0]:
                self.irregular.setdefault(form, lemmas[0])


def _entries(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition(" | ")[0].split() for line in lines if not line.startswith("  ")]


def _bare(lemma: str) -> str:
    return re.sub(r"\(\w+\)$", "", lemma)


def lines_of(folder: Path, words: frozenset[str]) -> list[str]:
    """The table: `word|synsets|family|antonyms|irregular lemma|proper`, numbers in place of WordNet's offsets."""
    net = _Network(folder, words)
    used = defaultdict(list)
    for word in net.synsets:
        for synset in net.synsets[word]:
            used[synset].append(word)
    numbers = {synset: place for place, synset in enumerate(s for s, members in used.items() if len(members) > 1)}
    lines = []
    for word in sorted(words):
        synsets = " ".join(str(numbers[s]) for s in net.synsets.get(word, ()) if s in numbers)
        family = net.family(word)
        fields = (
            word,
            synsets,
            "" if family == word else family,
            " ".join(sorted(net.antonyms.get(word, ()))),
            net.irregular.get(word, ""),
            "1" if word in net.proper else "",
        )
        if any(fields[1:]) or word in net.synsets:
            lines.append("|".join(fields).rstrip("|"))
    return lines


def main() -> None:
    """Write the table beside this file."""
    from mixture.routing.static import PACKAGED  # it stands above, and is needed for making the file only

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with np.load(PACKAGED) as stored:
        pieces = stored["vocabulary"].tobytes().decode().split("\n")
    words = frozenset(piece for piece in pieces if piece.isalpha() and len(piece) > 2)
    data = "\n".join(lines_of(folder, words)).encode()
    path = Path(__file__).with_name(NAME)
    path.write_bytes(gzip.compress(data, mtime=0))
    print(f"{path.name}: {len(data.splitlines())} words, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
