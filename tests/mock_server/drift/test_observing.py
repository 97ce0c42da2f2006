"""What an observation tells of an answer, and that it tells nothing of anybody."""

import json

import pytest
from drift_targets import CHAINS, SCRIPT, STEPS
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.drift import _forms
from facematch_mock_server.drift._observing import Sent, observed
from facematch_mock_server.drift._script import Heard
from facematch_mock_server.drift.didit._seeing import seen

FORMS = SCRIPT.forms
SESSION = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
OURS = Sent(
    names=((SESSION, "m1"), ("facematch-drift-0a1b2c3d", "ref")),
    metadata='{"gate": "north"}',
    sizes=(("user_image", (480, 1280)),),
    sessions=("older", SESSION),
)
KEYS = sorted(
    FORMS.words
    | FORMS.guarded
    | FORMS.scores
    | FORMS.rows
    | {"bbox", "entities", "metadata"}
    | {"warnings", "count", "total_matches", "session_id", "next", "balance", "vendor_data", "x"}
)


def of(body, status=200, sent=OURS, **headers):
    """The observation of a body."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dict(
        observed(status, {"content-type": "application/json", **headers}, data, sent, FORMS)
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("score", 87.36, "a number, up to 2 decimals"),
        ("score", 87.3612, "a number, more than 2 decimals"),
        ("score", 87, "a number, whole"),
        ("score", 87.0, "a number, whole"),
        ("score", 0.8736, "a share of 1, more than 2 decimals"),
        ("score", 0, "0"),
        ("score", None, "null"),
        ("age", 34.1, "a number"),
        ("confidence", 0.74, "a share of 1"),
        ("best_angle", 90, "90"),
        ("best_angle", 9000, "another number"),
        ("is_blocklisted", True, "true or false"),
        ("status", "Approved", '"Approved"'),
        ("status", SESSION.replace("3", "4"), "a UUID"),
        ("full_name", "Ada Lovelace", "a text"),
        ("full_name", "", "an empty text"),
        ("gender", "female", "a text"),
        ("user", "API Client", '"API Client"'),
        ("user", "Ada Lovelace", "a text"),
        ("session_id", SESSION, "our m1"),
        ("session_id", SESSION.replace("3", "4"), "a UUID"),
        ("vendor_data", "facematch-drift-0a1b2c3d", "our ref"),
        ("vendor_data", "customer-17", "a text"),
        ("created_at", "2026-07-02T09:15:27.104233+00:00", "a time, microseconds, +00:00"),
        ("created_at", "2026-07-02T09:15:27Z", "a time, seconds, Z"),
        ("created_at", "2026-07-02T09:15:27+02:00", "a time, seconds, another zone"),
        ("created_at", "2026-07-02T09:15:27", "a time, seconds, no zone"),
        ("verification_date", "2026-07-02", "a day"),
        ("source_image", "https://media.example/face.jpg?sig=1", "an address"),
        ("balance", "37.9500", "4 decimals"),
        ("balance", "37", "0 decimals"),
        ("balance", "much", "a text"),
        ("auto_refill_amount", "50.00", "nothing, or a text"),
        ("auto_refill_amount", None, "nothing, or a text"),
        ("next", f"https://x.example/v3/sessions/?search={SESSION}&limit=2", None),
        ("metadata", {"gate": "north"}, "as sent"),
        ("metadata", {"gate": "south"}, "an object"),
        ("metadata", {}, "an empty object"),
        ("features", [], "an empty array"),
        ("bbox", [1, 2, 300, 400], "a box"),
        ("bbox", [300, 2, 1, 400], "4 whole numbers, no box"),
        ("bbox", [1, 2, 3.5, 4], "not 4 whole numbers"),
        ("count", 3, "3"),
        ("count", 1523, "more than we made"),
    ],
)
def test_a_value_is_told_by_its_form(key, value, told):
    """Types, forms and closed words; no value that says who or how much."""
    expected = '"/v3/sessions/?search=(m1)&limit=2"' if told is None else told
    assert of({key: value})[f"body.{key}"] == expected


def test_a_box_is_looked_at_within_its_picture():
    """Only where the size of the picture that was sent is known."""
    box = {"entities": [{"bbox": [10, 20, 500, 1200]}]}
    body = {"face_match": {"user_image": box, "ref_image": box}}
    told = of(body)
    assert told["body.face_match.user_image.entities[].bbox"] == "a box beyond the picture"
    assert told["body.face_match.ref_image.entities[].bbox"] == "a box"


def test_only_our_own_rows_are_looked_at():
    """Of a list that has other people's sessions nothing is told, not even how many."""
    rows = [
        {"session_id": "another", "full_name": "Ada Lovelace", "score": 12.5},
        {"session_id": SESSION, "full_name": None},
        {"session_id": None},
        {"session_id": "older", "status": "Approved"},
    ]
    told = of({"count": 4711, "results": rows})
    assert told["body.results"] == "2 items"
    assert told["body.results (order)"] == "2, 1"
    assert told["body.results[].full_name"] == "null"
    assert "body.results[].score" not in told
    assert of({"results": [{"comment": "x"}]})["body.results"] == "1 item"


