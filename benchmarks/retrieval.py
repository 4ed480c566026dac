"""Retrieval: what is found on SciFact (BEIR), and how fast among 5,000 and 100,000 passages.

SciFact's abstracts are kept whole, one passage each, and its 300 test claims looked for: by words (BM25), by meaning
(MiniLM), fused by ranks, and in the order that `mixture` uses, which weighs scores; the weight was chosen on the 809
training claims, whose figures stand beside. MiniLM takes minutes for the abstracts, so `--vectors DIR` keeps their
vectors. Speed is measured through `Library.search` in this process; the passages are windows of SciFact's sentences,
taken in by `mixture ingest` with the static encoder. `--quick`: 150 abstracts, which is an easier task, and 2,500 and
10,000 passages in the place of 5,000 and 100,000.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.measures import RESAMPLES, interval
from benchmarks.reporting import finish, need, options, progress, table
from mixture.config import DocumentsConfig
from mixture.retrieval.access import SHARED, Place
from mixture.retrieval.encoders import DIMENSIONS, encoder
from mixture.retrieval.fusion import reciprocal_rank_fusion
from mixture.retrieval.host import Search
from mixture.retrieval.hybrid import Asked, candidates, ordered
from mixture.retrieval.library import Library
from mixture.retrieval.rows import Prepared, worded
from mixture.retrieval.splitting import Document, Span, sentences
from mixture.retrieval.store import Store
from mixture.retrieval.tidying import tidied
from mixture.types import LOCAL

FILES = ("scifact_corpus.parquet", "scifact_queries.parquet", "scifact_qrels.parquet")
PUBLISHED = {"BM25": 0.687, "MiniLM-L6": 0.645, "bge-small": 0.713, "bge-base": 0.743}
"""nDCG@10 on the same test claims, from MTEB's results repository."""
DEPTH = 100
PLACE = Place(SHARED, "scifact")
SEARCHES = 100

Vectors = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim to look evidence for, and the ids of the abstracts that are about it."""

    text: str
    split: str
    relevant: frozenset[str]


def scifact(folder: Path, most: int | None) -> tuple[list[Span], list[Claim]]:
    """The abstracts under their titles, and the claims; of `most` abstracts, those that claims need come first."""
    relevant: dict[int, set[str]] = defaultdict(set)
    for row in pq.read_table(folder / FILES[2]).to_pylist():
        relevant[row["query_id"]].add(str(row["doc_id"]))
    corpus = pq.read_table(folder / FILES[0]).to_pylist()
    spans = [Span(row["text"], str(row["doc_id"]), 0, row["title"]) for row in corpus]
    rows = pq.read_table(folder / FILES[1]).to_pylist()
    claims = [Claim(row["text"], row["split"], frozenset(relevant[row["query_id"]])) for row in rows]
    if most is None:
        return spans, claims
    claims = [one for one in claims if one.split == "test"][:60]
    wanted = {name for one in claims for name in one.relevant}
    spans = sorted(spans, key=lambda span: span.source not in wanted)[:most]
    return spans, claims


async def vectors_of(name: str, texts: Sequence[str], kept: Path | None) -> Vectors:
    """The vectors of `texts` (len(texts) x dimensions), from `kept` when they are there."""
    digest = blake2b("\0".join((name, *texts)).encode(), digest_size=8).hexdigest()
    file = None if kept is None else kept / f"{name}-{digest}.npy"
    if file is not None and file.exists():
        found: Vectors = np.load(file)
        return found
    made = np.asarray(await encoder(name).embed(texts), dtype=np.float32)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, made)
    return made


async def filled(store: Store, name: str, spans: Sequence[Span], vectors: Vectors) -> None:
    """Keep each of `spans` as a document of its own."""
    await store.make(PLACE, DIMENSIONS[name], {"encoder": name})
    documents = [Prepared(span.source, "benchmark", (span,)) for span in spans]
    for start in range(0, len(documents), 1_000):
        await store.put(PLACE, documents[start : start + 1_000], vectors[start : start + 1_000])
    await tidied(store, PLACE)


async def rankings(store: Store, name: str, claims: Sequence[Claim], vectors: Vectors) -> dict[str, list[list[str]]]:
    """For each way to search, the abstracts for each claim, best first."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for claim, vector in zip(claims, vectors.tolist(), strict=True):
        asked = Asked(PLACE, name, vector)
        by_meaning = [hit.document for hit in await store.nearest(PLACE, vector, DEPTH, {})]
        by_words = [hit.document for hit in await store.matching(PLACE, claim.text, DEPTH, {})]
        found["full text (BM25)"].append(by_words)
        found[f"vectors ({name})"].append(by_meaning)
        found[f"hybrid, by rank ({name})"].append(list(reciprocal_rank_fusion([by_meaning, by_words])))
        best = ordered(await candidates(store, asked, claim.text, DEPTH, {}))
        found[f"hybrid, in order ({name})"].append([one.hit.document for one in best])
    return found


