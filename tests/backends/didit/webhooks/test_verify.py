"""`verify_webhook`: what is Didit's, what is refused and why, and what came before."""

import datetime as dt
import json

import pytest

from facematch_core import Secret
from facematch_didit.webhooks import Refusal, SignatureVariant, WebhookRefused, verify_webhook
from facematch_didit.webhooks.delivery import STATUSES

SIGNED = {"X-Timestamp": "1783000006", "X-Signature": "0" * 64}


def refusal(delivery, *arguments, **more):
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(*arguments, **more)
    return refused.value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a":"\xff"}', "is not UTF-8"),
        (b"null", "is a JSON NoneType, not an object"),
        (b'{"a":{"b":1,"b":2}}', "same key twice"),
        (b'{"a":NaN}', "a number that is none"),
        (b'{"a":1e999}', "a number that is too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "more than 400 digits"),
        (b"[]", "is a JSON list, not an object"),
        (b'{"a":' * 100 + b"[]" + b"}" * 100, "nested more than 100 deep"),
        (b'{"a":' + b"[" * 100_000, "nested more than 100 deep"),
        (b'{"timestamp":"1783000006"}', "no timestamp that is a number"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_no_sender_writes_is_malformed(delivery, body, says):
    error = refusal(delivery, body, SIGNED)
    assert error.reason is Refusal.MALFORMED
    assert says in str(error), "one sentence, before any signature is computed"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, Refusal.MISSING_SIGNATURE),
        ({"X-Timestamp": "1783000006"}, Refusal.MISSING_SIGNATURE),
        ({"X-Signature-Simple": "0" * 64}, Refusal.SIMPLE_ONLY),
        ({"X-Signature": "0" * 64}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "1783000006.0"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "١٧٨٣٠٠٠٠٠٦"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "9" * 5000}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": 1783000006}, Refusal.MALFORMED),
        (SIGNED | {"x-signature": "1" * 64}, Refusal.MALFORMED),
        # The header is not signed: a fresh one does not make an old body fresh.
        (SIGNED | {"X-Timestamp": "1783000007"}, Refusal.WRONG_TIMESTAMP),
        (SIGNED | {"X-Timestamp": "1783000309"}, Refusal.STALE),
        (SIGNED, Refusal.WRONG_SIGNATURE),
        (SIGNED | {"X-Signature": "é\ud800"}, Refusal.WRONG_SIGNATURE),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_each_fault_of_the_headers_has_its_reason(delivery, headers, reason):
    assert refusal(delivery, headers=headers).reason is reason


def test_a_moment_between_two_seconds_is_another_one(delivery):
    body = delivery.body(timestamp=delivery.sent + 0.5)
    error = refusal(delivery, body, delivery.signed(body, at=delivery.sent))
    assert error.reason is Refusal.WRONG_TIMESTAMP


def test_a_body_that_is_too_large_is_not_read(delivery):
    assert delivery.verify(max_bytes=341)
    error = refusal(delivery, max_bytes=340)
    assert error.reason is Refusal.TOO_LARGE
    assert refusal(delivery, b" " * 2**18, SIGNED).reason is Refusal.MALFORMED
    assert refusal(delivery, b" " * (2**18 + 1), SIGNED).reason is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    "form",
    [str.upper, str.lower, lambda name: "HTTP_" + name.upper().replace("-", "_"), str.encode],
    ids=["upper", "lower", "WSGI", "ASGI"],
)
def test_headers_are_read_as_wsgi_django_and_asgi_write_them(delivery, form):
    headers = {form(name): value for name, value in delivery.signed(delivery.vector).items()}
    assert delivery.verify(headers=headers)
    twice = headers | {name.lower(): f" {value} " for name, value in headers.items()}
    assert delivery.verify(headers=twice)
    as_bytes = {name: value.encode() for name, value in headers.items()}
    assert delivery.verify(headers=as_bytes | {"wsgi.input": object()})


@pytest.mark.parametrize(
    "secrets", [["old", "SECRET"], ("old", Secret("SECRET")), iter(["a", "SECRET"])]
)
def test_an_event_says_which_of_several_secrets_fitted(delivery, secrets):
    headers = delivery.signed(delivery.vector, secret="SECRET")
    assert delivery.verify(headers=headers, secrets=secrets).secret_index == 1


def test_the_clock_of_the_system_counts_if_none_is_given(delivery):
    old = delivery.body(timestamp=1)
    with pytest.raises(WebhookRefused) as refused:
        verify_webhook(old, delivery.signed(old), delivery.secret)
    assert refused.value.reason is Refusal.STALE
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    assert verify_webhook(body, delivery.signed(body), delivery.secret)


def test_only_what_came_before_is_answered_200_and_nothing_is_sent_again():
    assert set(STATUSES) == set(Refusal)
    for reason, status in STATUSES.items():
        assert (status == 200) == (reason is Refusal.REPLAYED)
        assert status == 200 or (400 <= status < 500 and status != 404)
        assert WebhookRefused("x", reason=reason).http_status == status


RAW = "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8"
V2 = "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c"
SIMPLE = "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac"
PREFIXED = "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


@pytest.fixture
def of_vector(delivery):
    def verify(signatures, body=delivery.vector, **more):
        return delivery.verify(body, {"X-Timestamp": str(delivery.sent), **signatures}, **more)

    return verify


