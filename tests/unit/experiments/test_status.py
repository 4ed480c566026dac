import random

import pytest

from mixture.config import ExperimentConfig
from mixture.experiments import Exposed, Exposure, Mirrored, Side, status_of
from mixture.experiments.records import Records, file_name, lines

SPLIT = ExperimentConfig(control="old", candidate="new")
SHADOW = ExperimentConfig(control="old", candidate="new", mode="shadow")


def exposure(unit, arm="control"):
    return Exposure("chat", arm, "new" if arm == "candidate" else "old", unit, None)


def play(folder, rates, sessions, errors=(0.0, 0.0)):
    """Sessions in turn, each judged well by its arm's rate."""
    records, rng = Records(folder), random.Random(3)
    for number in range(sessions):
        candidate = number % 2 == 1
        one = exposure(f"u{number}", "candidate" if candidate else "control")
        failed = rng.random() < errors[candidate]
        side = Side(0.001 if candidate else 0.004, 1.0, "unavailable" if failed else None)
        records.exposed("key", f"r{number}", Exposed(one, side))
        if not failed:
            records.scored("key", f"r{number}", one, float(rng.random() < rates[candidate]))


def test_a_better_candidate_is_found(tmp_path):
    play(tmp_path, (0.5, 0.9), 600)
    found = status_of("chat", SPLIT, lines(tmp_path, "chat"))
    assert found.may_stop
    assert "higher" in found.verdict
    assert 0 < found.score.low < 0.4 < found.score.high
    assert found.sessions == {"control": 300, "candidate": 300}
    assert found.cost_usd.mean == pytest.approx(-0.003)


def test_equal_ones_go_on_until_the_margin_is_reached(tmp_path):
    play(tmp_path, (0.7, 0.7), 300)
    found = status_of("chat", SPLIT, lines(tmp_path, "chat"))
    assert not found.may_stop
    assert "not decided" in found.verdict
    wide = status_of("chat", SPLIT.model_copy(update={"margin": 0.5}), lines(tmp_path, "chat"))
    assert wide.may_stop
    assert "differ by less than 0.5" in wide.verdict


def test_a_candidate_that_fails_is_stopped(tmp_path):
    play(tmp_path, (0.5, 0.5), 400, errors=(0.0, 0.4))
    found = status_of("chat", SPLIT, lines(tmp_path, "chat"))
    assert found.may_stop
    assert "fails more often" in found.verdict


def test_further_requests_and_notes_of_a_session_do_not_count_again(tmp_path):
    records = Records(tmp_path)
    for number in range(50):
        records.exposed("key", f"r{number}", Exposed(exposure("same"), Side(0.1, 1.0)))
        records.scored("key", f"r{number}", exposure("same"), 1.0)
    found = status_of("chat", SPLIT, lines(tmp_path, "chat"))
    assert found.sessions == {"control": 1, "candidate": 0}
    assert found.judged == {"control": 1, "candidate": 0}
    assert (found.score.n, found.may_stop) == (0, False)


def test_a_shadow_is_bounded_by_how_far_answers_agree(tmp_path):
    records = Records(tmp_path)
    for number in range(2_000):
        apart = number % 40 == 0
        mirrored = Mirrored(
            "key", f"r{number}", exposure(f"u{number}"), Side(0.004, 1.0), Side(0.001, 0.5), 0.0 if apart else 1.0
        )
        records.mirrored(mirrored)
    found = status_of("chat", SHADOW, lines(tmp_path, "chat"))
    assert found.score.low < -0.025 < 0.025 < found.score.high
    assert found.agreement.low < 0.975 < found.agreement.high
    assert found.latency_s.high < 0
    wide = status_of("chat", SHADOW.model_copy(update={"margin": 0.1}), lines(tmp_path, "chat"))
    assert wide.may_stop


def test_judgements_of_the_control_narrow_what_the_shadow_can_be(tmp_path):
    records = Records(tmp_path)
    for number in range(400):
        one = exposure(f"u{number}")
        records.exposed("key", f"r{number}", Exposed(one, Side(0.1, 1.0)))
        records.scored("key", f"r{number}", one, 0.0)
        records.mirrored(Mirrored("key", f"r{number}", one, Side(0.1, 1.0), Side(0.1, 1.0), 0.0))
    found = status_of("chat", SHADOW, lines(tmp_path, "chat"))
    assert found.score.low > -0.1  # what is worth nothing can't be fallen short of
    assert found.score.high == pytest.approx(1.0)


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    records = Records(tmp_path)
    records.exposed("key", "r", Exposed(exposure("u"), Side(None, 1.0)))
    path = tmp_path / "experiments" / "chat.jsonl"
    path.write_text(path.read_text() + '{"kind": "answ')
    assert len(list(lines(tmp_path, "chat"))) == 1
    assert list(lines(tmp_path, "other")) == []
    assert file_name("a/b:c") == "a%2fb%3ac.jsonl"
