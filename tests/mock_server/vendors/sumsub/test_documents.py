"""Pictures that are sent to the mock of Sumsub by the API."""

import json

import pytest
from kit import mock_webhooks
from kit.cards import CARDS
from kit.mock_world import ask, control_of, new_engine
from vendors import sumsub

from facematch_mock_server.recognition.recognizer import Recognizer

FACE = CARDS["p1-again"]
DOCUMENT = CARDS["p1"]
NO_FACE = CARDS["no-face"]


@pytest.fixture
def engine():
    """A mock with an applicant."""
    engine = new_engine(Recognizer(), vendor="sumsub")
    ask(engine, sumsub.create())
    return engine


def checked(engine, document=None, selfie=None):
    """Send these pictures; return the steps and the review after their check."""
    for picture, kind in ((document, "PASSPORT"), (selfie, "SELFIE")):
        if picture is not None:
            assert ask(engine, sumsub.adding(1, picture, kind)).status == 200
    answer = ask(engine, sumsub.checking(1))
    assert (answer.status, answer.json()) == (200, {"ok": 1})
    return ask(engine, sumsub.steps_of(1)).json(), review_of(engine)


def review_of(engine):
    return ask(engine, sumsub.applicant(1, "GET", "status")).json()


def labels_of(step):
    return step["reviewResult"].get("rejectLabels", [])


def test_added_picture_has_a_number_and_is_shown_by_its_step(engine):
    answer = ask(engine, sumsub.adding(1, DOCUMENT, "ID_CARD"))
    assert answer.json() == {"idDocType": "ID_CARD", "country": "GBR"}
    steps, _ = checked(engine)
    assert steps["IDENTITY"]["imageIds"] == [int(answer.header("X-Image-Id"))]
    assert (steps["IDENTITY"]["idDocType"], steps["SELFIE"]) == ("ID_CARD", None)
    (document,) = ask(engine, sumsub.read(1)).json()["info"]["idDocs"]
    assert document == {"idDocType": "ID_CARD", "country": "GBR"}


@pytest.mark.parametrize(
    ("document", "selfie", "labels", "review"),
    [
        (DOCUMENT, FACE, [], ("GREEN", None)),
        (DOCUMENT, CARDS["p2"], ["BAD_FACE_MATCHING"], ("RED", "FINAL")),
        (DOCUMENT, CARDS["spoof"], ["FRAUDULENT_LIVENESS"], ("RED", "FINAL")),
        (DOCUMENT, NO_FACE, ["BAD_SELFIE"], ("RED", "RETRY")),
        (DOCUMENT, CARDS["two-faces"], [], ("GREEN", None)),
        (NO_FACE, FACE, ["UNSATISFACTORY_PHOTOS"], ("RED", "RETRY")),
        (DOCUMENT, None, [], ("GREEN", None)),
        (NO_FACE, None, ["UNSATISFACTORY_PHOTOS"], ("RED", "RETRY")),
    ],
)
def test_check_says_what_the_pictures_show(engine, document, selfie, labels, review):
    steps, status = checked(engine, document, selfie)
    shown = [label for step in steps.values() if step for label in labels_or_none(step)]
    assert shown == labels
    assert status["reviewStatus"] == "completed"
    result = status["reviewResult"]
    assert (result["reviewAnswer"], result.get("reviewRejectType")) == review
    assert status["attemptCnt"] == 1


def labels_or_none(step):
    return labels_of(step) if "reviewResult" in step else []


def test_check_is_told_and_charged_once(engine, control):
    engine.handle(mock_webhooks.listen(events=["applicantPending", "applicantReviewed"]))
    checked(engine, DOCUMENT, FACE)
    sent = [json.loads(letter.body) for _, letter, _ in mock_webhooks.carry(engine)]
    assert [each["type"] for each in sent] == ["applicantPending", "applicantReviewed"]
    checked(engine)
    assert len(control.charges()) == 1


def test_sandbox_leaves_the_pictures_unchecked():
    engine = new_engine(Recognizer(), vendor="sumsub")
    ask(engine, sumsub.create(**sumsub.SANDBOX))
    assert ask(engine, sumsub.adding(1, DOCUMENT)).status == 404  # with a live token
    for picture, kind in ((DOCUMENT, "PASSPORT"), (CARDS["p2"], "SELFIE")):
        ask(engine, sumsub.adding(1, picture, kind, **sumsub.SANDBOX))
    assert ask(engine, sumsub.checking(1, **sumsub.SANDBOX)).status == 200
    steps = ask(engine, sumsub.steps_of(1, **sumsub.SANDBOX)).json()
    assert all("reviewResult" not in step for step in steps.values())
    status = ask(engine, sumsub.applicant(1, "GET", "status", **sumsub.SANDBOX)).json()
    assert status["reviewStatus"] == "pending"
    assert control_of(engine).charges() == ()


@pytest.mark.parametrize(
    ("method", "missing"),
    [("passiveLiveness", "IDENTITY, SELFIE"), ("disabled", "IDENTITY")],
)
def test_check_of_a_published_level_needs_its_steps(engine, people, method, missing):
    people.level("basic", video_required=method)
    answer = ask(engine, sumsub.checking(1))
    assert answer.status == 409
    assert f"[{missing}]" in answer.json()["description"]
    assert review_of(engine)["reviewStatus"] == "init"


