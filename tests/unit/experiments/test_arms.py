import pytest

from mixture.config import ConfigError, ExperimentConfig, parse
from mixture.experiments import Experiments
from mixture.experiments.arms import fraction, unit_of
from mixture.types import LOCAL, Caller, Message, Query


def experiments(**fields):
    data = {
        "experts": [{"name": name, "provider": "scripted"} for name in ("old", "new")],
        "feedback": {"folder": "feedback"},
        "aliases": {"chat": {"experiment": {"control": "old", "candidate": "new", **fields}}},
    }
    return Experiments(parse(data, {}).aliases)


def ask(text, session=None):
    return Query((Message("user", text),), session=session)


def test_a_session_stays_with_its_arm_and_arms_get_their_share():
    found = experiments(share=0.2)
    arms = [found.expose("chat", ask("hello", f"s{number}"), LOCAL).arm for number in range(2_000)]
    assert arms == [found.expose("chat", ask("other words", f"s{number}"), LOCAL).arm for number in range(2_000)]
    assert 330 < arms.count("candidate") < 470
    assert found.expose("mixture/chat", ask("hello", "s1"), LOCAL) == found.expose("chat", ask("hello", "s1"), LOCAL)
    assert found.expose("old", ask("hello"), LOCAL) is None


def test_a_conversation_without_a_name_goes_by_its_beginning_and_its_caller():
    longer = Query((Message("user", "hello"), Message("assistant", "hi"), Message("user", "and now?")))
    assert unit_of(ask("hello"), LOCAL) == unit_of(longer, LOCAL)
    assert unit_of(ask("hello"), LOCAL) != unit_of(ask("hello"), Caller("other"))
    assert unit_of(ask("hello", "s"), LOCAL) != unit_of(ask("hello"), LOCAL)
    assert fraction("one", "unit") != fraction("two", "unit")


def test_a_shadow_answers_by_the_control_alone():
    found = experiments(mode="shadow", share=1)
    exposure = found.expose("chat", ask("hello"), LOCAL)
    assert (exposure.arm, exposure.model, exposure.shadow) == ("control", "old", "new")
    some = experiments(mode="shadow", share=0.3)
    mirrored = [some.expose("chat", ask("x", str(n)), LOCAL).shadow for n in range(1_000)]
    assert 230 < mirrored.count("new") < 370


@pytest.mark.parametrize(
    ("experiment", "more", "where"),
    [
        ({"candidate": "nobody"}, {}, "aliases.chat.experiment.candidate: unknown model 'nobody'"),
        ({"candidate": "old"}, {}, "same model"),
        ({"share": 0.99}, {}, "aliases.chat.experiment.share"),
        ({"candidate": "second"}, {"second": True}, "'second' is an experiment itself"),
        ({}, {"feedback": {}}, "set `feedback.folder`"),
        ({}, {"experts": ["old"]}, "aliases.chat.experts"),
    ],
)
def test_what_is_wrong_is_named(experiment, more, where):
    one = {"experiment": {"control": "old", "candidate": "new", **experiment}}
    aliases = {"chat": one, **({"second": one} if "second" in more else {})}
    if "experts" in more:
        one["experts"] = more["experts"]
    data = {
        "experts": [{"name": name, "provider": "scripted"} for name in ("old", "new")],
        "feedback": more.get("feedback", {"folder": "feedback"}),
        "aliases": aliases,
    }
    with pytest.raises(ConfigError, match="aliases") as error:
        parse(data, {})
    assert where in str(error.value)


def test_a_configuration_has_its_defaults():
    config = ExperimentConfig(control="a", candidate="b")
    assert (config.mode, config.share, config.confidence) == ("split", 0.5, 0.95)
