"""What is sent, and which settings are taken."""

import base64
from typing import Any

import pytest
from facematch_core import ConfigurationError, Secret
from facematch_core.backend import LivenessCall, MatchCall
from facematch_core.testing import noise

from facematch_deepface import DeepfaceBackend, DeepfaceOptions

PROBE, REFERENCE = noise(), noise(1)


def sent(backend: DeepfaceBackend, call: MatchCall | LivenessCall) -> dict[str, object]:
    return dict(backend.build(call).json)


def test_flags_are_true_or_false() -> None:
    """In a form the text "false" would be true to the server."""
    backend = DeepfaceBackend(model_name="SFace", enforce_detection=False)
    body = sent(backend, MatchCall(probe=PROBE, reference=REFERENCE))
    assert (body["enforce_detection"], body["anti_spoofing"]) == (False, False)
    options = DeepfaceOptions(anti_spoofing=True)
    body = sent(backend, MatchCall(probe=PROBE, reference=REFERENCE, options=options))
    assert body["anti_spoofing"] is True


def test_liveness_compares_the_picture_with_itself() -> None:
    """With every check on, whatever the settings say."""
    backend = DeepfaceBackend(model_name="SFace", enforce_detection=False)
    body = sent(backend, LivenessCall(probe=PROBE))
    assert body["img1"] == body["img2"]
    assert (body["enforce_detection"], body["anti_spoofing"]) == (True, True)


def test_pictures_travel_as_data() -> None:
    """Any other text would be a path or an address, which the server opens."""
    body = sent(DeepfaceBackend(model_name="SFace"), MatchCall(probe=PROBE, reference=REFERENCE))
    for key, image in (("img1", PROBE), ("img2", REFERENCE)):
        head, data = str(body[key]).split(",", 1)
        assert head == "data:image/jpeg;base64"
        assert base64.b64decode(data) == image.data


def test_the_token_is_optional() -> None:
    """A server without one is sent none."""
    call = MatchCall(probe=PROBE, reference=REFERENCE)
    assert "Authorization" not in DeepfaceBackend(model_name="SFace").build(call).headers
    request = DeepfaceBackend(model_name="SFace", token="t-93c1f07ad2").build(call)
    assert Secret.of(request.headers["Authorization"]).reveal() == "Bearer t-93c1f07ad2"
    assert [secret.reveal() for secret in request.masked] == ["t-93c1f07ad2"]


def test_each_model_and_metric_has_its_scale() -> None:
    """So that scores of two models do not compare."""
    scales = {
        DeepfaceBackend(model_name=model, distance_metric=metric).capabilities.score_scale
        for model in ("SFace", "ArcFace")
        for metric in ("cosine", "euclidean")
    }
    assert len(scales) == 4
    assert "deepface/SFace/cosine" in scales


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model_name": ""}, "model_name must be a text that is not empty."),
        ({"token": ""}, "token is empty"),
        ({"enforce_detection": "false"}, "enforce_detection must be true or false"),
        ({"base_url": "http://faces.example:5005"}, "base_url"),
    ],
)
def test_settings_are_refused_in_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    """Before the first call, and without their values."""
    with pytest.raises(ConfigurationError, match=sentence):
        DeepfaceBackend(**({"model_name": "SFace"} | settings))
