"""JSON answers merged field by field."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixture.aggregation import make_aggregator
from mixture.aggregation.merging import merged
from mixture.aggregation.schemas import fits
from mixture.types import Choice, Completion, FieldVote, Message, Query, ResponseFormat


def value(*values, schema=None, weights=None):
    return merged(values, schema, weights).value


def obj(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


def test_each_kind_has_its_vote():
    found = merged(
        [
            {"colour": "Red", "ok": True, "n": 1, "x": 1.0, "tags": ["a", "b"]},
            {"colour": "blue", "ok": True, "n": 2, "x": 2.5, "tags": ["b"]},
            {"colour": " red ", "ok": False, "n": 9, "x": 4.0, "tags": ["B", "c"]},
        ],
        None,
    )
    assert found.value == {"colour": "Red", "ok": True, "n": 2, "x": 2.5, "tags": ["b", "a", "c"]}
    assert found.fields["colour"] == FieldVote(pytest.approx(2 / 3), 2)
    assert found.fields["tags"] == FieldVote(pytest.approx(5 / 9), (3, 1, 1))
    assert 0 < found.agreement < 1


def test_whole_numbers_stay_whole():
    assert value({"n": 1}, {"n": 4}) == {"n": 1}
    assert value({"n": 1.0}, {"n": 2.0}) == {"n": 1.5}
    typed = obj(n={"type": "integer"})
    found = value({"n": 1.0}, {"n": 2.0}, schema=typed)
    assert found == {"n": 1} and isinstance(found["n"], int)
    assert value({"n": 1.0}, {"n": 2.0}, schema=obj(n={"multipleOf": 1})) == {"n": 1.0}


def test_optional_fields_by_majority():
    assert value({"a": 1, "b": 1}, {"a": 1}, {"a": 1}) == {"a": 1}
    assert value({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1}) == {"a": 1, "b": 1}
    assert value({"a": 1}, {"a": 1, "b": 2}) == {"a": 1}
    assert value({"a": 1, "b": 2}, {"a": 1}) == {"a": 1, "b": 2}


def test_null_is_a_value():
    assert value({"a": None}, {"a": None}, {"a": 3}) == {"a": None}
    assert value({"a": None}, {"a": 2}, {"a": 3}) == {"a": 2}


def test_objects_in_lists_pair_up_by_their_key():
    found = merged(
        [
            {"items": [{"id": 1, "price": 10.0}, {"id": 2, "price": 5.0}]},
            {"items": [{"id": 2, "price": 7.0}, {"id": 1, "price": 10.0}]},
            {"items": [{"id": 2, "price": 6.0}, {"id": 3, "price": 1.0}]},
        ],
        None,
    )
    assert found.value["items"] == [{"id": 2, "price": 6.0}, {"id": 1, "price": 10.0}, {"id": 3, "price": 1.0}]
    assert found.fields["items"].support == (3, 2, 1)
    assert found.fields["items[1].price"] == FieldVote(1.0, 2)


def test_objects_without_a_key_pair_up_only_when_they_are_much_alike():
    one, two, far = {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 9, "c": 8}
    assert value({"l": [one]}, {"l": [two]}, {"l": [far]}) == {"l": [one, far]}


def test_rows_of_a_fixed_length_and_lists_with_repetitions_stay_whole():
    box = obj(box={"type": "array", "minItems": 2, "maxItems": 2})
    assert value({"box": [1, 2]}, {"box": [3, 4]}, {"box": [3, 4]}, schema=box) == {"box": [3, 4]}
    assert value({"f": [2, 2, 3]}, {"f": [2, 3]}, {"f": [2, 2, 3]}) == {"f": [2, 2, 3]}


def test_at_most_as_many_items_as_are_allowed():
    schema = obj(t={"type": "array", "items": {"type": "string"}, "maxItems": 2})
    assert value({"t": ["a"]}, {"t": ["b", "c"]}, {"t": ["c", "a"]}, schema=schema) == {"t": ["a", "c"]}


def test_a_long_text_comes_whole_from_who_agrees_most():
    long = ["The first says it at great length, and is wrong in everything else.", "x" * 90, "y" * 90]
    found = merged(
        [{"a": 1, "b": 1, "why": long[0]}, {"a": 2, "b": 2, "why": long[1]}, {"a": 2, "b": 2, "why": long[2]}], None
    )
    assert found.value == {"a": 2, "b": 2, "why": long[1]}
    assert value({"why": long[0]}, {"why": long[1]}, {"why": long[1]}) == {"why": long[1]}


def test_enumerations_and_references():
    schema = {
        **obj(size={"$ref": "#/$defs/size"}, n={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        "$defs": {"size": {"enum": [1, 5, 9]}},
    }
    assert value({"size": 1, "n": 1}, {"size": 9, "n": 2}, {"size": 9, "n": 3}, schema=schema) == {"size": 9, "n": 2}


def test_what_does_not_fit_gives_way_to_the_best_supported_proposal():
    kinds = ({"properties": {k: {"const": k}, "v": {"const": k}}, "required": [k, "v"]} for k in "ab")
    schema = {"oneOf": [kind | {"additionalProperties": False} for kind in kinds]}
    values = [{"a": "a", "v": "a"}, {"b": "b", "v": "b"}, {"b": "b", "v": "b"}, {"a": "a", "v": "a"}]
    found = merged(values, schema)
    assert fits(found.value, schema)
    sums = {
        "properties": {"x": {}, "y": {}},
        "oneOf": [{"properties": {"x": {"const": n}, "y": {"const": n}}} for n in (1, 2, 3)],
    }
    crossed = merged([{"x": 1, "y": 1}, {"x": 3, "y": 3}, {"x": 2, "y": 2}], sums)
    assert fits(crossed.value, sums)


def test_weights():
    assert value({"a": "x"}, {"a": "y"}, {"a": "y"}, weights=[3, 1, 1]) == {"a": "x"}
    assert value({"a": 1}, {"a": 5}, {"a": 9}, weights=[1, 1, 9]) == {"a": 9}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcid"), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON, min_size=1, max_size=4))
def test_anything_merges_and_one_alone_stays_itself(values):
    found = merged(values, None)
    json.dumps(found.value)
    assert 0 <= found.agreed <= len(values)
    assert value(values[0], values[0], values[0]) == values[0]


def test_deep_values_end():
    deep = json.loads("[" * 900 + "]" * 900)
    assert merged([deep, deep], None).value == deep


async def test_the_verdict_carries_the_merge():
    schema = obj(["n"], n={"type": "integer"}, t={"type": "array"})
    query = Query((Message("user", "?"),), response_format=ResponseFormat("json_schema", schema=schema))
    texts = ('{"n": 1, "t": ["a"]}', '```json\n{"n": 3, "t": ["a", "b"]}\n```', '{"n": 2, "t": ["a"]}')
    proposals = [Completion(f"e{i}", (Choice(text),)) for i, text in enumerate(texts)]
    verdict = await make_aggregator(None).aggregate(query, proposals)
    assert json.loads(verdict.text) == {"n": 2, "t": ["a", "b"]}
    assert verdict.fields["t"].support == (3, 1)
    weighed = await make_aggregator(None).aggregate(query, proposals, {"e1": 9.0})
    assert json.loads(weighed.text)["n"] == 3
