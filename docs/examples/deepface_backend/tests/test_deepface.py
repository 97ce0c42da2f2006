"""Run the backend contract, and test the server's 400s and its own threshold."""

import base64
import json
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from facematch_core import Decision, FaceVerifier, LivenessDecision, RequestRejected, WarningCode
from facematch_core.backend import ImageFormat, ImageLimits, MatchRequest
from facematch_core.http import HttpReply
from facematch_core.testing import (
    BackendContract,
    HttpSimulator,
    SimulatorReply,
    SimulatorRequest,
    Situation,
    noise,
)

from facematch_deepface import DeepfaceBackend

TOKEN = "an-example-of-a-token-93c1f07ad2"
#: The model's own threshold: pairs with at most this distance are verified.
CUT = 0.30
#: Confidence and distance by situation. Ours: how the two numbers are paired.
NUMBERS = {
    Situation.DIFFERENT_PEOPLE: (12.25, 0.71),
    Situation.IMPOSSIBLE_SCORE: (250.0, 0.11),
}
RAISED = {
    Situation.NO_FACE: ("enforce_detection", "Face could not be detected"),
    Situation.SPOOF: ("anti_spoofing", "Spoof detected in given image."),
}


class DeepfaceSimulator(HttpSimulator):
    """A simulator of a DeepFace server, built from its source."""

    situations = HttpSimulator.FAULTS | {
        *(Situation.SAME_PERSON, Situation.LIVE, Situation.SCORE, Situation.UNREADABLE_200),
        *(Situation.BAD_KEY, Situation.REJECTED, *RAISED, *NUMBERS),
        # The closest pair has the usual confidence.
        Situation.SMALLER_FACE_MATCHES,
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.TWO_FACES: "The closest pair of faces wins, and the server does not say so.",
        Situation.NULL_SCORE: "The server computes a confidence for every answer.",
        Situation.THROTTLED: "The server has no limit of calls.",
        Situation.OUTAGE: "A fault of the server's own is a 400 like any other refusal.",
        Situation.UNKNOWN_WARNING: "The server returns no warnings.",
    }
    secrets = (TOKEN,)
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG})

    def backend(self, **settings: Any) -> DeepfaceBackend:
        usual: dict[str, Any] = {"model_name": "SFace", "token": TOKEN, "base_url": self.url}
        return DeepfaceBackend(**usual | settings)

    @property
    def received(self) -> dict[str, Any]:
        if self.last is None:
            return {}
        body = self.last.json()
        probe, reference = (base64.b64decode(body[name].split(",")[1]) for name in ("img1", "img2"))
        # A liveness check sends one picture twice.
        return {"probe": probe} | ({} if probe == reference else {"reference": reference})

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        fields = request.json()
        is_token = request.headers["Authorization"] == f"Bearer {TOKEN}"
        if not is_token or situation is Situation.BAD_KEY:
            return SimulatorReply(status=401, body={"message": "Invalid token"}, charged=False)
        if situation is Situation.REJECTED or fields["distance_metric"] != "cosine":
            return SimulatorReply(status=400, body={"exception": "img2 is missing"}, charged=False)
        if situation in RAISED and fields[RAISED[situation][0]]:
            body = {"error": error_text(RAISED[situation][1])}
            return SimulatorReply(status=400, body=body, charged=False)
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(status=200, body={"result": "ok"}, charged=False)
        confidence, distance = NUMBERS.get(situation, (93.5, 0.11))
        answer: dict[str, Any] = {
            "verified": distance <= CUT,
            "distance": distance,
            "threshold": CUT,
            "confidence": confidence if score is None else score,
            "model": fields["model_name"],
            "similarity_metric": fields["distance_metric"],
        }
        return SimulatorReply(status=200, body=answer, charged=False)


def error_text(cause: str) -> str:
    """Return the text of a 400 with a real traceback, whose last line names the cause."""
    try:
        raise ValueError(cause)
    except ValueError:
        sentence = "Exception while processing img1_path"
        return f"Exception while verifying: {sentence} - {traceback.format_exc()}"


@pytest.fixture
def simulator() -> Iterator[DeepfaceSimulator]:
    with DeepfaceSimulator() as simulator:
        yield simulator


class TestContract(BackendContract):
    @pytest.fixture
    def simulator(self) -> Iterator[DeepfaceSimulator]:
        with DeepfaceSimulator() as simulator:
            yield simulator

    @pytest.mark.xfail(reason="of several faces, the closest pair counts", strict=True)
    def test_r14_largest_face_decides(self, bench: Any) -> None:
        super().test_r14_largest_face_decides(bench)


def test_a_400_about_the_faces_is_a_result_without_the_traceback(
    simulator: DeepfaceSimulator,
) -> None:
    with FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.NO_FACE)
        no_face = verifier.verify(noise(), noise(1))
        simulator.set_situation(Situation.SPOOF)
        spoof = verifier.check_liveness(noise())
        simulator.set_situation(Situation.REJECTED)
        with pytest.raises(RequestRejected, match="img2 is missing"):
            verifier.verify(noise(), noise(1))
    assert no_face.decision is Decision.INCONCLUSIVE
    [warning] = no_face.warnings
    assert (warning.code, warning.severity.is_grave) == (WarningCode.NO_FACE, True)
    assert spoof.decision is LivenessDecision.NOT_LIVE
    assert __file__ not in f"{no_face.to_dict()} {spoof.to_dict()}"


@pytest.mark.parametrize("status", [400, 500])
def test_another_error_is_without_the_traceback(simulator: DeepfaceSimulator, status: int) -> None:
    body = json.dumps({"error": error_text("the model is gone")}).encode()
    call = MatchRequest(probe=noise(), reference=noise(1))
    error = simulator.backend().read_reply(call, HttpReply(status=status, body=body))
    assert "Exception while verifying" in str(error)
    assert "Traceback" not in str(error)


def test_a_threshold_only_makes_the_servers_verdict_stricter(simulator: DeepfaceSimulator) -> None:
    simulator.set_situation(Situation.DIFFERENT_PEOPLE)
    with FaceVerifier(simulator.backend()) as verifier:
        assert verifier.verify(noise(), noise(1), threshold=5).decision is Decision.NO_MATCH
    simulator.set_situation(Situation.SAME_PERSON)
    with FaceVerifier(simulator.backend(enforce_detection=False)) as verifier:
        assert verifier.verify(noise(), noise(1)).decision is Decision.REVIEW
        strict = verifier.verify(noise(), noise(1), threshold=99)
        assert strict.decision is Decision.NO_MATCH
        assert WarningCode.LOW_SIMILARITY in {warning.code for warning in strict.warnings}
        assert verifier.check_liveness(noise(), threshold=50).decision is LivenessDecision.REVIEW
