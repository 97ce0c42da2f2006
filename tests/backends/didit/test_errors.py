"""Requests of calls, and answers other than 200: the error of each, and whether it was charged."""

import datetime as dt
import itertools
import json

import attrs
import pytest

import facematch_core as fm
from facematch_core.http import HttpReply
from facematch_core.testing import ManualClock

NO_CREDIT = (
    "You don't have enough credits to perform this request. Please top up at "
    "https://business.didit.me"
)
EXTENSION = (
    "File extension “txt” is not allowed. Allowed extensions are: tiff, jpg, jpeg, png, webp."
)
TOO_FAST = "Write request rate limit exceeded. You can make up to 300 requests per minute."

#: Documented answers of every edition: status, body, error.
DOCUMENTED = [
    (400, {"ref_image": ["No file was submitted."]}, fm.RequestRejected),
    (400, {"user_image": [EXTENSION], "ref_image": ["It is empty."]}, fm.RequestRejected),
    (400, {"error": "Invalid user image format."}, fm.RequestRejected),
    (400, ["A bare list."], fm.RequestRejected),
    (401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
    (403, {"detail": "You do not have permission."}, fm.AuthenticationFailed),
    (403, {"error": NO_CREDIT}, fm.InsufficientCredit),
    (429, {"detail": TOO_FAST}, fm.RateLimited),
    (500, {"detail": "A server error occurred."}, fm.VendorUnavailable),
    (503, {"error": "Try again later."}, fm.VendorUnavailable),
]


@pytest.mark.parametrize(("status", "body", "error_class"), DOCUMENTED)
def test_each_documented_answer_is_free_and_quoted(status, body, error_class, canned, make_call):
    backend, _ = canned((status, body))
    with pytest.raises(fm.VendorError) as caught:
        backend.match(make_call(call_id="a-1"))
    error = caught.value
    assert type(error) is error_class
    assert error.billing.charged is fm.Charged.NO
    assert "only 200 responses are charged" in error.billing.ground
    assert error.ids.call == "a-1"
    texts = body if isinstance(body, list) else body.values()
    for text in itertools.chain.from_iterable([t] if isinstance(t, str) else t for t in texts):
        assert text[:60] in error.message
    if error_class is fm.RequestRejected and "ref_image" in body:
        assert error.field_errors == {name: tuple(texts) for name, texts in body.items()}


HTML, OBJECT = b"<html>It is so.</html>", {"code": 7}
DETAIL, ERROR, FIELDS = {"detail": "so"}, {"error": "so"}, {"user_image": ["so"]}


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        *(
            (status, body, fm.VendorUnavailable)
            for status in (501, 519)
            for body in (DETAIL, ERROR)
        ),
        # A gateway may have lost a call that goes on.
        *((status, DETAIL, fm.OutcomeUnknown) for status in (502, 504, 520, 599)),
        *((500, body, fm.OutcomeUnknown) for body in (FIELDS, ["so"], OBJECT, {}, HTML, b"")),
        *((status, DETAIL, fm.OutcomeUnknown) for status in (100, 302, 408, 499)),
        *((400, body, fm.OutcomeUnknown) for body in (HTML, b"", b"7", ["so", 7])),
        (400, OBJECT, fm.RequestRejected),
        (307, HTML, fm.RequestRejected),
        (403, FIELDS, fm.PermissionDenied),
        (403, HTML, fm.PermissionDenied),
        (201, DETAIL, fm.UnexpectedResponse),
    ],
)
def test_an_answer_in_another_form_has_the_cores_meaning(
    status, body, error_class, canned, make_call
):
    backend, _ = canned((status, body))
    with pytest.raises(fm.VendorError) as caught:
        backend.match(make_call())
    assert type(caught.value) is error_class
    billed = {fm.OutcomeUnknown: fm.Charged.UNKNOWN, fm.UnexpectedResponse: fm.Charged.YES}
    assert caught.value.billing.charged is billed.get(error_class, fm.Charged.NO)
    assert caught.value.retryable is (error_class is fm.VendorUnavailable)


@pytest.mark.parametrize("retention", fm.Retention)
def test_an_unknown_outcome_can_be_looked_up_if_the_call_was_kept(retention, canned, make_call):
    backend, _ = canned((502, {"detail": "upstream"}))
    with pytest.raises(fm.OutcomeUnknown) as caught:
        backend.match(make_call(retention=retention))
    assert caught.value.reconcilable is (retention is fm.Retention.KEEP)


def test_the_key_is_masked_in_the_error(canned, make_call, backend):
    key = backend.api_key.reveal()
    with pytest.raises(fm.RequestRejected) as caught:
        canned((400, {"key": [f"Not {key}."], key: ["x"]}))[0].match(make_call())
    assert key not in f"{caught.value} {caught.value!r} {caught.value.field_errors}"


NOW = dt.datetime(2026, 7, 2, 9, 15, 0, tzinfo=dt.UTC)
IN_30_S = str(int(NOW.timestamp()) + 30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7", "X-RateLimit-Reset": IN_30_S}, 7),
        ({"X-RateLimit-Reset": IN_30_S}, 30),
        ({"X-RateLimit-Reset": IN_30_S + "000"}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_ends_by_retry_after_or_the_reset_time(headers, seconds, canned, make_call):
    backend, _ = canned()
    backend.client.clock = ManualClock(start=NOW)
    reply = HttpReply(status=429, headers=headers, body=json.dumps({"detail": TOO_FAST}).encode())
    error = backend.error(reply, make_call())
    assert (type(error), error.retry_after_s, error.retryable) == (fm.RateLimited, seconds, True)


THRESHOLDS = {
    fm.Operation.MATCH: "face_match_score_decline_threshold",
    fm.Operation.LIVENESS: "face_liveness_score_decline_threshold",
}


@pytest.mark.parametrize("operation", THRESHOLDS)
def test_threshold_and_retention_are_always_sent(operation, backend, make_call):
    request = backend.build(make_call(operation))
    assert request.fields == {
        THRESHOLDS[operation]: "30",
        "save_api_request": "false",
    }
    assert request.method == "POST"
    assert request.headers["x-api-key"].reveal() == "didit-key-8c1f5e2ab9"


@pytest.mark.parametrize("reference", ["ö" * 256, " ", "\t\n", "\u00a0"])
def test_a_long_or_blank_caller_ref_is_refused_before_sending(reference, canned, make_call):
    backend, adapter = canned()
    call = make_call()
    assert backend.build(attrs.evolve(call, caller_ref="ö" * 255))
    with fm.FaceVerifier(backend) as verifier, pytest.raises(fm.Unsupported) as caught:
        verifier.verify(call.probe, call.reference, caller_ref=reference, retention="keep")
    assert (caught.value.what, caught.value.backend) == ("caller_ref", "didit")
    assert adapter.seen == []
