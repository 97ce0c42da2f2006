"""`verify_webhook` and `receive_session`: signature, age, event, and the session hinted at."""

import datetime as dt
import hmac
import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from kit.strategies import TEXTS, finite, json_of

import facematch_core as fm
from facematch_core.backend.session_types import SessionHint
from facematch_didit import DiditBackend, verify_webhook
from facematch_didit.webhooks import MAX_BYTES
from facematch_mock_server.vendors.didit.webhooks import v2_message, write_json

SECRET = "didit-mock-webhook-secret"
SENT = 1783000006
NOW = dt.datetime.fromtimestamp(SENT + 2, dt.UTC)
#: A delivery of 341 bytes whose signatures another client verified.
VECTOR = (
    b'{"application_id":"5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00","created_at":1783000000,'
    b'"environment":"live","event_id":"0d6f5b1e-6c1a-4a1e-9a53-0c6c5a7c1d10",'
    b'"metadata":{"a":[1.5,true],"b":2},"session_id":"7f1d2c3b-4a59-4e68-9777-86a5b4c3d2e1",'
    b'"status":"Declined","timestamp":1783000006,"vendor_data":"user-\\u00e9",'
    b'"webhook_type":"status.updated"}'
)
RAW = "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8"
V2 = "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c"
SIMPLE = "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac"
#: V2 of early 2026, with the timestamp in front.
PREFIXED = "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


def sign(body, *, only=("raw", "v2")):
    """Return the signatures of a body; V2 is missing if the body has no canonical form."""
    messages = {"X-Signature": body} if "raw" in only else {}
    if "v2" in only and (canonical := v2_message(body)) is not None:
        messages["X-Signature-V2"] = canonical
    return {name: hmac.digest(SECRET.encode(), m, "sha256").hex() for name, m in messages.items()}


def delivery(**fields):
    return json.dumps(json.loads(VECTOR) | fields).encode()


def verify(body=VECTOR, headers=None, secrets=SECRET, now=NOW, **more):
    return verify_webhook(body, sign(body) if headers is None else headers, secrets, now, **more)


def status_of_refusal(*arguments, **more):
    with pytest.raises(fm.WebhookRefused) as caught:
        verify(*arguments, **more)
    return caught.value.http_status


# --- signature ---


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Signature-V2": PREFIXED},
        # It fits, but does not cover decision and metadata.
        {"X-Signature-Simple": SIMPLE},
        {"X-Signature": "0" + RAW[1:]},
        {"X-Signature": RAW.upper()},
        {"X-Signature": V2, "X-Signature-V2": RAW},
        {"X-Signature": "é\ud800"},
    ],
    ids=ascii,
)
def test_other_signatures_are_refused(headers):
    assert status_of_refusal(headers=headers) == 401


def test_v2_signature_verifies_after_a_proxy_reformatted_the_json():
    anew = json.dumps(dict(reversed(json.loads(VECTOR).items())), indent=2).encode()
    assert verify(anew, {"X-Signature": RAW, "X-Signature-V2": V2})
    assert status_of_refusal(anew, {"X-Signature": RAW}) == 401


def test_one_of_several_secrets_is_enough_and_none_or_a_malformed_one_is_refused():
    for secrets in (["old", SECRET], ("old", fm.Secret(SECRET)), iter([SECRET])):
        assert verify(secrets=secrets)
    for secrets in ((), "", ["whsec", "a b"], 7):
        with pytest.raises(fm.ConfigurationError):
            verify(secrets=secrets)


numbers = st.sampled_from([0.0, -0.0, 1e15, 1e16, 1e22, 1.18e38, -1e300, 5e-324])
values = json_of(numbers | st.integers(-(10**40), 10**40) | finite)
documents = st.fixed_dictionaries(
    {
        "timestamp": st.just(SENT),
        "webhook_type": st.just("status.updated"),
        "metadata": st.dictionaries(TEXTS, values, max_size=4),
    },
    optional={"session_id": TEXTS, "note": values},
)


@given(document=documents, is_escaped=st.booleans(), is_reversed=st.booleans(), data=st.data())
def test_the_mocks_signatures_verify_and_a_changed_byte_does_not(
    document, is_escaped, is_reversed, data
):
    sent = write_json(document, escaped=is_escaped)
    headers = {name: sign(sent, only=[name]) for name in ("raw", "v2")}
    assert verify(sent, headers["raw"]).raw == document
    anew = json.dumps(dict(reversed(json.loads(sent).items()))).encode()
    body = anew if is_reversed else sent
    assert verify(body, headers["v2"]).raw == document
    at = data.draw(st.integers(0, len(sent) - 1))
    byte = data.draw(st.integers(0, 255))
    assume(byte != sent[at])
    changed = sent[:at] + bytes([byte]) + sent[at + 1 :]
    assert status_of_refusal(changed, headers["raw"]) == 401
    try:
        event = verify(changed, headers["v2"])
    except fm.WebhookRefused:
        return
    assert event.raw == document  # the byte was an escape or a zero at the end