def ndcg(ranked: Sequence[str], relevant: frozenset[str], k: int = 10) -> float:
    """The normalised discounted cumulative gain of the first `k` (Järvelin and Kekäläinen 2002)."""
    gained = sum(1 / math.log2(place + 2) for place, name in enumerate(ranked[:k]) if name in relevant)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(k, len(relevant))))


def recall(ranked: Sequence[str], relevant: frozenset[str], k: int = 100) -> float:
    """The share of `relevant` among the first `k`."""
    return len(relevant.intersection(ranked[:k])) / len(relevant)


Measure = Callable[[Sequence[str], frozenset[str]], float]


def mean(ranked: Sequence[Sequence[str]], claims: Sequence[Claim], split: str, measure: Measure) -> Vectors:
    """`measure` of each claim of `split`."""
    pairs = zip(ranked, claims, strict=True)
    return np.array([measure(names, claim.relevant) for names, claim in pairs if claim.split == split])


async def quality(folder: Path, kept: Path | None, most: int | None) -> dict[str, Any]:
    """Print what is found; give the figures for the last line."""
    spans, claims = scifact(folder, most)
    rows, result = [], dict[str, Any]()
    for name in ("static", "minilm"):
        progress(f"{len(spans)} abstracts with {name}")
        documents = await vectors_of(name, [worded(span) for span in spans], kept)
        asked = await vectors_of(name, [claim.text for claim in claims], kept)
        with tempfile.TemporaryDirectory() as index:
            store = Store(index)
            await filled(store, name, spans, documents)
            found = await rankings(store, name, claims, asked)
        for way, ranked in found.items():
            test, train = (mean(ranked, claims, split, ndcg) for split in ("test", "train"))
            reached = float(mean(ranked, claims, "test", recall).mean())
            low, high = interval(lambda w, test=test: float(w @ test / w.sum()), len(test), resamples=RESAMPLES)
            key = re.sub(r"\W+", "_", way).strip("_").lower()
            result[key] = {"ndcg10": round(float(test.mean()), 4), "recall100": round(reached, 4)}
            tuned = f"{train.mean():.4f}" if len(train) else "-"
            rows.append((way, f"{test.mean():.4f}", f"{low:.4f} .. {high:.4f}", f"{reached:.4f}", tuned))
    rows = list(dict.fromkeys(rows)) + [
        (f"{name}, published", f"{value:.4f}", "", "", "") for name, value in PUBLISHED.items()
    ]
    columns = ("way", "nDCG@10", "95%", "recall@100", "nDCG@10, training claims")
    table(f"SciFact: {len(spans)} abstracts, {sum(c.split == 'test' for c in claims)} test claims", columns, rows)
    best = result["hybrid_in_order_minilm"]
    return {"scifact_ndcg10": best["ndcg10"], "scifact_recall100": best["recall100"], "ways": result}


