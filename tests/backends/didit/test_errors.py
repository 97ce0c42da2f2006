"""Requests of calls, and what an error other than its class says."""

import datetime as dt

import attrs
import pytest

import facematch_core as fm
from facematch_core.http import HttpReply
from facematch_core.testing import ManualClock


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
    reply = HttpReply(status=429, headers=headers, body=b'{"detail": "Too fast."}')
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
