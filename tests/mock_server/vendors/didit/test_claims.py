"""Which claims an answer about a picture names, and what claims and hints say."""

import io

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_didit import MATCH_PATH, liveness_request, match_request, scene
from PIL import Image

from facematch_mock_server import MockServer, card_sheet

SANDBOX = "mock-sandbox-key"
PLAIN = "answer.echo.sent answer.created_at.offset entity.keys.five"
SHAPE = f"{PLAIN} score.type.float"
PASSED = f"{SHAPE} match.boundary.exclusive match.answer credit.price.match"
LIVE = f"{SHAPE} liveness.boundary.exclusive liveness.quality_risks.none liveness.answer"
PAID = "credit.price.liveness"
LOW = "warning.keys.six warning.risks"
MARCH = (
    "answer.echo.not_sent answer.created_at.zulu entity.keys.four score.type.integer "
    "score.compared match.boundary.inclusive match.answer credit.price.match"
)
NO_PAIR = f"{LOW} warning.words match.faceless match.no_face_risk.reference match.no_pair"

#: request, edition -> claims
RULES = [
    (match_request(), "2026-07", PASSED),
    (match_request(scene(score=30.004)), "2026-07", f"{PASSED} {LOW} score.compared"),
    (
        match_request(scene(faces=0)),
        "2026-07",
        f"{NO_PAIR} match.no_pair_score.july credit.price.match {PLAIN}",
    ),
    (match_request(), "2026-03", MARCH),
    (match_request(key=SANDBOX), "2026-07", f"{SHAPE} match.sandbox match.answer"),
    (match_request(key=None), "2026-07", "auth.missing.403 auth.words.403"),
    (match_request(rotate_image="maybe"), "2026-07", "fields.refused"),
    (liveness_request(scene(score=92)), "2026-07", f"{LIVE} {PAID}"),
    (
        liveness_request(scene(score=92, faces=2)),
        "2026-07",
        f"{LIVE} {PAID} {LOW} warning.words entity.largest_first",
    ),
    (liveness_request(key=SANDBOX), "2026-07", f"{SHAPE} liveness.sandbox liveness.answer"),
]


@pytest.mark.parametrize(("sent", "edition", "rules"), RULES, ids=range(len(RULES)))
def test_an_answer_names_what_decided_it_and_nothing_else(sent, edition, rules):
    answer = didit.new_engine(edition=edition).handle(sent)
    assert set(answer.claims) == {f"didit.{rule}" for rule in rules.split()}


P1 = card_sheet()["p1"].data
HINT = "X-Facematch-Hint"


def flat():
    data = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 80, 70)).save(data, "PNG")
    return data.getvalue()


FLAT = flat()


def compared(mock, probe, reference, key=None):
    with requests.Session() as session:
        base = "http://127.0.0.1:1"
        session.mount(base, mock.adapter())
        key = key or mock.live_key
        if mock.vendors == ("didit",):
            files = {"user_image": ("a.png", probe), "ref_image": ("b.png", reference)}
            return session.post(f"{base}{MATCH_PATH}", headers={"x-api-key": key}, files=files)
        pair = {"client_id": "mock-client", "client_secret": key}
        token = session.post(f"{base}/v1/authorize", data=pair).json()
        headers = {"Authorization": f"Bearer {token['access_token']}", "x-api-key": key}
        files = {"file_a": ("a.png", probe), "file_b": ("b.png", reference)}
        return session.post(f"{base}/v1/facematch", headers=headers, files=files)


@pytest.mark.parametrize("vendor", ["didit", "deepvue"])
def test_a_score_by_bytes_says_that_it_compares_no_faces(vendor):
    mock = MockServer(vendor=vendor, seed=1)
    for files, has_hint in (((P1, P1), False), ((FLAT, FLAT), True), ((b"x", FLAT), False)):
        hint = compared(mock, *files).headers.get(HINT, "")
        assert ("--engine local" in hint) == has_hint
    mock.control.set_outcome("match", score=80)
    assert HINT not in compared(mock, FLAT, FLAT).headers
