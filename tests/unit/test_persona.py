"""Personas: another expert in a role."""

from __future__ import annotations

import pytest

from mixture.config import ConfigError, ExpertConfig, Resilience
from mixture.metering import metered
from mixture.providers import Context, create
from mixture.providers.scripted import scripted
from mixture.streams import complete
from mixture.types import ImagePart, Message, Price, Query, Sampling, TextPart
from mixture.wrappers import wrap

BASE = scripted("base", price=Price(1, 2), skills=("code",), context_window=100)


def persona(base=BASE, **fields):
    config = ExpertConfig(name="role", provider="persona", expert="base", **fields)
    return create(config, Context(experts={"base": base}))


async def asked(made, query: Query) -> Query:
    await complete(made, query)
    return BASE.queries[-1]


async def test_the_prompt_comes_before_the_conversation():
    made = persona(system_prompt="Be finance.")
    query = await asked(made, Query((Message("user", "Hi"),)))
    assert query.messages == (Message("system", "Be finance."), Message("user", "Hi"))


@pytest.mark.parametrize(
    ("own", "merged"),
    [
        ("In French.", "Be finance.\n\nIn French."),
        ((TextPart("In French."),), (TextPart("Be finance."), TextPart("In French."))),
    ],
)
async def test_a_system_message_of_the_request_follows_in_the_same_message(own, merged):
    made = persona(system_prompt="Be finance.")
    image = Message("user", (ImagePart("https://example.org/x.png"),))
    query = await asked(made, Query((Message("system", own), image)))
    assert query.messages == (Message("system", merged), image)


async def test_the_requests_sampling_wins():
    made = persona(sampling={"temperature": 0.1, "max_tokens": 5, "seed": 3})
    wish = Sampling(temperature=0.9, top_p=0.5, extra={"x": 1})
    query = await asked(made, Query((Message("user", "Hi"),), sampling=wish))
    assert query.sampling == Sampling(temperature=0.9, top_p=0.5, max_tokens=5, seed=3, extra={"x": 1})
    assert query.messages == (Message("user", "Hi"),)


def test_the_card_is_its_own_and_inherits_the_rest():
    card = persona(description="Money", skills=("finance",)).card
    assert (card.name, card.description, card.skills) == ("role", "Money", ("finance",))
    base = BASE.card
    for inherited in ("provider", "model", "price", "context_window", "abilities", "location"):
        assert getattr(card, inherited) == getattr(base, inherited)
    assert persona().card.skills == ("code",)


async def test_a_call_is_metered_once_under_the_outermost_name():
    inner = wrap(persona(wrap(BASE, Resilience())), Resilience())
    config = ExpertConfig(name="outer", provider="persona", expert="role")
    outer = wrap(create(config, Context(experts={"role": inner})), Resilience())
    for made, name in ((inner, "role"), (outer, "outer")):
        with metered(calls := []):
            await complete(made, Query((Message("user", "Hi"),)))
        assert [(call.expert, call.outcome) for call in calls] == [(name, "ok")]


@pytest.mark.parametrize(
    ("base", "fields", "field"),
    [
        (None, {}, "experts.role.expert"),
        (scripted("base", abilities=frozenset()), {"sampling": {"seed": 1}}, "experts.role.sampling.seed"),
    ],
)
def test_a_wrong_configuration_names_the_field(base, fields, field):
    config = ExpertConfig(name="role", provider="persona", expert="base", **fields)
    with pytest.raises(ConfigError) as caught:
        create(config, Context(experts={"base": base} if base else {}))
    assert caught.value.param == field