def test_warnings_are_told_apart_by_their_risk():
    """Their order does not matter."""
    both = [{"risk": "A_RISK", "log_type": "error"}, {"risk": "B_RISK", "log_type": "warning"}]
    told = of({"warnings": both})
    assert told == of({"warnings": both[::-1]})
    assert told['body.warnings["A_RISK"].log_type'] == '"error"'


def test_an_error_is_told_in_its_words():
    """But for what may be somebody's data."""
    words = f"No key dk_live_51HxQ2eZvKYlo2C for ada@example.org in {SESSION} at https://a.b/c?d"
    told = of({"detail": words}, status=403)["body.detail"]
    assert told == '"No key dk_live_(a long text) for (a mail address) in (m1) at (an address)"'
    assert of({"a": ["x" * 500]}, status=400)["body.a[]"].endswith('…"')


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "nothing"),
        (b" \n", "nothing"),
        (b"<html><h1>Ada Lovelace</h1></html>", "a page"),
        (b"Ada Lovelace", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_json_has_no_words(body, told):
    """Pages and bytes are told by their kind alone."""
    assert of(body)["body"] == told


def test_headers_are_there_or_not():
    """Their values are told where they are the vendor's own words."""
    told = of({}, 405, allow="POST, OPTIONS", **{"x-ratelimit-limit": "300", "server": "x"})
    assert told["header allow"] == '"POST, OPTIONS"'
    assert told["header x-ratelimit-limit"] == "there"
    assert not any("server" in place for place in told)
    moved = of(b"", 301, location="https://verification.didit.me/v3/sessions/?limit=1")
    assert moved["header location"] == '"/v3/sessions/?limit=1"'
    assert of(b"", 301, location="//[")["header location"] == "no address"


def test_an_amount_is_told_by_its_change():
    """Never what it is."""
    for before, now, told in (
        (None, "37.9500", "4 decimals"),
        ("37.9500", "37.9000", "4 decimals; 0.05 less"),
        ("37.9500", "37.9500", "4 decimals; as before"),
        ("much", "37.9500", "4 decimals"),
    ):
        sent = Sent(amounts=(("balance", before),))
        assert of({"balance": now}, sent=sent)["body.balance"] == told


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=25,
)


@given(BODIES, st.sampled_from([200, 400, 403]))
def test_any_body_is_told(body, status):
    """Whatever a vendor sends: places and words, all of them text."""
    told = of(json.dumps(body).encode(), status)
    assert told["status"] == str(status)
    assert all(type(place) is str and type(word) is str for place, word in told.items())


SECRET = "canary5e3f9a77c1"


@given(BODIES, st.data())
def test_no_secret_is_told(body, data):
    """A key or an id in any place of an answer is told neither as a value nor as a key."""

    def planted(value):
        if isinstance(value, dict):
            return {SECRET + "-" + SECRET: 1, **{k: planted(one) for k, one in value.items()}}
        if isinstance(value, list):
            return [*map(planted, value), SECRET]
        return data.draw(st.sampled_from([SECRET, f"x {SECRET}", f"https://a.b/{SECRET}"]))

    status = data.draw(st.sampled_from([200, 400]))
    told = of(json.dumps(planted(body)).encode(), status)
    assert SECRET not in str(told)


@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), BODIES), max_size=6))
def test_any_answer_says_what_was_seen(answers):
    """However odd, the model is told something that it can judge."""
    heard = [
        Heard(step=STEPS[name], rotate=False, status=200, body=_object(body))
        for name, body in answers
    ]
    for name, outcome in seen(heard).items():
        assert STEPS[name].files
        assert outcome.score is None or 0 <= outcome.score <= 101


@given(st.dictionaries(st.sampled_from(KEYS), BODIES, max_size=6))
def test_any_verdict_says_what_was_seen(part):
    """The part with the verdict, of any form, where the verdict stands."""
    part = {"status": "Approved", "warnings": [], **part}
    chain = CHAINS["liveness"]
    heard = [
        Heard(step=step, rotate=False, status=200, body={"liveness": part}) for step in chain.steps
    ]
    assert set(seen(heard)) == {one.name for one in chain.steps if one.files}


def _object(body):
    return body if isinstance(body, dict) else None


@given(st.text())
def test_any_text_is_masked_or_told(value):
    """Each form of a text is text."""
    for told in (
        _forms.text(value, {}, is_word=True),
        _forms.masked(value, {}),
        _forms.address(value, {}),
        _forms.amount(value),
    ):
        assert isinstance(told, str)
