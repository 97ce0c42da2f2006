"""What a 400 becomes, and that no traceback is handed on."""

import json
from typing import Any

import pytest
from facematch_core import (
    Charged,
    Decision,
    FaceVerifier,
    LivenessDecision,
    RequestRejected,
    WarningCode,
)
from facematch_core.backend import MatchCall
from facematch_core.http import HttpReply
from facematch_core.testing import Situation, noise
from hypothesis import given
from hypothesis import strategies as st

from facematch_deepface import DeepfaceBackend, DeepfaceOptions, _refusals
from facematch_deepface._simulator import DeepfaceSimulator, error_text

CALL = MatchCall(probe=noise(), reference=noise(1))

#: What only a traceback has: the name of a file of the server.
FILE = "_simulator.py"


def test_the_simulator_raises_a_real_traceback() -> None:
    """Else the tests below would prove nothing."""
    assert FILE in error_text("sentence", "cause")


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("Exception while processing img1_path", "probe"),
        ("Exception while processing img2_path", "reference"),
        ("Face could not be detected", None),
    ],
)
def test_the_picture_without_a_face_is_named(sentence: str, place: str | None) -> None:
    """Where the server says which one it is; where it does not, neither do we."""
    body = {"error": error_text(sentence, "Face could not be detected")}
    result = _refusals.refused_match(CALL, body)
    assert result.warnings[0].code is WarningCode.NO_FACE
    assert result.warnings[0].tag == "Face could not be detected"
    assert (result.probe_faces == ()) == (place == "probe")
    assert (result.reference_faces == ()) == (place == "reference")


def test_no_face_in_the_probe() -> None:
    """No face is no verdict, and the result is free of the traceback."""
    with DeepfaceSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.NO_FACE)
        result = verifier.verify(noise(), noise(1))
    assert result.decision is Decision.INCONCLUSIVE
    assert result.probe_faces == ()
    assert result.reference_faces is None
    assert result.warnings[0].text == "no face was found in the probe"
    assert result.raw == {
        "error": "Exception while verifying: Exception while processing img1_path"
    }


def test_a_spoof_is_seen_where_it_is_looked_for() -> None:
    """In a liveness check always, in a comparison if the caller wants it."""
    with DeepfaceSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SPOOF)
        usual = verifier.verify(noise(), noise(1))
        wary = verifier.verify(noise(), noise(1), options=DeepfaceOptions(anti_spoofing=True))
        live = verifier.check_liveness(noise())
    assert usual.decision is Decision.MATCH
    assert wary.decision is Decision.INCONCLUSIVE
    assert wary.warnings[0].code is WarningCode.PRESENTATION_ATTACK
    assert live.decision is LivenessDecision.NOT_LIVE
    assert FILE not in str(wary.to_dict()) + str(live.to_dict())


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"error": error_text("out of memory", "out of memory")}, "verifying: out of memory"),
        ({"exception": "img2 is missing"}, "img2 is missing"),
    ],
)
def test_any_other_400_is_an_error_without_its_traceback(body: Any, shown: str) -> None:
    """What the server says is shown, where its files lie is not."""
    reply = HttpReply(status=400, body=json.dumps(body).encode())
    error = DeepfaceBackend(model_name="SFace").read_reply(CALL, reply)
    assert isinstance(error, RequestRejected)
    assert error.billing.charged is Charged.NO
    assert shown in str(error)
    assert FILE not in str(error)


@given(st.text(), st.text())
def test_nothing_behind_the_first_line_is_shown(sentence: str, trace: str) -> None:
    """Whatever a traceback looks like, it begins with the words of Python or on a new line."""
    shown = _refusals.before_traceback(f"{sentence} - {_refusals.TRACEBACK}:\n{trace}")
    assert sentence.startswith(shown)
    assert "\n" not in shown
