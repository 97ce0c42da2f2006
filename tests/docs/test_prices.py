"""List prices: one file of facts; the mocks and the examples have no other numbers."""

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest
from kit.of_vendors import of_vendors

from facematch_comparison.cli.list_prices import read_facts
from facematch_mock_server.claims import OURS
from facematch_mock_server.vendors import vendor_named, vendor_names

DOCS = Path(__file__).parents[2] / "docs"
FACTS = read_facts()
LINES = [(name, line) for name, fact in FACTS.items() for line in fact.get("prices", ())]
#: What each claim with a price is about, by vendor.
PRICED = {
    **of_vendors("PRICED"),
    "didit": {
        "credit.price.match": "match",
        "credit.price.liveness": "liveness",
        "credit.price.session": "session",
        "credit.price.document": "document",
    },
    "rekognition": {"credit.price": "match", "credit.price_session": "liveness"},
    "stripe": {"credit.price": "document"},
    "sumsub": {"credit.price": "document"},
}


def list_price(vendor, what):
    """Return the first list price in USD that is more than hearsay, or None."""
    for line in FACTS[vendor].get("prices", ()):
        is_known = line["trust"] in ("vendor", "copied") and line["currency"] == "USD"
        if line["what"] == what and is_known and line["per"] == 1:
            return Decimal(line["price"])
    return None


def priced_claims():
    for vendor in vendor_names():
        for claim in vendor_named(vendor).claims:
            if claim.key.startswith("credit.price"):
                yield vendor, claim


@pytest.mark.parametrize(("name", "line"), LINES)
def test_price_has_its_source_its_day_and_how_far_it_is_trusted(name, line):
    assert line["what"] in (
        "match",
        "liveness",
        "session",
        "document",
        "plan",
        "package",
        "free",
    ), name
    assert line["trust"] in ("vendor", "copied", "said")
    assert line["source"]
    assert line["dated"]
    assert dt.date.fromisoformat(line["read"]) <= dt.datetime.now(dt.UTC).date()
    if line["price"] not in ("by contract", "not found"):
        assert Decimal(line["price"]) >= 0
        assert line["currency"] in ("USD", "CNY")


@pytest.mark.parametrize(("vendor", "claim"), list(priced_claims()))
def test_mock_charges_the_list_price_or_says_that_the_price_is_its_own(vendor, claim):
    what = PRICED.get(vendor, {}).get(claim.key)
    known = None if what is None else list_price(vendor, what)
    if known is not None:
        assert Decimal(str(claim.value)) == known
        assert claim.origin is not OURS
        return
    if Decimal(str(claim.value)) == 0:
        checks = ("match", "liveness", "session", "document")
        assert not any(list_price(vendor, what) for what in checks), "a list price is public"


def test_every_public_list_price_of_a_served_call_is_in_a_claim():
    for vendor, checks in PRICED.items():
        keys = {claim.key for claim in vendor_named(vendor).claims}
        assert set(checks) <= keys


#: A price in an example, with the vendor that the page has.
EXAMPLES = re.compile(r"(MATCH|LIVENESS|match|liveness)\b[\"']?(?::| =) (?:Decimal\()?\"(0\.\d+)\"")


@pytest.mark.parametrize("page", ["apps/limit-spending.md", "reference/configuration.md"])
def test_example_of_a_limit_in_money_has_didits_prices(page):
    found = EXAMPLES.findall((DOCS / page).read_text(encoding="utf-8"))
    assert {what.lower() for what, _ in found} == {"match", "liveness"}
    for what, amount in found:
        assert Decimal(amount) == list_price("didit", what.lower()), page


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_option_price_has_the_list_price_where_there_is_one(page):
    text = page.read_text(encoding="utf-8")
    for name, amount in re.findall(r"--price (\w+)=(\d[\d.]*)", text):
        known = list_price(name, "match") if name in FACTS else None
        assert known in (None, Decimal(amount)), f"{page.name}: {name} costs {known}"


@pytest.mark.long
@pytest.mark.parametrize(("name", "line"), LINES)
def test_price_was_read_within_the_last_180_days(name, line):
    """Weekly, so that a price that grows old stops no change."""
    age = dt.datetime.now(dt.UTC).date() - dt.date.fromisoformat(line["read"])
    assert age.days <= 180, f"{name}: open {line['source']} and write the day of today"
