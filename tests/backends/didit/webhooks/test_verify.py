"""`verify_webhook`: what is refused and why, which arguments it takes, and what it never tells."""

import copy
import datetime as dt
import pickle

import pytest

from facematch_core import ConfigurationError, FaceMatchError, InvalidRequest, Secret
from facematch_didit.webhooks import Refusal, WebhookRefused, verify_webhook
from facematch_didit.webhooks.delivery import STATUSES

SIGNED = {"X-Timestamp": "1783000006", "X-Signature": "0" * 64}
DEEP = b'{"timestamp":1783000006,"a":' + b"[" * 99 + b"]" * 99 + b"}"


def refusal(delivery, *arguments, **more):
    """The error of a delivery that must be refused."""
    with pytest.raises(WebhookRefused) as refused:
        delivery.verify(*arguments, **more)
    return refused.value


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a":"\xff"}', "is not UTF-8"),
        ('{"timestamp":1783000006}'.encode("utf-16"), "is not UTF-8"),
        (b"[]", "is a JSON list, not an object"),
        (b"null", "is a JSON NoneType, not an object"),
        (b'{"timestamp":1783000006,"timestamp":1783000006}', "same key twice"),
        (b'{"a":{"b":1,"b":2}}', "same key twice"),
        (b'{"a":NaN}', "a number that is none"),
        (b'{"a":-Infinity}', "a number that is none"),
        (b'{"a":1e999}', "a number that is too large"),
        (b'{"a":' + b"9" * 401 + b"}", "more than 400 digits"),
        (b'{"a":' + b"9" * 5000 + b"}", "more than 400 digits"),
        (b'{"a":' + b"[" * 100_000, "nested more than 100 deep"),
        (b'{"a":' * 100 + b"[]" + b"}" * 100, "nested more than 100 deep"),
        (b"{}", "no timestamp that is a number"),
        (b'{"timestamp":true}', "no timestamp that is a number"),
        (b'{"timestamp":"1783000006"}', "no timestamp that is a number"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_bodies_that_no_sender_writes(delivery, body, says):
    """Refused in one sentence, before any signature is computed."""
    error = refusal(delivery, body, SIGNED)
    assert error.reason is Refusal.MALFORMED
    assert says in str(error)


def test_as_deep_as_allowed(delivery):
    """A hundred levels are read; the refusal is about the signature then."""
    assert refusal(delivery, DEEP, SIGNED).reason is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("number", ["9" * 400, "1" + "0" * 308 + ".0", "1e308", "-0.0"])
def test_numbers_as_great_as_allowed(delivery, number):
    """They are read, and signed as the integers that they are."""
    body = delivery.vector.replace(b'"b":2', b'"b":' + number.encode())
    for only in ("raw", "v2"):
        event = delivery.verify(body, delivery.signed(body, only=[only]))
        assert event.metadata["b"] == int(
            float(number) if "e" in number or "." in number else number
        )


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, Refusal.MISSING_SIGNATURE),
        ({"X-Timestamp": "1783000006"}, Refusal.MISSING_SIGNATURE),
        (SIGNED | {"X-Signature": " "}, Refusal.MISSING_SIGNATURE),
        ({"X-Signature-Simple": "0" * 64}, Refusal.SIMPLE_ONLY),
        ({"X-Signature": "0" * 64}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "1783000006.0"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "-1783000006"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "1_783_000_006"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "١٧٨٣٠٠٠٠٠٦"}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "9" * 5000}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": 1783000006}, Refusal.MALFORMED),
        (SIGNED | {"x-signature": "1" * 64}, Refusal.MALFORMED),
        (SIGNED | {"X-Timestamp": "1783000007"}, Refusal.WRONG_TIMESTAMP),
        (SIGNED | {"X-Timestamp": "1783000309"}, Refusal.STALE),
        (SIGNED | {"X-Timestamp": "0"}, Refusal.STALE),
        (SIGNED, Refusal.WRONG_SIGNATURE),
        (SIGNED | {"X-Signature": "é\ud800"}, Refusal.WRONG_SIGNATURE),
        (SIGNED | {"X-Signature": "B" * 64}, Refusal.WRONG_SIGNATURE),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_headers(delivery, headers, reason):
    """Each fault has its reason."""
    assert refusal(delivery, headers=headers).reason is reason


def test_a_fresh_header_does_not_make_an_old_delivery_fresh(delivery):
    """The header is not signed; the body's own timestamp is what counts."""
    later = delivery.now + dt.timedelta(hours=1)
    fresh = delivery.signed(delivery.vector) | {"X-Timestamp": str(delivery.sent + 3600)}
    assert refusal(delivery, headers=fresh, now=later).reason is Refusal.WRONG_TIMESTAMP