def write_files(folder: Path, spans: Sequence[Span], passages: int, texts: list[str]) -> None:
    """Markdown files whose sections are `passages` windows of up to three sentences."""
    written = 0
    for size in (2, 3, 1):
        for number in range(0, len(spans), 25):
            sections = [text for span in spans[number : number + 25] for text in windows(span, size)]
            sections = sections[: passages - written]
            written += len(sections)
            body = "\n\n".join(f"# Section {place}\n\n{text}" for place, text in enumerate(sections))
            (folder / f"{size}-{number:05}.md").write_text(body, encoding="utf-8")
            texts += sections
            if written >= passages:
                return


def windows(span: Span, size: int) -> list[str]:
    """Every `size` sentences in a row."""
    said = [one.text for one in sentences(Document("", span.text))]
    return [" ".join(said[at : at + size]) for at in range(len(said) - size + 1)]


async def speed(folder: Path, passages: int) -> dict[str, float]:
    """Take in `passages` passages with the command, search, and say what each took."""
    spans, claims = scifact(folder, None)
    with tempfile.TemporaryDirectory() as home:
        files, texts = Path(home) / "files", list[str]()
        files.mkdir()
        write_files(files, spans, passages, texts)
        progress(f"mixture ingest: {passages} passages")
        told = ingested(files, Path(home))
        library = Library(DocumentsConfig(uri=f"{home}/documents"))
        times = []
        for claim in claims[: SEARCHES + 5]:
            began = time.perf_counter()
            await library.search(Search(claim.text, LOCAL))
            times.append((time.perf_counter() - began) * 1e3)
        return {
            **told,
            "ms_p50": float(np.median(times[5:])),
            "ms_p95": float(np.quantile(times[5:], 0.95)),
            "rss_mib": rss(),
        }


def ingested(files: Path, home: Path) -> dict[str, float]:
    """What `mixture ingest` says of itself: passages a second, and MiB at its peak."""
    command = [
        sys.executable,
        "-c",
        "from commands.main import main; main()",
        "ingest",
        str(files),
        "--encoder",
        "static",
    ]
    environ = {**os.environ, "MIXTURE_HOME": str(home), "COLUMNS": "200"}
    more = ["--encoder", "static", "--workers", "0"]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=True, env=environ)
    found = re.search(r"([\d,]+) passages in ([\d.]+) s.*?([\d,]+) MiB", done.stdout)
    if found is None:
        raise SystemExit(f"retrieval: mixture ingest said something else: {done.stdout}{done.stderr}")
    count, seconds, memory = (float(one.replace(",", "")) for one in found.groups())
    return {"passages": count, "passages_per_s": count / seconds, "ingest_mib": memory}


def rss() -> float:
    """MiB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Measure and print."""
    parser = options(__doc__, data=True)
    parser.add_argument("--vectors", type=Path, help="a folder where the vectors of SciFact are kept between runs")
    parser.add_argument("--only", choices=("quality", "speed"), help="one part alone; the other's keys are null")
    chosen = parser.parse_args()
    need(chosen.data, *FILES)
    result: dict[str, Any] = {"scifact_ndcg10": None, "scifact_recall100": None}
    if chosen.only != "speed":
        result |= asyncio.run(quality(chosen.data, chosen.vectors, 150 if chosen.quick else None))
    sizes = {"5k": 2_500 if chosen.quick else 5_000, "100k": 10_000 if chosen.quick else 100_000}
    found = (
        {}
        if chosen.only == "quality"
        else {name: asyncio.run(speed(chosen.data, size)) for name, size in sizes.items()}
    )
    rows = [(f"{one['passages']:,.0f}", *(f"{one[key]:,.1f}" for key in KEYS)) for one in found.values()]
    if rows:
        table("speed, static encoder", ("passages", *(key.replace("_", " ") for key in KEYS)), rows)
    for name in sizes:
        result[f"ms_per_query_{name}"] = round(found[name]["ms_p50"], 3) if found else None
    result["speed"] = {name: {key: round(value, 2) for key, value in one.items()} for name, one in found.items()}
    finish("retrieval", {**result, "sample": chosen.quick}, save=chosen.save)


KEYS = ("ms_p50", "ms_p95", "passages_per_s", "ingest_mib", "rss_mib")

if __name__ == "__main__":
    main()