# --- body ---


@pytest.mark.parametrize(
    "body",
    [
        VECTOR.replace(b"2}", b"}"),
        VECTOR.replace(b"2}", b"{}"),
        VECTOR.replace(b"2}", b'"\xff"}'),
        VECTOR.replace(b"2}", b'2,"b":2}'),
        b"[" * 100_000,
        b"",
        b"[]",
        b"{}",
    ],
    ids=lambda body: ascii(body[-20:]),
)
def test_a_body_without_an_event_is_refused(body):
    assert status_of_refusal(body, sign(body, only=["raw"])) == 422
    assert status_of_refusal(body, {"X-Signature-V2": V2}) == 401
    assert status_of_refusal(VECTOR.replace(b"2}", b"1e999}"), {"X-Signature-V2": V2}) == 401


def test_an_unsigned_body_is_not_read_and_a_large_one_not_for_v2(monkeypatch):
    large = VECTOR + b" " * MAX_BYTES
    assert verify(large, sign(large, only=["raw"]))
    monkeypatch.setattr("json.loads", pytest.fail)
    assert status_of_refusal(headers={"X-Signature": "0" * 64}) == 401
    assert status_of_refusal(large, {"X-Signature-V2": V2}) == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook_type": None},
        {"session_id": 7},
        {"timestamp": 10**30},
        {"timestamp": "1783000006"},
        {"timestamp": True},
        {"timestamp": 1783000006.5},
    ],
    ids=str,
)
def test_a_signed_event_of_another_shape_is_unreadable(fields):
    with pytest.raises(fm.WebhookRefused, match=next(iter(fields))) as caught:
        verify(delivery(**fields))
    assert caught.value.http_status == 422


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("event_id", "event_id", 7),
        ("status", "vendor_status", ["Approved"]),
        ("environment", "environment", {}),
        ("vendor_data", "caller_ref", True),
    ],
)
def test_a_field_that_decides_nothing_is_none_in_another_form(field, name, value):
    event = verify(delivery(**{field: value}))
    assert getattr(event, name) is None
    assert event.raw[field] == value
    assert getattr(verify(delivery()), name) is not None


def test_a_decoded_body_is_a_usage_error():
    with pytest.raises(fm.InvalidRequest):
        verify(VECTOR.decode(), {})


# --- age ---


@pytest.mark.parametrize("tolerance", [{}, {"tolerance_s": 0}, {"tolerance_s": 86_400}])
@pytest.mark.parametrize("direction", [-1, 1])
def test_both_ends_of_the_window_are_accepted_and_nothing_beyond(tolerance, direction):
    end = dt.datetime.fromtimestamp(SENT + direction * tolerance.get("tolerance_s", 300), dt.UTC)
    assert verify(now=end, **tolerance)
    beyond = end + direction * dt.timedelta(milliseconds=1)
    assert status_of_refusal(now=beyond, **tolerance) == 401


def test_the_age_is_that_of_the_signed_body_not_of_a_header():
    later = NOW + dt.timedelta(hours=1)
    headers = {**sign(VECTOR), "X-Timestamp": str(int(later.timestamp()))}
    assert status_of_refusal(headers=headers, now=later) == 401


def test_the_usual_clock_is_the_systems():
    assert verify(delivery(timestamp=int(time.time())), now=None)
    assert status_of_refusal(delivery(timestamp=1), now=None) == 401


@pytest.mark.parametrize("wrong", [{"now": NOW.replace(tzinfo=None)}, {"tolerance_s": 86_401}])
def test_an_invalid_window_is_a_usage_error(wrong):
    with pytest.raises(fm.InvalidRequest):
        verify(**wrong)


# --- the session that a delivery hints at ---

OURS = {"id": "0123456789abcdef0123456789abcdef", "terms": "f" * 64}


def receive(secrets=("new", SECRET), headers=(), **fields):
    body = delivery(**fields)
    backend = DiditBackend(api_key="k-1", webhook_secrets=secrets)
    return backend.receive_session(body, {**sign(body), **dict(headers)}, NOW)


def test_a_hint_names_the_record_of_the_signed_metadata():
    (hint,) = receive(metadata=OURS, session_id="s-1", event_id="e-1")
    assert hint == SessionHint(record_id=OURS["id"], session_id="s-1", event_id="e-1")
    assert receive(session_id=None, webhook_type="user.status.updated") == ()


@pytest.mark.parametrize(
    "metadata", [None, {}, {"id": "row-7"}, {"id": OURS["id"]}, {"terms": "x"}, "x", [OURS], 7]
)
def test_a_session_of_another_program_has_no_record(metadata):
    assert receive(metadata=metadata)[0].record_id is None


def test_receiving_needs_the_right_secret():
    with pytest.raises(fm.ConfigurationError):
        receive(secrets=())
    with pytest.raises(fm.WebhookRefused):
        receive(secrets="another")
