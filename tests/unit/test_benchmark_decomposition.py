"""How found steps are counted."""

from benchmarks.decomposition import Question, content, dice, matched, measured


def test_content_words():
    assert content("return the currency of #1 that is used in  Denver's airports") == {
        "currency",
        "used",
        "denver",
        "airport",
    }
    assert content("Is #2 the same as #1?") == frozenset()


def test_alike():
    assert dice(frozenset("ab"), frozenset("bc")) == 0.5
    assert dice(frozenset(), frozenset()) == 0.0


def test_each_subtask_matches_one_step_and_the_matching_is_the_largest():
    first, second, both = frozenset("ab"), frozenset("cd"), frozenset("abcd")
    assert matched([both], [first, second]) == 1
    assert matched([both, first], [first, second]) == 2
    assert matched([first, first, first], [first, second]) == 1
    assert matched([], [first]) == 0


def test_coverage_and_agreement():
    questions = [
        Question("red apples; green pears", ["return red apples", "return green pears", "return if #1 and #2"]),
        Question("blue plums", ["return blue plums"]),
        Question("what", ["return #1"]),
    ]
    found = measured(questions, lambda text: text.split("; "))
    assert found.coverage.tolist() == [1.0, 1.0]
    assert found.agreement.tolist() == [0.0, 1.0, 1.0]
    assert found.split.tolist() == [1.0, 0.0, 0.0]
