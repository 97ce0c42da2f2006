"""`verify_webhook`: what is Didit's, what is refused and why, and what came before."""

import datetime as dt
import hmac
import json

import pytest

from facematch_core import InvalidRequest, Secret
from facematch_didit.webhooks import Refusal, WebhookRefused, verify_webhook


def refusal(delivery, *arguments, **more):
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(*arguments, **more)
    return refused.value


#: In place of a number of a good delivery: of no writer of JSON, or such that two readers could
#: take it for two things.
NO_NUMBERS = [
    *(b"", b"{", b'"\xff"', b'2,"b":2', b"[" * 100_000),
    # Six bytes each, as an integer 309 digits.
    b"[" + b"1e308," * 3_000 + b"1]",
]


@pytest.mark.parametrize("number", NO_NUMBERS, ids=lambda number: repr(number)[:20])
def test_what_no_writer_of_json_makes_is_read_from_nobody(delivery, number):
    body = delivery.vector.replace(b'"b":2', b'"b":' + number)
    signature = hmac.digest(delivery.secret.encode(), body, "sha256").hex()
    assert refusal(delivery, body, {"X-Signature": signature}).reason is Refusal.UNREADABLE
    headers = delivery.signed(delivery.vector, only=["v2"])
    assert refusal(delivery, body, headers).reason is Refusal.UNSIGNED


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}"])
def test_what_is_no_delivery_is_unreadable(delivery, body):
    signature = hmac.digest(delivery.secret.encode(), body, "sha256").hex()
    assert refusal(delivery, body, {"X-Signature": signature}).reason is Refusal.UNREADABLE


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "0" * 64}, {"X-Signature-V2": "é\ud800"}])
def test_what_no_signature_can_fit_is_refused_before_its_json_is_read(
    delivery, monkeypatch, headers
):
    monkeypatch.setattr("json.loads", pytest.fail)
    error = refusal(delivery, headers=headers)
    assert (error.reason, error.http_status) == (Refusal.UNSIGNED, 401)


@pytest.mark.parametrize("name", ["raw", "v2"])
def test_the_size_of_what_is_not_known_to_be_didits_is_limited(delivery, name):
    body = delivery.vector + b" " * 2**18
    headers = delivery.signed(body, only=[name])
    if name == "raw":
        assert delivery.verify(body, headers)
    else:
        assert refusal(delivery, body, headers).reason is Refusal.UNSIGNED


def test_the_header_of_the_time_does_not_make_an_old_body_fresh(delivery):
    """It is not signed, the body is."""
    at = delivery.now + dt.timedelta(hours=1)
    headers = delivery.signed(delivery.vector) | {"X-Timestamp": str(int(at.timestamp()))}
    assert refusal(delivery, headers=headers, now=at).reason is Refusal.STALE
    assert delivery.verify(headers=headers)


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
    # API Gateway and load balancers of AWS.
    as_lists = {name: [value] for name, value in headers.items()}
    assert delivery.verify(headers=as_lists)
    # Of several one that fits is enough: it could be made of the secret alone.
    assert delivery.verify(headers={name: ["0" * 64, value] for name, value in headers.items()})


@pytest.mark.parametrize("value", [7, {"a": "b"}, [None], [["0" * 64]]], ids=repr)
def test_a_header_that_no_delivery_can_have_is_the_receivers_own_fault(delivery, value):
    """An exception, which is answered with 500, and Didit sends it again."""
    with pytest.raises(InvalidRequest):
        delivery.verify(headers={"X-Signature": value})
    assert refusal(delivery, headers={"X-Signature": None}).reason is Refusal.UNSIGNED


@pytest.mark.parametrize(
    "secrets", [["old", "SECRET"], ("old", Secret("SECRET")), iter(["a", "SECRET"])]
)
def test_one_of_several_secrets_is_enough(delivery, secrets):
    headers = delivery.signed(delivery.vector, secret="SECRET")
    assert delivery.verify(headers=headers, secrets=secrets)


def test_the_clock_of_the_system_counts_if_none_is_given(delivery):
    old = delivery.body(timestamp=1)
    with pytest.raises(WebhookRefused) as refused:
        verify_webhook(old, delivery.signed(old), delivery.secret)
    assert refused.value.reason is Refusal.STALE
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    assert verify_webhook(body, delivery.signed(body), delivery.secret)


@pytest.mark.parametrize("reason", Refusal)
def test_only_what_came_before_is_answered_200_and_nothing_is_sent_again(reason):
    status = WebhookRefused("x", reason=reason).http_status
    assert (status == 200) == (reason is Refusal.REPLAYED)
    assert status == 200 or (400 <= status < 500 and status != 404)


RAW = "b54dae03996e6f1f8b0397e45acfb9dd8d899d3f8117fcafc13821b84ad1b0b8"
V2 = "ccccda7ef828d341d52739f18a82b80543b0812b4f33202abd96a958c716992c"
SIMPLE = "ca364abfbf9d7e6ed165d019f57472558b0085211d5a525756df4a3c563f69ac"
PREFIXED = "f67e8318fab130aec1fb272d813daa2e6fb19a7006ed64236f7ab7dfd14ab71a"


@pytest.fixture
def of_vector(delivery):
    def verify(signatures, body=delivery.vector):
        return delivery.verify(body, signatures)

    return verify


@pytest.mark.parametrize(
    "signatures",
    [
        {"X-Signature": RAW},
        {"X-Signature-V2": V2},
        # Some numbers have two canonical forms; the raw signature covers all the same.
        {"X-Signature": RAW, "X-Signature-V2": PREFIXED},
    ],
)
def test_one_signature_that_fits_is_enough(of_vector, signatures):
    assert of_vector(signatures).raw["vendor_data"] == "user-é"


@pytest.mark.parametrize(
    "signatures",
    [
        {"X-Signature-V2": PREFIXED},
        # It is right, and covers neither decision nor metadata.
        {"X-Signature-Simple": SIMPLE},
        # One key signs all: its message must not pass for another's.
        {"X-Signature": SIMPLE},
        {"X-Signature-V2": SIMPLE},
        # No less than all of it counts.
        *(
            {"X-Signature": RAW[:place] + digit + RAW[place + 1 :]}
            for place in (0, 8, 63)
            for digit in "01"
            if RAW[place] != digit
        ),
        {"X-Signature": RAW.upper()},
    ],
)
def test_other_signatures_of_the_secret_are_refused(of_vector, signatures):
    with pytest.raises(WebhookRefused) as refused:
        of_vector(signatures)
    assert refused.value.reason is Refusal.UNSIGNED


def test_behind_a_proxy_that_writes_json_anew_v2_fits_and_raw_does_not(delivery, of_vector):
    anew = json.dumps(dict(reversed(json.loads(delivery.vector).items())), indent=2).encode()
    assert of_vector({"X-Signature": RAW, "X-Signature-V2": V2}, anew)
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
    assert len(memory) == 1
    assert not taken(delivery, memory, delivery.body(**fields))
    other = delivery.body(**fields, vendor_data="another")
    assert taken(delivery, memory, other) is (len(fields) == 2)


def test_a_stranger_cannot_make_us_pass_over_the_real_delivery(delivery, memory):
    for wrong in (
        {"secrets": "wrong"},
        {"now": delivery.now + dt.timedelta(hours=1)},
        {"body": delivery.body(status=[])},
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
