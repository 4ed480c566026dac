"""The caches: how often the semantic one is right, and how fast the exact one is.

1. GPTCache's 999 pairs: all `origin` are inserted, each `similar` is looked up; right is the same row. Of all
   thresholds those are reported at which at most 25 and 77 hits are wrong, beside GPTCache's own figures and those of a
   character TF-IDF; and what the default threshold gives.
2. Pairs of questions of our own (`cache_questions.yaml`), asked one after the other of a server in this process whose
   semantic cache is on, in both orders: those that need different answers, and those that mean the same.
3. A server (`mixture serve`) with an expert that answers a constant: requests/s of the same request when it is answered
   by that expert (the no-op: `temperature` is left out, so the cache is not asked), when it is a hit whose bytes came
   before, and when it is a hit whose bytes are new each time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.hits import Hits, measured
from benchmarks.processes import serving, settle
from benchmarks.reporting import finish, need, options, progress, table
from benchmarks.wrk import Load, load_body, need_wrk
from mixture import Mixture
from mixture.trace import Trace
from mixture.types import Caller, Message, Query, Sampling

QUESTIONS = Path(__file__).with_name("cache_questions.yaml")
PUBLISHED = {"GPTCache, threshold .95": (425, 25), "GPTCache, threshold .9": (804, 77)}
TFIDF = {25: 445, 77: 791}
"""Right hits of a character TF-IDF at so many wrong ones, on the same pairs."""
NOOP = '{"model":"constant","messages":[{"role":"user","content":"Say hello to the world in a few words."}]}'
HIT = NOOP[:-1] + ',"temperature":0}'
NEW = NOOP[:-1] + ',"temperature":0,"user":"NUMBER"}'


def pairs(lines: Sequence[str]) -> list[tuple[Query, Query]]:
    """Pairs of questions, each with what was said before it."""
    return [(_query(one), _query(other)) for one, _, other in (line.partition(" | ") for line in lines)]


def _query(text: str) -> Query:
    before, arrow, asked = text.rpartition(" => ")
    said = (Message("user", before.strip()), Message("assistant", "I see.")) if arrow else ()
    return Query((*said, Message("user", asked.strip())), sampling=Sampling(temperature=0))


async def given(lines: Sequence[str], encoder: str) -> tuple[list[bool], list[float]]:
    """Whether each pair's second question gets the first one's answer, in both orders; milliseconds of each look-up."""
    expert = {"name": "e", "provider": "scripted", "options": {"text": "an answer"}}
    cache = {"semantic": {"mode": "on", "recheck": 0, "encoder": encoder}}
    mixture = Mixture.from_config({"experts": [expert], "cache": cache})
    hits, took = [], []
    for number, (one, other) in enumerate(pairs(lines)):
        for order, (first, second) in enumerate(((one, other), (other, one))):
            caller = Caller(f"{number} {order}")
            await mixture.answer(first, "e", trace=Trace(caller=caller))
            began = time.perf_counter()
            answer = await mixture.answer(second, "e", trace=Trace(caller=caller))
            took.append((time.perf_counter() - began) * 1e3)
            hits.append(answer.report.recalled is not None)
    await mixture.close()
    return hits, took


def questions(encoder: str) -> dict[str, Any]:
    """What becomes of our own pairs."""
    data: Mapping[str, Any] = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    rows, wrong, asked = [], 0, 0
    for kind, lines in {**data["different"], "other turn": data["turns"]}.items():
        hits, _ = asyncio.run(given(lines, encoder))
        rows.append((kind, len(lines), sum(hits)))
        wrong, asked = wrong + sum(hits), asked + len(lines)
    hits, took = asyncio.run(given(data["same"], encoder))
    rows.append(("the same meaning", len(data["same"]), f"{sum(hits)} of {len(hits)}"))
    table("our own pairs, in both orders, at the default threshold", ("kind", "pairs", "hits"), rows)
    return {
        "hard_negatives": asked,
        "hard_negatives_wrong": wrong,
        "paraphrases_right": round(sum(hits) / len(hits), 4),
        "semantic_lookup_ms_p50": round(float(np.median(took)), 3),
    }


def speed(seconds: int, patience: float) -> dict[str, Any]:
    """Requests/s of hits beside those of the no-op, on one gateway."""
    expert = {"name": "constant", "provider": "scripted", "options": {"text": "Hello, world."}}
    with serving({"experts": [expert], "server": {"log": "off"}}, first_port=21400) as server:
        settle(server.pid, patience)
        bodies = {"no-op": NOOP, "hit": HIT, "hit, new bytes": NEW}
        for body in bodies.values():
            load_body(server, body, 32, 1)
        many: dict[str, Load] = {}
        for name in ("no-op", "hit", "hit, new bytes"):
            many[name] = load_body(server, bodies[name], 32, seconds)
        again = load_body(server, NOOP, 32, seconds)
        one = {name: load_body(server, body, 1, seconds) for name, body in bodies.items()}
    rows = [(name, many[name].rps, many[name].p50_ms, one[name].p50_ms, one[name].p99_ms) for name in bodies]
    columns = ("request", "requests/s, 32 clients", "p50 ms", "p50 ms, 1 client", "p99 ms, 1 client")
    table("one gateway", columns, [*rows, ("no-op, once more", again.rps, again.p50_ms, "", "")])
    noop = (many["no-op"].rps + again.rps) / 2
    return {
        "hit_rps_over_noop_rps": round(many["hit"].rps / noop, 3),
        "hit_new_bytes_rps_over_noop_rps": round(many["hit, new bytes"].rps / noop, 3),
        "hit_rps": many["hit"].rps,
        "noop_rps": round(noop, 1),
        "hit_ms_p50_1": one["hit"].p50_ms,
        "hit_ms_p99_1": one["hit"].p99_ms,
        "errors": sum(load.errors for load in (*many.values(), *one.values(), again)),
    }


def gptcache(folder: Path, encoders: Sequence[str]) -> dict[str, Any]:
    """GPTCache's pairs, with each encoder."""
    found: dict[str, Hits] = {encoder: measured(folder, encoder) for encoder in encoders}
    rows: list[tuple[object, ...]] = [(name, *figures) for name, figures in PUBLISHED.items()]
    rows += [(f"character TF-IDF, {wrong} wrong", right, wrong) for wrong, right in TFIDF.items()]
    for encoder, hits in found.items():
        for most in (25, 77):
            right, wrong, same = hits.at_most(most)
            rows.append((f"{encoder}, at most {most} wrong ({same} of them the very same text)", right, wrong))
        rows.append((f"{encoder}, the default threshold", *hits.above(0.6)[:2]))
    table("GPTCache's 999 pairs", ("what", "right", "wrong"), rows)
    first = found[encoders[0]]
    result: dict[str, Any] = {
        "gptcache_right_at_25_wrong": first.at_most(25)[0],
        "gptcache_right_at_77_wrong": first.at_most(77)[0],
    }
    for encoder in encoders[1:]:
        result |= {f"gptcache_right_at_{most}_wrong_{encoder}": found[encoder].at_most(most)[0] for most in (25, 77)}
    return result


def main() -> None:
    """Measure one after the other, print."""
    chosen = options(__doc__, data=True).parse_args()
    need(chosen.data, "gptcache_mock.parquet")
    need_wrk()
    progress("GPTCache's pairs")
    result = gptcache(chosen.data, ("static",) if chosen.quick else ("static", "minilm"))
    progress("our own pairs")
    result |= questions("static")
    progress("the server")
    result |= speed(2, 4) if chosen.quick else speed(8, 30)
    finish("cache", result, save=chosen.save)


if __name__ == "__main__":
    main()
