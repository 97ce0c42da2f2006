"""A reviewer asks the person to do steps again, and downloads the report of a session."""

import json
import re

import pytest
from kit.cards import CARDS
from kit.mock_webhooks import HOOK
from kit.mock_world import control_of, json_request, new_engine
from vendors.didit import match_request, on, start, update

from facematch_mock_server.recognition.recognizer import Recognizer

OCR = {"node_id": "feature_ocr_1", "feature": "OCR"}
LIVENESS = {"node_id": "feature_liveness_1", "feature": "LIVENESS"}
FACE_MATCH = {"node_id": "feature_face_match_1", "feature": "FACE_MATCH"}
BLOCKS = ("id_verifications", "liveness_checks", "face_matches")


class Review:
    """A session with a document whose face is another person's: declined by the match alone."""

    def __init__(self):
        self.engine = new_engine(Recognizer())
        self.control = control_of(self.engine)
        self.url = self.engine.handle(start()).json()["url"]
        self.control.webhooks.add(HOOK)
        self.finish("p2")
        assert self.decision()["status"] == "Declined"

    @property
    def session(self):
        return self.engine.world.sessions.all()[0]

    def finish(self, card, document="p1"):
        self.control.sessions.finish(self.session.id, card, document)

    def decision(self):
        return on(1)(self.engine).json()

    def update(self, **body):
        return update(1, body)(self.engine)

    def resubmit(self, nodes=None):
        more = {} if nodes is None else {"nodes_to_resubmit": nodes}
        return self.update(new_status="Resubmitted", comment="Too dark", **more)


@pytest.fixture
def review():
    return Review()


def test_person_who_is_asked_back_verifies_at_the_same_url(review):
    answer = review.resubmit()
    assert (answer.status, answer.json()) == (200, {"session_id": review.session.id})
    asked = review.decision()
    assert (asked["status"], asked["session_url"]) == ("Resubmitted", review.url)
    assert [asked[name] is None for name in BLOCKS] == [False, False, True]
    assert asked["reviews"][-1]["comment"] == "Too dark"
    review.finish("p1-again")
    done = review.decision()
    assert done["status"] == "Approved"
    assert [done[name][0]["status"] for name in BLOCKS] == ["Approved"] * 3


@pytest.mark.parametrize(
    ("sent", "repeated"),
    [
        (None, [FACE_MATCH]),
        ([OCR], [OCR]),
        ([{**OCR, "feature": "ID_VERIFICATION"}], [OCR]),
        (
            [FACE_MATCH, LIVENESS, {"node_id": "feature_nfc", "feature": "NFC"}],
            [LIVENESS, FACE_MATCH],
        ),
    ],
)
def test_steps_that_are_asked_for_lose_their_results_and_pictures(review, sent, repeated):
    before = review.decision()
    assert review.resubmit(sent).status == 200
    *_, delivery = review.control.webhooks.deliveries()
    letter = json.loads(review.control.webhooks.delivery(delivery.id).body)
    assert letter["resubmit_info"] == {"nodes_to_resubmit": repeated, "reasons": {}}
    after = review.decision()
    for block, step in zip(BLOCKS, (OCR, LIVENESS, FACE_MATCH), strict=True):
        if step in repeated:
            assert after[block] is None
        else:
            assert after[block][0]["status"] == before[block][0]["status"]
    urls = re.findall(r"__media__/[^/]+/(\w+)", json.dumps(after))
    assert sorted(set(urls)) == sorted(review.session.pictures)


def test_lifetime_and_attempts_begin_again(review):
    expires_at = review.session.hosted.expires_at
    review.engine.world.clock.advance(3_600)
    for _ in range(2):
        assert review.resubmit().status == 200
        for _ in range(3):
            assert review.session.status in ("Resubmitted", "In Progress")
            review.control.sessions.fail_attempt(review.session.id)
        assert review.session.status == "Declined"
    assert (review.session.hosted.expires_at - expires_at).total_seconds() == 3_600


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (["OCR"], "is not a valid choice"),
        (
            [{"node_id": "x", "feature": "BOGUS"}],
            '"BOGUS" is not a valid choice. Valid choices are: OCR,',
        ),
        ("OCR", "Expected a list"),
    ],
)
def test_unknown_step_is_refused_and_changes_nothing(review, nodes, words):
    answer = review.resubmit(nodes)
    assert answer.status == 400
    assert words in answer.json()["nodes_to_resubmit"][0]
    assert review.session.status == "Declined"


def test_nothing_to_do_again_is_refused(review):
    refusal = "No features found that need resubmission. All features are already approved."
    assert review.resubmit([{"node_id": "n", "feature": "AML"}]).json() == {
        "nodes_to_resubmit": refusal
    }
    assert review.resubmit().status == 200
    review.finish("p1")
    answer = review.resubmit()
    assert (answer.status, answer.json()) == (400, {"nodes_to_resubmit": refusal})
    assert review.decision()["status"] == "Approved"


def test_reviewer_who_approves_a_declined_session_names_steps_in_vain(review):
    answer = review.update(new_status="Approved", nodes_to_resubmit=[LIVENESS])
    assert answer.status == 200
    assert review.decision()["liveness_checks"] is not None


def test_saved_call_is_not_resubmitted():
    engine = new_engine(Recognizer())
    engine.handle(match_request(CARDS["p1"], CARDS["p2"]))
    answer = update(1, {"new_status": "Resubmitted"})(engine)
    assert answer.status == 501
    assert engine.world.sessions.all()[0].status == "Declined"


def report(engine, number=1, **more):
    return on(number, "generate-pdf", method="GET", **more)(engine)


def test_report_of_a_finished_session_is_a_pdf(review):
    answer = report(review.engine)
    assert (answer.status, answer.header("Content-Type")) == (200, "application/pdf")
    session_id = review.session.id
    name = f"attachment; filename=session_{session_id}.pdf"
    assert answer.header("Content-Disposition") == name
    assert answer.body.startswith(b"%PDF-1.7")
    # The table at the end has the place of each object.
    place = int(re.search(rb"startxref\n(\d+)", answer.body)[1])
    table = answer.body[place:]
    assert table.startswith(b"xref\n0 6\n")
    for number, offset in enumerate(re.findall(rb"(\d{10}) 00000 n", table), start=1):
        assert answer.body[int(offset) :].startswith(f"{number} 0 obj".encode())


def test_report_of_an_open_session_is_refused(review):
    review.resubmit()
    answer = report(review.engine)
    assert answer.status == 403
    assert answer.json()["detail"].startswith("You can only generate a PDF for sessions")
    assert report(review.engine, 9).status == 404
    assert report(review.engine, key="wrong").status == 401


def test_reports_have_a_limit_of_their_own(review):
    for _ in range(50):
        assert report(review.engine).status == 200
    refused = report(review.engine)
    assert (refused.status, refused.header("X-RateLimit-Limit")) == (429, "50")
    assert "PDF" in refused.json()["detail"]
    assert review.engine.handle(json_request("/v3/sessions/")).status == 200
