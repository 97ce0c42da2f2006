"""A face is searched among the faces of sessions, and a document is read."""

import base64
import re
from decimal import Decimal

import pytest
from kit.cards import CARDS
from kit.mock_sessions import SANDBOX
from kit.mock_world import control_of, json_request, multipart, new_engine, request_to, scene
from vendors.didit import liveness_request, on, start

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.world.identities import make_identity


class Application:
    """A mock of Didit, and its two calls."""

    def __init__(self):
        self.engine = new_engine(Recognizer())
        self.control = control_of(self.engine)

    def send(self, path, files, key="mock-live-key", **fields):
        return self.engine.handle(request_to(path, *multipart(fields.items(), files), key=key))

    def search(self, card, **more):
        files = [("user_image", "face.png", CARDS[card])]
        return self.send("/v3/face-search/", files, **more)

    def matches(self, card, **more):
        found = self.search(card, save_api_request="false", **more).json()["face_search"]
        assert found["total_matches"] == len(found["matches"])
        return [match["session_id"] for match in found["matches"]]

    def read_document(self, card="p1", *, back=None, name="front.png", **more):
        content = CARDS[card] if isinstance(card, str) else card
        files = [("front_image", name, content)]
        if back is not None:
            files.append(("back_image", "back.png", CARDS[back]))
        return self.send("/v3/id-verification/", files, **more)

    def document(self, *args, **more):
        return self.read_document(*args, **more).json()["id_verification"]

    def check(self, card, user):
        sent = liveness_request(CARDS[card], vendor_data=user)
        return self.engine.handle(sent).json()["request_id"]

    def verify(self, card):
        """A person with a document verifies; return the session's id."""
        session_id = self.engine.handle(start()).json()["session_id"]
        self.control.sessions.finish(session_id, card)
        return session_id

    def decision(self, session_id):
        return self.engine.handle(json_request(f"/v3/session/{session_id}/decision/")).json()

    @property
    def spent(self):
        return Decimal(100) - self.engine.world.ledger.balance


@pytest.fixture
def application():
    return Application()


def test_search_finds_the_sessions_of_a_person_and_no_others(application):
    checked = application.check("p1", "anna")
    verified = application.verify("p1")
    application.check("p2", "berta")
    answer = application.search("p1-again", vendor_data="anna").json()["face_search"]
    assert answer["status"] == "Approved"
    assert {match["session_id"] for match in answer["matches"]} == {checked, verified}
    by_id = {match["session_id"]: match for match in answer["matches"]}
    assert (
        by_id[checked]
        | {
            "vendor_data": "anna",
            "api_service": "PASSIVE_LIVENESS",
            "source": "session",
            "status": "Approved",
            "user_details": None,
            "is_blocklisted": False,
        }
        == by_id[checked]
    )
    details = by_id[verified]["user_details"]
    assert details["full_name"] == make_identity("p1")["full_name"]
    assert details["document_type"] == "Passport"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", by_id[checked]["verification_date"])
    assert all(80 < match["similarity_percentage"] <= 100 for match in answer["matches"])
    warned = {warning["risk"] for warning in answer["warnings"]}
    assert warned == {"DUPLICATED_FACE"}
    (face,) = answer["user_image"]["entities"]
    assert set(face) == {"bbox", "confidence"}