def test_back_of_a_document_is_not_compared(engine):
    ask(engine, sumsub.adding(1, DOCUMENT, more={"idDocSubType": "FRONT_SIDE"}))
    ask(engine, sumsub.adding(1, NO_FACE, more={"idDocSubType": "BACK_SIDE"}))
    steps, _ = checked(engine, None, FACE)
    assert steps["IDENTITY"]["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert len(steps["IDENTITY"]["imageIds"]) == 2


@pytest.mark.parametrize(
    ("kind", "picture", "errors"),
    [
        ("PASSPORT", NO_FACE, ["noIdDocFacePhoto"]),
        ("SELFIE", NO_FACE, ["selfieFaceBadQuality"]),
        ("PASSPORT", DOCUMENT, []),
        ("PASSPORT", None, []),
    ],
)
def test_warnings_are_returned_on_demand(engine, kind, picture, errors):
    answer = ask(engine, sumsub.adding(1, picture, kind, x_return_doc_warnings="true"))
    assert (answer.json()["errors"], answer.json()["warnings"]) == (errors, [])
    is_used = not errors and picture is not None
    assert ask(engine, sumsub.checking(1)).status == (200 if is_used else 409)


@pytest.mark.parametrize(
    "metadata", ["", "[]", "{}", '{"idDocType": "PASSPORT"}', '{"country": "GBR"}']
)
def test_picture_without_its_metadata_is_refused(engine, metadata):
    assert ask(engine, sumsub.adding(1, DOCUMENT, metadata=metadata)).status == 400


def test_pictures_cannot_be_read_and_the_hint_names_the_method(engine):
    answer = ask(engine, sumsub.applicant(1, "GET", "info/idDoc"))
    assert (answer.status, answer.header("X-Facematch-Hint")) == (404, "this path takes POST")


def test_picture_that_is_too_large_is_refused(engine):
    answer = ask(engine, sumsub.adding(1, b"0" * 64_000_001))
    assert (answer.status, answer.json()["errorCode"]) == (400, 1002)


@pytest.mark.parametrize(
    ("content", "code", "name"),
    [
        (b"", 1003, "empty-file"),
        (b"not a picture", 1004, "corrupted-file"),
        (b"MM\x00* a TIFF", 1005, "unsupported-file-format"),
    ],
)
def test_file_that_is_no_picture_is_refused(engine, content, code, name):
    answer = ask(engine, sumsub.adding(1, content, has_content=True))
    error = answer.json()
    assert (answer.status, error["errorCode"], error["errorName"]) == (400, code, name)
    assert ask(engine, sumsub.checking(1)).status == 409


@pytest.mark.parametrize("filename", ["", None])
def test_picture_is_taken_without_a_file_name(engine, filename):
    answer = ask(engine, sumsub.adding(1, DOCUMENT, filename=filename))
    assert answer.status == 200
    assert checked(engine)[0]["IDENTITY"]["imageIds"] == [int(answer.header("X-Image-Id"))]
    assert ask(engine, sumsub.adding(1, DOCUMENT)).json()["errorCode"] == 1000
    assert ask(engine, sumsub.adding(1, FACE, "SELFIE", filename=filename)).status == 200
    assert ask(engine, sumsub.checking(1)).status == 200
    assert review_of(engine)["reviewResult"]["reviewAnswer"] == "GREEN"
    entries = control_of(engine).journal()
    sent = [(file.field, file.name) for entry in entries for file in entry.files]
    assert ("content", "") in sent


@pytest.mark.parametrize("filename", ["", None])
def test_empty_part_without_a_file_name_is_no_picture(engine, filename):
    answer = ask(engine, sumsub.adding(1, b"", has_content=True, filename=filename))
    assert (answer.status, answer.json()["idDocType"]) == (200, "PASSPORT")
    assert ask(engine, sumsub.checking(1)).status == 409


@pytest.mark.parametrize("content", [b"\0\0\0 ftypmp42", b"\x1aE\xdf\xa3 a WebM", b"%PDF-1.7"])
def test_video_and_pdf_are_taken(engine, content):
    assert ask(engine, sumsub.adding(1, content, "OTHER")).status == 200


def test_same_file_is_refused_but_for_another_applicant(engine):
    assert ask(engine, sumsub.adding(1, DOCUMENT)).status == 200
    answer = ask(engine, sumsub.adding(1, DOCUMENT))
    assert (answer.status, answer.json()["errorCode"]) == (409, 1000)
    ask(engine, sumsub.create("another-person"))
    assert ask(engine, sumsub.adding(2, DOCUMENT)).status == 200


@pytest.mark.parametrize(
    ("status", "code"), [("completed RED FINAL", 1009), ("completed RED RETRY", None)]
)
def test_nothing_can_be_sent_after_a_final_rejection(engine, status, code):
    ask(engine, sumsub.decided(1, status))
    answer = ask(engine, sumsub.adding(1, DOCUMENT))
    assert answer.status == (200 if code is None else 409)
    assert answer.json().get("errorCode") == code


def test_picture_is_part_of_the_signature(engine):
    answer = ask(engine, sumsub.adding(1, DOCUMENT, signature="0" * 64))
    assert (answer.status, answer.json()["errorCode"]) == (401, 4003)
    assert ask(engine, sumsub.checking(1, key="another-key")).status == 401


@pytest.mark.parametrize("status", ["pending", "queued", "prechecked"])
def test_nothing_can_be_sent_during_a_check(engine, status):
    ask(engine, sumsub.decided(1, status))
    answer = ask(engine, sumsub.adding(1, DOCUMENT))
    assert (answer.status, answer.json()["errorCode"]) == (409, 1006)
    assert ask(engine, sumsub.checking(1)).status == 409
