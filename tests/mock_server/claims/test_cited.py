"""Every claim is cited by a scenario and nothing else is."""

import datetime as dt
import importlib
import json
import re
from pathlib import Path

import pytest
from kit.goldens import by_place, facts_in, kept
from kit.mock_world import new_engine

from facematch_mock_server.claims import ActiveClaims
from facematch_mock_server.vendors import all_claims, vendor_named, vendor_names


def scenarios():
    """Return the scenarios of each vendor, from the file with the requests to its mock."""
    for vendor in vendor_names():
        yield from importlib.import_module(f"vendors.{vendor}").scenarios()


#: A segment of a path, or a key of an answer, that is another one in each session or account.
ID = re.compile(
    r"[0-9a-f]{8}-[-0-9a-f]{27}|[0-9a-f]{24}|[a-z]+_[0-9A-Za-z]{16,}|[-\w]{40,}|\d+", re.ASCII
)
GOLDEN = Path(__file__).parent / "golden"


def hide_id(text):
    return "{id}" if ID.fullmatch(text) else text


def route_of(path):
    """Return the path with `{id}` for what is another one in each session."""
    return "".join(hide_id(part) for part in re.split("([/;=:])", path))


def keys_of(value):
    """Return the keys of JSON in words, without any value: `{a b{c} d[{e}]}`."""
    if isinstance(value, dict):
        keys = [f"{hide_id(key)}{keys_of(inner)}" for key, inner in value.items()]
        return f"{{{' '.join(keys)}}}"
    if isinstance(value, list):
        items = dict.fromkeys(keys_of(item) for item in value)
        return f"[{' or '.join(items)}]"
    return ""


def describe_body(answer):
    """Return the keys of a body, or the type of one that is no JSON."""
    media_type = dict(answer.headers).get("Content-Type", "no body")
    if "json" not in media_type or not answer.body:
        return media_type
    try:
        return keys_of(json.loads(answer.body)) or "a value"
    except ValueError:
        return "broken JSON"


def facts_of(entry):
    """Return the answer of an entry, in words, with each claim behind it."""
    if entry.answer is None:
        return []
    body = describe_body(entry.answer)
    place = f"{entry.vendor} {entry.method} {route_of(entry.path)} {entry.status} {body}"
    return [(place, claim) for claim in entry.claims or ["no claim"]]


def test_responses_cite_every_claim_and_no_unknown_claim():
    """`golden/answers_NAME.txt` has the keys and the claims of each answer; UPDATE=1 writes it."""
    cited = set()
    facts = set()
    for scenario in scenarios():
        answers, entries = scenario.play()
        for answer in answers:
            cited.update(answer.claims)
        for entry in entries:
            cited.update(entry.claims)
            facts.update(facts_of(entry))
    known = {claim.id for claim in all_claims()}
    assert known - cited == set(), "add a call to `scenarios` of the vendor's tests/vendors/NAME.py"
    assert cited - known == set()
    assert {place.partition(" ")[0] for place, _ in facts} == set(vendor_names())
    for vendor in vendor_names():
        text = by_place(fact for fact in facts if fact[0].startswith(f"{vendor} "))
        written = facts_in(kept(GOLDEN / f"answers_{vendor}.txt", text))
        assert facts_in(text) ^ written == set(), "make goldens writes the answers"
    assert len(list(GOLDEN.glob("answers_*.txt"))) == len(vendor_names())


def test_each_claim_has_an_id_of_its_own_that_begins_with_its_vendor_and_key():
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


def test_each_claim_names_its_document_and_the_day_on_which_it_was_read():
    for claim in all_claims():
        origin = claim.origin
        assert dt.date(2026, 1, 1) < dt.date.fromisoformat(origin.read), claim.id
        assert len(re.findall("[a-z]{2,}", origin.document)) >= 2, claim.id
        assert claim.statement.endswith("."), claim.id


@pytest.mark.parametrize("vendor", vendor_names())
def test_no_switch_activates_two_claims_with_the_same_key(vendor):
    """A second claim on a behaviour is refused where a vendor's world is made."""
    for switch, values in vendor_named(vendor).switches.items():
        for value in values:
            assert new_engine(vendor=vendor, switches={switch: value}).world.claims.claims


def test_two_active_claims_with_the_same_key_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two active claims have the key"):
        ActiveClaims([claim, claim], {})
