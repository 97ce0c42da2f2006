"""Requests of calls: every field, and what is refused before anything is sent."""

import attrs
import pytest

import facematch_core as fm
from facematch_didit import DiditBackend

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


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"api_key": ""}, "DIDIT_API_KEY"),
        ({"base_url": "https://didit.example"}, "allow_base_url"),
        ({"base_url": "http://mock:8080", "allow_base_url": True}, "allow_insecure"),
        ({"environment": fm.Environment.LOCAL}, "environment"),
        ({"webhook_secrets": "whsec\n"}, "webhook secret"),
        ({"webhook_secrets": ("whsec", "")}, "webhook secret"),
        ({"webhook_secrets": [fm.Secret("a b")]}, "webhook secret"),
        ({"webhook_secrets": 7}, "webhook secret"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_by_its_name(settings, word):
    with pytest.raises(fm.ConfigurationError, match=word):
        DiditBackend(**{"api_key": "some-key"} | settings)
