"""Requests of calls: every field, and what is refused before anything is sent."""

import attrs
import pytest

import facematch_core as fm

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
