"""Every warning that the mock can raise is known to the backend, and a claim has it."""

import pytest

from facematch_core import WarningCode, open_verifier
from facematch_core.models import Severity
from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.vendors.didit.pictures import RISKS, warnings

P1 = card_sheet()["p1"].data
#: By call: the part of its answer, and what the body is beside its warnings.
BODIES = {
    "verify": ("face_match", {"user_image": {}, "ref_image": {}}),
    "check_liveness": ("liveness", {"method": "PASSIVE", "user_image": {}}),
}


@pytest.fixture(scope="module")
def mock():
    with MockServer() as running:
        yield running


@pytest.mark.parametrize("call", BODIES)
@pytest.mark.parametrize("risk", RISKS)
def test_the_backend_reads_each_warning_of_the_mock(mock, call, risk):
    block, pictures = BODIES[call]
    claims = mock.world.claims.citations()
    faces = {name: {"entities": [], "best_angle": 0} for name in pictures if name != "method"}
    body = {
        "request_id": "4a3c9a2e-6f0e-4f4e-9b53-2f1a6d0c7b11",
        block: {
            **pictures,
            **faces,
            "status": "Declined",
            "score": 12.5,
            "warnings": warnings(claims, "FACE", [risk], {}),
        },
        "created_at": "2026-07-02T09:15:27.104233+00:00",
    }
    mock.control.add_fault(Fault(stage="answer", kind="json", status=200, body=body))
    with open_verifier("didit", api_key=mock.live_key, base_url=mock.url) as verifier:
        result = getattr(verifier, call)(*([P1, P1] if call == "verify" else [P1]))
    (warning,) = result.warnings
    assert warning.tag == risk
    assert warning.code is not WarningCode.OTHER
    assert warning.severity is not Severity.UNKNOWN
