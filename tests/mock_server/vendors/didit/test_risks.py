"""Every warning that the mock can raise is known to the backend, and a claim has it."""

import json
from pathlib import Path

import attrs
import pytest

from facematch_core import WarningCode, open_verifier
from facematch_core.models import Severity
from facematch_mock_server import card_sheet
from facematch_mock_server.vendors.didit.checks import RISKS, warnings

P1 = card_sheet()["p1"].data
#: The documents' answers to both calls.
ANSWERS = sorted((Path(__file__).parents[4] / "tests/backends/didit/answers").glob("[ml]*.json"))
#: Risks whose words differ by document, or are in none.
OTHER_WORDS = {"NO_FACE_DETECTED", "LOW_FACE_QUALITY", "LOW_FACE_LUMINANCE"}


@pytest.mark.parametrize("call", ["verify", "check_liveness"])
def test_backend_recognizes_every_warning_of_the_mock(mock, monkeypatch, call):
    handle = mock.app.handle

    def warn(request):
        answer = handle(request)
        body = answer.json()
        block = body["face_match" if call == "verify" else "liveness"]
        block["warnings"] = warnings("FACE", RISKS, {})
        return attrs.evolve(answer, body=json.dumps(body).encode())

    monkeypatch.setattr(mock.app, "handle", warn)
    with open_verifier("didit", api_key=mock.live_key, base_url=mock.url) as verifier:
        result = verifier.verify(P1, P1) if call == "verify" else verifier.check_liveness(P1)
    assert {warning.tag for warning in result.warnings} == set(RISKS)
    for warning in result.warnings:
        assert warning.code is not WarningCode.OTHER, (
            f"{warning.tag} has no code: add it to WARNING_CODES in facematch_didit/words.py"
        )
        assert warning.severity is not Severity.UNKNOWN


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_warnings_have_the_documented_text(path):
    body = json.loads(path.read_text())
    for shown in (body.get("face_match") or body["liveness"])["warnings"]:
        risk = RISKS.get(shown["risk"])
        if risk and shown["risk"] not in OTHER_WORDS:
            names = ("log_type", "short_description", "long_description")
            assert (risk.type, risk.short, risk.long) == tuple(shown[name] for name in names)