def test_a_body_that_is_too_large_is_not_read(delivery):
    """The bound belongs to what is allowed."""
    assert delivery.verify(max_bytes=341)
    error = refusal(delivery, max_bytes=340)
    assert (error.reason, str(error)) == (
        Refusal.TOO_LARGE,
        "The body has 341 bytes; at most 340 are read.",
    )
    assert refusal(delivery, b" " * 2**18, SIGNED).reason is Refusal.MALFORMED
    assert refusal(delivery, b" " * (2**18 + 1), SIGNED).reason is Refusal.TOO_LARGE


@pytest.mark.parametrize(
    "form",
    [
        str.upper,
        str.lower,
        lambda name: "HTTP_" + name.upper().replace("-", "_"),
        str.encode,
    ],
    ids=["upper", "lower", "WSGI", "ASGI"],
)
def test_forms_of_headers(delivery, form):
    """Names without regard to case, as WSGI, Django's META and ASGI write them."""
    headers = {form(name): value for name, value in delivery.signed(delivery.vector).items()}
    assert delivery.verify(headers=headers)
    as_bytes = {name: value.encode() for name, value in headers.items()}
    assert delivery.verify(headers=as_bytes | {"wsgi.input": object()})


def test_headers_twice_with_one_text(delivery):
    """As in a mapping that has a name in two cases."""
    headers = delivery.signed(delivery.vector)
    assert delivery.verify(headers=headers | {k.lower(): f" {v} " for k, v in headers.items()})


@pytest.mark.parametrize(
    "secrets", [["old", "SECRET"], ("old", Secret("SECRET")), iter(["a", "SECRET"])]
)
def test_several_secrets_while_one_is_changed(delivery, secrets):
    """The event says which one it was."""
    headers = delivery.signed(delivery.vector, secret="SECRET")
    assert delivery.verify(headers=headers, secrets=secrets).secret_index == 1


@pytest.mark.parametrize("secrets", ["", [], None, [""], ["good", ""], 7, Secret("")])
def test_without_a_secret_nothing_is_verified(delivery, secrets):
    """A fault of the receiver's, not a refusal: nobody could verify anything."""
    with pytest.raises(ConfigurationError, match="secret_shared_key") as error:
        delivery.verify(secrets=secrets)
    assert not isinstance(error.value, WebhookRefused)


@pytest.mark.parametrize("secrets", [[None], [7], "\ud800"])
def test_a_secret_is_text(delivery, secrets):
    """Other things are faults of the receiver's as well."""
    with pytest.raises(ConfigurationError):
        delivery.verify(secrets=secrets)


@pytest.mark.parametrize(
    "arguments",
    [
        {"body": "{}"},
        {"body": None},
        {"headers": [("X-Signature", "0")]},
        {"headers": 7},
        {"now": dt.datetime(2026, 7, 2)},
        {"now": 1783000006},
        {"tolerance_s": -1},
        {"tolerance_s": float("nan")},
        {"tolerance_s": True},
        {"tolerance_s": 86_401},
        {"tolerance_s": "300"},
        {"max_bytes": 0},
    ],
    ids=str,
)
def test_arguments_of_the_receiver(delivery, arguments):
    """Wrong ones are no refusals: the delivery may be fine."""
    with pytest.raises(InvalidRequest):
        delivery.verify(**{"headers": SIGNED} | arguments)


def test_the_clock_of_the_system_if_none_is_given(delivery):
    """A delivery of July 2026 is stale; one of this second is not."""
    with pytest.raises(WebhookRefused, match="before the clock here"):
        verify_webhook(delivery.body(timestamp=1), delivery.signed(delivery.body(timestamp=1)), "s")
    body = delivery.body(timestamp=int(dt.datetime.now(dt.UTC).timestamp()))
    assert verify_webhook(body, delivery.signed(body), delivery.secret)


def test_every_reason_has_an_answer():
    """What came before is fine; all others are final for Didit, so none is sent again."""
    assert set(STATUSES) == set(Refusal)
    for reason, status in STATUSES.items():
        assert (status == 200) == (reason is Refusal.REPLAYED)
        assert status == 200 or (400 <= status < 500 and status != 404)
        assert WebhookRefused("x", reason=reason).http_status == status


def test_the_error_is_one_of_the_tree():
    """And survives copies and pickles."""
    error = WebhookRefused("What came.", reason=Refusal.STALE)
    assert isinstance(error, FaceMatchError)
    assert isinstance(error, ValueError)
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(again), again.reason) == ("What came.", Refusal.STALE)
