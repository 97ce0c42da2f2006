"""What a budget is made of, and what it refuses to be made of."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import ConfigurationError, Operation
from facematch_core.resilience import Budget
from facematch_core.resilience.budget import format_amount

PRICE = {Operation.MATCH: Decimal("0.05")}
USD = {"currency": "USD", "price": PRICE}

WRONG = {
    "calls as a float": (1.0, {}, "whole number of calls, not float"),
    "calls as an amount": (Decimal(1), {}, "an amount needs a currency"),
    "true": (True, {}, "not bool"),
    "text": ("5", {}, "not str"),
    "below nothing": (-1, {}, "between 0 and"),
    "beyond all bounds": (10**12 + 1, {}, "between 0 and"),
    "a float": (0.5, USD, "must be a Decimal, not float: floats are not exact. Write Decimal"),
    "a true amount": (True, USD, "must be a Decimal, not bool"),
    "no number": (Decimal("NaN"), USD, "between 0 and"),
    "no signalling number": (Decimal("sNaN"), USD, "between 0 and"),
    "without end": (Decimal("Infinity"), USD, "between 0 and"),
    "too fine": (Decimal("0.0000001"), USD, "more than six decimal places"),
    "no name": (1, {"name": ""}, "name of a budget must be text"),
    "a name of bytes": (1, {"name": b"shop"}, "name of a budget must be text"),
    "a name that steers": (1, {"name": "a\x1b[2J"}, "name of a budget must be text"),
    "a long name": (1, {"name": "a" * 201}, "1 to 200 characters"),
    "a word for a currency": (1, {**USD, "currency": "dollars"}, "three capital letters"),
    "a currency in small": (1, {**USD, "currency": "usd"}, "three capital letters"),
    "no price": (1, {"currency": "USD"}, "set price={Operation.MATCH"),
    "no price of whose": (1, {"currency": "USD"}, "The budget 'shop' counts USD"),
    "an empty price": (1, {"currency": "USD", "price": {}}, "needs to know what calls cost"),
    "a price of calls": (1, {"price": PRICE}, "prices only with a currency"),
    "a price as a float": (1, {**USD, "price": {Operation.MATCH: 0.05}}, "price of match"),
    "a price of what": (1, {**USD, "price": {"fly": Decimal(1)}}, "there are match, liveness"),
    "an odd period": (1, {"per": "week"}, "per must be one of day, total"),
    "no period": (1, {"per": None}, "per must be one of day, total"),
    "no lease": (1, {"lease_s": 0}, "lease_s of a budget must be a number of seconds above 0"),
    "an endless lease": (1, {"lease_s": float("inf")}, "lease_s of a budget must be a number"),
    "a lease in words": (1, {"lease_s": "900"}, "lease_s of a budget must be a number"),
}


@pytest.mark.parametrize(("cap", "given", "says"), WRONG.values(), ids=WRONG)
def test_refused(cap, given, says):
    """One sentence that says what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        Budget(cap, **{"name": "shop", **given})
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("cap", "given"),
    [
        (0, {}),
        (10**12, {}),
        (5, USD),
        (Decimal("5.50"), USD),
        (Decimal("1E+3"), USD),
        (1, {"per": "day"}),
        (1, {"currency": "USD", "price": {"match": 1}}),
    ],
)
def test_taken(cap, given):
    """Words stand for their enumerations, as in a file; a whole number for an amount."""
    assert Budget(cap, name="shop", **given).name == "shop"


def test_the_longest_name():
    """200 characters, as the refusal of a longer one says."""
    assert Budget(1, name="a" * 200).name == "a" * 200


def test_amounts_do_not_depend_on_the_callers_precision():
    """A program may calculate with few digits elsewhere."""
    with localcontext(prec=5):
        assert Budget(Decimal("123456.789012"), name="shop", **USD).name == "shop"


def test_it_shows_no_store():
    """An address may hold a password."""
    assert repr(Budget(5, name="shop")) == "Budget(5, name='shop', per=TOTAL)"


@given(st.decimals(0, 10**12, places=6))
def test_amounts_are_shown_exactly(amount):
    """In plain digits, whatever the number looks like inside."""
    text = format_amount(amount)
    assert Decimal(text) == amount
    assert set(text) <= set("0123456789.")
    assert not text.endswith(".")
