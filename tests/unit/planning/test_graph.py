"""Plans as graphs."""

from graphlib import CycleError

import pytest

from mixture.planning import depth, faults, in_order
from mixture.types import Plan, Subtask


def plan(**depends):
    return Plan(tuple(Subtask(name, "text", None, tuple(before)) for name, before in depends.items()))


def test_an_order_that_respects_what_is_waited_for_and_else_the_list():
    made = plan(a="c", b="", c="", d="ab")
    assert [subtask.id for subtask in in_order(made)] == ["b", "c", "a", "d"]
    assert depth(made) == 3
    assert faults(made, 4, 3) == []


def test_faults():
    assert faults(plan(a="", b="", c=""), 2) == ["3 subtasks, at most 2 are allowed"]
    assert faults(plan(a="b", b="c", c=""), 3, 2) == ["a chain of 3 subtasks, at most 2 may wait for each other"]
    assert faults(plan(a="x", b="y"), 3) == [
        "subtask 'a' depends on 'x', which does not exist",
        "subtask 'b' depends on 'y', which does not exist",
    ]
    assert faults(plan(a="b", b="a"), 3)[0].startswith("depends_on goes in a circle: ")


def test_a_circle_has_no_order():
    with pytest.raises(CycleError):
        in_order(plan(a="b", b="a"))


def test_a_final_subtask_exists():
    made = Plan((Subtask("a", "x"), Subtask("b", "y", None, ("a",))), final="c")
    assert faults(made, 2) == ["the final subtask 'c' does not exist"]


def test_nothing_waits_for_the_final_subtask():
    made = Plan((Subtask("a", "x"), Subtask("b", "y", None, ("a",))), final="a")
    assert faults(made, 2) == ["a subtask depends on the final one, 'a'"]
