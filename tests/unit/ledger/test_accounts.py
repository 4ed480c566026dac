"""A gateway's part of a budget: who waits, and what is given back."""

import asyncio

import pytest

from mixture.errors import BudgetExceeded, Overloaded
from mixture.ledger.accounts import Account
from mixture.ledger.reports import Grant


async def waiting(account, *amounts):
    tasks = [asyncio.create_task(account.reserve(amount)) for amount in amounts]
    await asyncio.sleep(0)
    return tasks


async def test_a_part_too_small_for_those_who_wait_goes_back():
    account = Account(lambda: None, patience=20)
    tasks = await waiting(account, 0.6, 0.5)
    assert account.asked() == (pytest.approx(1.1), pytest.approx(0.5))
    account.granted(Grant(0.4, 1.0, 0.6))
    account.give_back()
    assert account.lease == 0
    account.granted(Grant(0.5, 1.0, 0.0))
    await tasks[1]
    account.give_back()
    assert (account.lease, account.held) == (0.5, 0.5)  # what is held stays
    account.release(0.5)
    account.granted(Grant(0.0, 0.55, 0.0))
    with pytest.raises(BudgetExceeded):
        await tasks[0]


async def test_who_asks_anew_does_not_make_a_refusal_of_others_an_outage():
    """Time runs out for one while another has only just asked: the ledger has answered since the first one did."""
    account = Account(lambda: None, patience=0.05)
    [first] = await waiting(account, 0.6)
    account.asked()
    account.granted(Grant(0.0, 1.0, 0.6))
    [second] = await waiting(account, 0.7)
    with pytest.raises(BudgetExceeded):
        await first
    with pytest.raises(Overloaded):  # it never had an answer
        await second