def test_search_has_at_most_five_matches_the_most_similar_first(application):
    for number in range(4):
        application.check("p1", f"user-{number}")
        application.check("p1-again", f"user-{number}")
    answer = application.search("p1").json()["face_search"]
    scores = [match["similarity_percentage"] for match in answer["matches"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)


def test_search_of_approved_faces_leaves_out_a_declined_session(application):
    checked = application.check("p1", "anna")
    application.control.sessions.decide(checked, "Declined")
    assert application.matches("p1") == [checked]
    assert application.matches("p1", search_type="blocklisted_or_approved") == []


def test_saved_search_is_a_session_that_no_search_finds(application):
    application.check("p1", "anna")
    found = application.search("p1", vendor_data="berta").json()
    (match,) = found["face_search"]["matches"]
    path = match["match_image_url"].partition("http://")[2].partition("/")[2]
    picture = application.engine.handle(request_to(f"/{path}", method="GET", key=None))
    assert picture.body == CARDS["p1"]
    body = application.decision(found["request_id"])
    assert (body["features"], body["vendor_data"]) == (["FACE_SEARCH"], "berta")
    assert len(body["liveness_checks"][0]["matches"]) == 1
    assert len(application.matches("p1")) == 1
    assert application.engine.handle(json_request("/v3/sessions/")).json()["count"] == 2


def test_face_on_the_blocklist_declines_a_search(application):
    application.control.set_outcome("liveness", blocklist="certain")
    answer = application.search("p1").json()["face_search"]
    assert answer["status"] == "Declined"
    assert answer["warnings"][0]["risk"] == "FACE_IN_BLOCKLIST"


def test_picture_without_a_face_or_of_several(application):
    answer = application.search("no-face")
    assert (answer.status, answer.json()) == (400, {"error": "No face detected in the image"})
    assert application.spent == 0
    answer = application.search("two-faces").json()["face_search"]
    assert (answer["status"], len(answer["user_image"]["entities"])) == ("Approved", 2)
    assert answer["warnings"][0]["risk"] == "MULTIPLE_FACES_DETECTED"
    unknown = application.search("p1", search_type="x")
    assert unknown.json() == {"search_type": ['"x" is not a valid choice.']}


def test_document_has_the_made_up_identity_of_its_person(application):
    shown = application.document("p1", vendor_data="anna")
    identity = make_identity("p1")
    assert shown["status"] == "Approved"
    for name in ("first_name", "last_name", "full_name", "date_of_birth", "document_number"):
        assert shown[name] == identity[name]
    born = int(identity["date_of_birth"][:4])
    assert shown["age"] in (2026 - born, 2025 - born)
    assert len(shown["issuing_state"]) == 3
    assert (shown["warnings"], shown["mrz"], shown["barcodes"]) == ([], {}, [])
    assert application.document("p1-again")["full_name"] == shown["full_name"]
    assert application.document("p2")["document_number"] != shown["document_number"]


def test_saved_document_is_a_session_with_its_pictures(application):
    answer = application.read_document("p1", back="p2", vendor_data="anna").json()
    shown = answer["id_verification"]
    body = application.decision(answer["request_id"])
    (read,) = body["id_verifications"]
    assert (body["features"], body["status"]) == (["ID_VERIFICATION"], "Approved")
    assert read["full_name"] == shown["full_name"]
    for name, card in (("front_image", "p1"), ("portrait_image", "p1"), ("back_image", "p2")):
        for url in (shown[name], read[name]):
            path = url.partition("http://")[2].partition("/")[2]
            picture = application.engine.handle(request_to(f"/{path}", method="GET", key=None))
            assert picture.body == CARDS[card]
    assert "Sample Street" not in repr(application.engine.world.sessions.all())


def test_document_that_is_not_saved_has_its_pictures_inside(application):
    shown = application.document("p1", save_api_request="false")
    assert base64.b64decode(shown["front_image"]) == CARDS["p1"]
    assert shown["back_image"] is None
    assert application.engine.world.sessions.all() == ()


def test_picture_that_is_no_card_has_an_identity_of_its_own():
    application = Application()
    application.engine = new_engine()
    one, other = scene(score=1), scene(score=2)
    names = [application.document(each)["document_number"] for each in (one, one, other)]
    assert names[0] == names[1]
    assert all(name.startswith("MOCK-") for name in names)


def test_document_of_a_test_decides_and_may_have_expired(application):
    application.control.sessions.document(full_name="Ada Lovelace", document_number="X1")
    shown = application.document("p1")
    assert (shown["full_name"], shown["document_number"]) == ("Ada Lovelace", "X1")
    assert shown["date_of_birth"] is None
    yesterday = application.engine.world.clock.now().date().replace(year=2020)
    application.control.sessions.document(full_name="Ada Lovelace", expiration_date=yesterday)
    shown = application.document("p1")
    assert shown["status"] == "Declined"
    assert [warning["risk"] for warning in shown["warnings"]] == ["DOCUMENT_EXPIRED"]


@pytest.mark.parametrize("card", ["no-face", b"no picture"])
def test_picture_without_a_document_is_refused_and_free(application, card):
    answer = application.read_document(card)
    assert (answer.status, answer.json()) == (400, {"error": "COULD_NOT_RECOGNIZE_DOCUMENT"})
    assert application.spent == 0


def test_files_are_checked_as_documents(application):
    answer = application.read_document(name="a.txt", save_api_request="x")
    assert answer.status == 400
    problems = answer.json()
    assert "tiff, jpg, jpeg, png, webp, pdf." in problems["front_image"][0]
    assert "save_api_request" in problems
    answer = application.read_document(b"x" * (10 << 20) + b"x")
    assert answer.status == 400
    assert answer.json() == {"front_image": ["File size should not exceed 10 MB"]}
    answer = application.read_document(b"%PDF-1.7", name="a.pdf")
    assert answer.status == 400
    assert "PDF" in answer.header(HINT_HEADER)


def test_each_call_is_charged_once_and_a_sandbox_never(application):
    application.search("p1")
    assert application.spent == Decimal("0.05")
    application.read_document("p1")
    assert application.spent == Decimal("0.20")
    found = application.search("p1", key=SANDBOX).json()["face_search"]
    assert (found["status"], found["matches"]) == ("Approved", [])
    assert application.document("p2", key=SANDBOX)["status"] == "Approved"
    assert application.spent == Decimal("0.20")
    assert len(application.engine.world.sessions.all()) == 2


def test_pdf_of_a_saved_document_is_made(application):
    application.read_document("p1")
    assert on(1, "generate-pdf", method="GET")(application.engine).status == 200
