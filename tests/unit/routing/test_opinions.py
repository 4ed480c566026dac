"""What second opinions are worth: exact in small cases, and never more than they could be."""

import pytest

from mixture.routing.opinions import ALIKE, TOGETHER, Opinion, agreed, all_asked, alone, best


def three(*qualities, cost=0.001):
    return [Opinion(f"e{number}", quality, cost) for number, quality in enumerate(qualities)]


def test_one_alone_is_what_it_is():
    found = alone(Opinion("a", 0.8, 0.01))
    assert (found.right, found.cost_usd, found.calls, found.changed) == (0.8, 0.01, 1, 0)


def test_three_equal_ones_by_hand():
    q = 0.8
    found = agreed(three(q, q, q))
    # By themselves: two or three right win; one right wins when it stands first and the wrong ones differ.
    by_two = q * q + 2 * q * (1 - q) * q
    first_only = q * (1 - q) ** 2 * (1 - ALIKE)
    assert found.right == pytest.approx(TOGETHER * q + (1 - TOGETHER) * (by_two + first_only))
    # The third is asked when the first two differ, as two wrong ones may.
    differ = 2 * q * (1 - q) + (1 - q) ** 2 * (1 - ALIKE)
    together = (1 - q) * (1 - ALIKE)
    assert found.calls == pytest.approx(2 + (1 - TOGETHER) * differ + TOGETHER * together)
    assert found.cost_usd == pytest.approx(found.calls * 0.001)
    assert found.most_usd == pytest.approx(0.003)


def test_everyone_asked_costs_everyone_and_the_writer():
    found = all_asked(three(0.7, 0.7, 0.7), Opinion("w", 0.9, 0.01))
    assert (found.calls, found.cost_usd) == (4, pytest.approx(0.013))
    assert found.right > 0.7


@pytest.mark.parametrize("quality", [0.0, 1.0])
def test_certainty_stays_certain(quality):
    assert agreed(three(quality, quality, quality)).right == pytest.approx(quality)
    assert agreed(three(quality, quality, quality)).changed == pytest.approx(0)


def test_two_of_three_weak_ones_do_not_beat_a_strong_one():
    strong, *weak = Opinion("strong", 0.97, 0.001), *three(0.5, 0.5, 0.5, cost=0.0001)
    assert best(strong, weak, 0.01, open_=False).names == ("strong",)


def test_a_second_opinion_is_asked_for_when_it_is_worth_its_price():
    single, *others = three(0.8, 0.8, 0.8, cost=0.0001)
    assert best(single, others, 0.00001, open_=False).names == ("e0",)
    found = best(single, others, 0.01, open_=False)
    assert set(found.names) == {"e0", "e1", "e2"}
    assert found.worth(0.01) > alone(single).worth(0.01)


def test_the_limit_holds_for_all_that_may_be_asked():
    single, *others = three(0.8, 0.8, 0.8, cost=0.001)
    assert len(best(single, others, 10, 0.003, open_=False).names) == 3
    assert best(single, others, 10, 0.0029, open_=False).names == ("e0",)


def test_an_open_answer_pays_for_everyone():
    single, *others = three(0.8, 0.8, 0.8, cost=0.0002)
    assert len(best(single, others, 0.01, open_=False).names) == 3
    assert best(single, others, 0.01, open_=True).names == ("e0",)


def test_how_often_the_answer_changes_counts_from_the_one_who_would_be_alone():
    cheap, strong = three(0.5, 0.5), Opinion("strong", 1.0, 0.001)
    found = agreed([*cheap, strong], instead=2)
    # Two cheap ones that are both wrong win: by saying the same, or because the first of three answers counts.
    assert found.changed == pytest.approx(TOGETHER * 0.5 + (1 - TOGETHER) * 0.25)
    assert found.changed == pytest.approx(1 - found.right)


def test_several_are_never_chosen_for_being_cheaper_and_worse():
    single = Opinion("dear", 0.85, 0.01)
    cheap = three(0.7, 0.7, 0.7, cost=0.00001)
    assert agreed([*cheap[:2], single]).right < single.quality
    assert best(single, cheap, 0.01, open_=False).names == ("dear",)


def test_a_better_expert_alone_is_an_arrangement_too():
    single, better = Opinion("cheap", 0.7, 0.0001), Opinion("better", 0.9, 0.005)
    assert best(single, [better], 0.01, open_=True).names == ("cheap",)
    assert best(single, [better], 1.0, open_=True).names == ("better",)


def test_guessed_qualities_do_not_push_the_chosen_one_back():
    single, others = Opinion("chosen", 0.8, 0.0005), three(0.8, 0.8, 0.8, cost=0.0001)
    known = best(single, others, 0.01, open_=False)
    guessed = best(single, others, 0.01, open_=False, guessed=True)
    assert "chosen" not in known.names[:2]
    assert guessed.names[0] == "chosen"
