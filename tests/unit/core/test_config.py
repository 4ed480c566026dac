"""What a configuration may say, and what it is told when it says something else."""

import pytest

from mixture.config import ConfigError, Resilience, expand, load, mapping, parse

A = {"name": "a", "provider": "scripted"}


def fault(data, environ=None):
    with pytest.raises(ConfigError) as raised:
        parse(data, environ or {})
    return raised.value.message


def test_nothing_said_means_to_look_for_experts():
    assert parse(None, {}).discovers
    assert not parse({"experts": [A]}, {}).discovers
    assert parse({"experts": [A], "discover": True}, {}).discovers


def test_variables_are_expanded_wherever_they_stand():
    data = {"experts": [A | {"api_key": "${KEY}", "options": {"text": ["${GREETING:-hello}", "x${KEY}y"]}}]}
    (expert,) = parse(data, {"KEY": "k"}).experts
    assert expert.api_key == "k"
    assert expert.options == {"text": ["hello", "xky"]}


def test_a_variable_that_is_not_set_names_the_field():
    assert fault({"experts": [A | {"api_key": "${NOT_SET}"}]}).startswith("experts[0].api_key: ")
    assert expand({"a": [1, None, True]}, {}) == {"a": [1, None, True]}


def test_a_key_is_not_shown():
    assert "s3cret" not in repr(parse({"experts": [A | {"api_key": "s3cret"}]}, {}))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({"expert": []}, "expert: unknown field"),
        ({"experts": [{"name": "a"}]}, "experts[0].provider: "),
        ({"experts": [A | {"nmae": 1}]}, "experts[0].nmae: unknown field"),
        ({"experts": [A | {"name": "a b"}]}, "experts[0].name: "),
        ({"server": {"api_keys": ["good", ""]}}, "server.api_keys[1]: "),
        ({"server": {"api_keys": ["with space"]}}, "server.api_keys[0]: "),
        ({"defaults": {"timeout": float("nan")}}, "defaults.timeout: "),
        ({"experts": [A, A]}, "two experts are named 'a'"),
        ({"experts": [A | {"name": "voting"}]}, "taken by a strategy"),
        ({"experts": [A | {"timeout": 0}]}, "experts[0].timeout: "),
        ({"experts": [A | {"price": {"input": -1, "output": 1}}]}, "experts[0].price.input: "),
        ({"experts": [A], "strategies": {"votign": {}}}, "strategies: unknown strategy 'votign'"),
        ({"experts": [A], "strategies": {"voting": {"voting_threshold": 2}}}, "strategies.voting.voting_threshold: "),
        ({"experts": [A], "aliases": {"a": {"expert": "a"}}}, "aliases: the name 'a' is taken"),
        ({"experts": [A], "aliases": {"x": {}}}, "aliases.x: an alias needs exactly one"),
        ({"experts": [A], "aliases": {"x": {"expert": "b"}}}, "aliases.x.expert: unknown expert 'b'; known: a"),
        ({"experts": [A], "aliases": {"x": {"strategy": "voting", "experts": ["b"]}}}, "aliases.x.experts: unknown"),
        ({"experts": [A], "specialist_map": {"math": "b"}}, "specialist_map.math: unknown expert 'b'"),
        ({"experts": [A], "fallback_order": ["b"]}, "fallback_order: unknown expert 'b'"),
        ({"experts": [{"name": "p", "provider": "persona"}]}, "a persona needs `expert`"),
        ({"experts": [A | {"system_prompt": "x"}]}, "belong to `provider: persona`"),
        ({"experts": [A, {"name": "p", "provider": "persona", "expert": "q"}]}, "experts.p.expert: unknown expert 'q'"),
        (
            {"experts": [A, {"name": "p", "provider": "persona", "expert": "a", "timeout": 3}]},
            "experts.p.timeout: a persona is protected as the expert that it is: set it on 'a'",
        ),
        (
            {
                "experts": [
                    {"name": "p", "provider": "persona", "expert": "q"},
                    {"name": "q", "provider": "persona", "expert": "p"},
                ]
            },
            "the persona reaches itself",
        ),
    ],
)
def test_faults_name_the_field(data, where):
    assert where in fault(data)


def test_several_faults_are_told_at_once():
    message = fault({"experts": [A | {"timeout": 0, "num_retries": 99}], "nonsense": 1})
    assert len(message.splitlines()) == 3


def test_an_expert_s_own_protection_goes_over_the_defaults():
    config = parse({"experts": [A | {"timeout": 5}], "defaults": {"num_retries": 0, "timeout": 9}}, {})
    assert config.resilience(config.experts[0]) == Resilience(num_retries=0, timeout=5)


def test_a_bare_mapping_and_a_serve_config_are_both_read(tmp_path):
    bare, served = tmp_path / "bare.yaml", tmp_path / "serve.yaml"
    bare.write_text("experts: [{name: a, provider: scripted}]")
    served.write_text(
        "applications:\n- name: mixture\n  import_path: deployments.app:build\n"
        "  args: {experts: [{name: a, provider: scripted}]}"
    )
    assert load(bare, {}) == load(served, {})
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert load(empty, {}).discovers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2", "not valid YAML"),
        ("- a", "a mapping is expected"),
        ("applications: []", "exactly one"),
        ("applications: [{import_path: 'deployments.app:build', args: [1]}]", "a mapping is expected"),
        ("applications: 3", "exactly one"),
    ],
)
def test_files_that_are_none(tmp_path, text, said):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        mapping(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path)