@pytest.mark.parametrize(
    ("signatures", "variant"),
    [
        ({"X-Signature": RAW}, SignatureVariant.RAW),
        ({"X-Signature-V2": V2}, SignatureVariant.V2),
        ({"X-Signature-V2": PREFIXED}, SignatureVariant.V2_PREFIXED),
        # If both fit, the one that Didit prefers is named.
        ({"X-Signature": RAW, "X-Signature-V2": V2}, SignatureVariant.V2),
        # Some numbers have two canonical forms; the raw signature covers all the same.
        ({"X-Signature": RAW, "X-Signature-V2": PREFIXED}, SignatureVariant.RAW),
    ],
)
def test_one_signature_that_fits_is_enough(of_vector, signatures, variant):
    event = of_vector(signatures, accept_prefixed_v2=variant is SignatureVariant.V2_PREFIXED)
    assert (event.signature, event.secret_index) == (variant, 0)


@pytest.mark.parametrize(
    ("signatures", "reason"),
    [
        ({"X-Signature-V2": PREFIXED}, Refusal.PREFIXED_V2),
        # It is right, and covers neither decision nor metadata.
        ({"X-Signature-Simple": SIMPLE}, Refusal.SIMPLE_ONLY),
        # One key signs all: its message must not pass for another's.
        ({"X-Signature": SIMPLE}, Refusal.WRONG_SIGNATURE),
        # No less than all of it counts.
        *(
            ({"X-Signature": RAW[:place] + digit + RAW[place + 1 :]}, Refusal.WRONG_SIGNATURE)
            for place in (0, 8, 63)
            for digit in "01"
            if RAW[place] != digit
        ),
        ({"X-Signature-V2": SIMPLE}, Refusal.WRONG_SIGNATURE),
    ],
)
def test_other_signatures_of_the_secret_are_refused(of_vector, signatures, reason):
    with pytest.raises(WebhookRefused) as refused:
        of_vector(signatures)
    assert refused.value.reason is reason


def test_behind_a_proxy_that_writes_json_anew_v2_fits_and_raw_does_not(delivery, of_vector):
    anew = json.dumps(dict(reversed(json.loads(delivery.vector).items())), indent=2).encode()
    event = of_vector({"X-Signature": RAW, "X-Signature-V2": V2}, anew)
    assert event.signature is SignatureVariant.V2
    with pytest.raises(WebhookRefused):
        of_vector({"X-Signature": RAW}, anew)


@pytest.fixture
def memory():
    """Key to the moment up to which it is remembered."""
    return {}


def taken(delivery, memory, body=None, **more):
    """Whether a delivery was taken, or passed over as one that came before."""

    def seen(key, until):
        is_new = key not in memory
        memory.setdefault(key, until)
        return is_new

    try:
        delivery.verify(body or delivery.vector, seen=seen, **more)
    except WebhookRefused as refused:
        if refused.reason is not Refusal.REPLAYED:
            raise
        return False
    return True


def test_a_delivery_is_taken_once(delivery):
    assert delivery.verify(seen=lambda key, until: True)
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(seen=lambda key, until: False)
    assert (refused.value.reason, refused.value.http_status) == (Refusal.REPLAYED, 200)


@pytest.mark.parametrize(
    ("fields", "is_first"),
    [
        # Didit's documents say both, that a repetition keeps its event_id and that it does not.
        ({"event_id": "another"}, False),
        ({"timestamp": 1783000007}, False),
        ({"event_id": "another", "timestamp": 1783000007}, True),
        ({"event_id": "another", "session_id": "another"}, True),
        # One session, one second, two kinds of event: none may be lost.
        ({"event_id": "another", "webhook_type": "data.updated"}, True),
    ],
    ids=str,
)
def test_the_same_event_or_the_same_session_status_type_and_second_came_before(
    delivery, memory, fields, is_first
):
    assert taken(delivery, memory)
    assert taken(delivery, memory, delivery.body(**fields)) is is_first


@pytest.mark.parametrize(
    "fields", [{"event_id": None}, {"session_id": None}, {"event_id": None, "session_id": None}]
)
def test_without_event_or_session_the_other_counts_or_the_whole_body(delivery, memory, fields):
    assert taken(delivery, memory, delivery.body(**fields))
    assert not taken(delivery, memory, delivery.body(**fields))
    other = delivery.body(**fields, vendor_data="another")
    assert taken(delivery, memory, other) is (len(fields) == 2)


def test_a_stranger_cannot_make_us_pass_over_the_real_delivery(delivery, memory):
    for wrong in (
        {"secrets": "wrong"},
        {"now": delivery.now + dt.timedelta(hours=1)},
        {"body": delivery.body(decision=[])},
    ):
        with pytest.raises(WebhookRefused):
            taken(delivery, memory, **wrong)
    assert memory == {}
    assert taken(delivery, memory)


@pytest.mark.parametrize("tolerance_s", [0, 300, 86_400])
def test_keys_are_remembered_a_day_longer_than_the_window(delivery, memory, tolerance_s):
    for away in (-tolerance_s, 0, tolerance_s):
        memory.clear()
        now = dt.datetime.fromtimestamp(delivery.sent + away, dt.UTC)
        assert taken(delivery, memory, now=now, tolerance_s=tolerance_s)
        last = dt.datetime.fromtimestamp(delivery.sent + tolerance_s, dt.UTC)
        for until in memory.values():
            assert until - last >= dt.timedelta(days=1)
            assert until - now == dt.timedelta(days=1, seconds=2 * tolerance_s)


def test_the_keys_are_digests_alone(delivery, memory):
    assert taken(delivery, memory)
    assert len(memory) == 2
    for key in memory:
        assert len(key) == 64
        assert set(key) <= set("0123456789abcdef")
