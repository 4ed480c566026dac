"""A language model's inner layers as a router's encoder: a real model, made here, of which a third is read."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from mixture.config import ConfigError, RouterConfig
from mixture.routing import calibrating, make_router
from mixture.routing.classification import FIRST, LAST
from mixture.routing.encoders import text_model
from mixture.routing.hidden_states import HiddenStates, is_language_model

WORDS = ("<unk>", "prove", "that", "the", "sum", "of", "odd", "integers", "is", "even", "write", "a", "poem")
SIZE, LAYERS = 16, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny-llama")
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(path)
    torch.manual_seed(0)
    shape = {"hidden_size": SIZE, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": LAYERS}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), **shape)).save_pretrained(path)
    return path


def expected(folder: Path, text: str) -> np.ndarray:
    """By the whole model, without a batch: the mean and the end of what leaves the second of its six layers."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        states = model(**tokenizer(text, return_tensors="pt"), output_hidden_states=True).hidden_states[LAYERS // 3][0]
    return np.concatenate([states.mean(0).numpy(), states[-1].numpy()])


async def test_a_vector_is_what_the_layer_at_a_third_of_the_depth_says_whatever_else_is_in_the_batch(
    folder: Path,
) -> None:
    texts = ["prove that the sum of odd integers is even", "write a poem", "prove that a poem is odd", "even"]
    vectors = np.array(await HiddenStates(folder).embed(texts))
    assert vectors.shape == (4, 2 * SIZE)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.allclose(vector, expected(folder, text), atol=1e-5)


def test_any_text_has_a_vector(folder: Path) -> None:
    model = HiddenStates(folder)
    long = "prove the sum " * 20_000
    vectors = model.encode(["", "\x00", "写一首诗", long, long[:FIRST] + "\n" + long[-LAST:]])
    assert np.isfinite(vectors).all()
    assert np.allclose(vectors[3], vectors[4]), "the beginning and the end count"


def test_a_calibration_is_learned_with_it(folder: Path, log) -> None:
    assert isinstance(text_model(str(folder)), HiddenStates)
    calibration = calibrating.calibrate(log, encoder=str(folder))
    assert calibration.encoder == str(folder)
    assert len(calibration.predictor.features.embedding_mean) == 2 * SIZE


def test_sentences_are_not_compared_by_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"router\.encoder.*is a language model.*sentence-transformers"):
        make_router(RouterConfig(kind="embedding", encoder=str(folder)))


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "packed_model"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('this is not to be imported')")
    (package / "model.Q4.gguf").write_bytes(b"GGUF")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("mixture.routing.hidden_states.NEEDED", ("no_such_package",))
    with pytest.raises(LookupError, match="'packed_model' is a model in GGUF: install no_such_package"):
        text_model("packed_model")


def test_a_model_made_for_sentences_is_none(tmp_path: Path) -> None:
    assert not is_language_model(tmp_path)
    (tmp_path / "modules.json").write_text("[]")
    (tmp_path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    assert not is_language_model(tmp_path)
    (tmp_path / "modules.json").unlink()
    assert is_language_model(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    assert not is_language_model(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"router\.encoder.*config\.json that is no JSON"):
        make_router(RouterConfig(kind="embedding", encoder=str(tmp_path)))
