"""Hosted sessions: what a start sends, how decisions are read, what a deletion does."""

import copy
import json
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import json_reply, picture
from kit.sessions import session_record
from kit.strategies import json_values

import facematch_core as fm
from facematch_core.backend import DeleteRequest, ReadRequest, SessionReading, StartRequest
from facematch_core.backend.session_types import DeletionState
from facematch_didit import DiditBackend, DiditSessionOptions

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
OTHER = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b36"
WORKFLOW = "11111111-2222-3333-4444-555555555555"
#: Part of every address and personal text: nothing may show it.
CANARY = "CANARY5f1"
RECORD = session_record(
    "didit",
    id="0123456789abcdef0123456789abcdef",
    subject_ref=f"subject-{CANARY}",
    facts={"workflow_id": WORKFLOW},
)
STARTED_RECORD = attrs.evolve(RECORD, session_id=ID)
FOREIGN = {"id": "f" * 32, "terms": "x"}

#: By the examples of Didit's OpenAPI, 2026-07-18: the answer 201, and a decision.
FOLDER = Path(__file__).parent / "answers"


def example(name):
    return json.loads((FOLDER / name).read_text().replace("TERMS", RECORD.terms))


STARTED = example("session_started.json")
DECISION = example("session_decision.json")


def decided(**changes):
    return copy.deepcopy(DECISION | changes)


def page(*rows):
    """Return a list of sessions, each given by what differs from `DECISION`."""
    names = ("session_id", "session_number", "status", "vendor_data", "created_at")
    shown = [{name: DECISION[name] for name in names} | row for row in rows]
    return 200, {"count": len(rows), "next": None, "previous": None, "results": shown}


@pytest.fixture
def scripted(canned):
    def open_backend(*answers, **settings):
        return canned(*answers or [(201, STARTED)], **{"workflow_id": WORKFLOW} | settings)

    return open_backend


@pytest.fixture
def read(scripted):
    def read(record=STARTED_RECORD, headers=(), *, with_settings=(), **changes):
        backend, _ = scripted((200, decided(**changes), headers), **dict(with_settings))
        return backend.read_session(ReadRequest(record=record))

    return read


# --- start ---


def test_a_start_sends_the_id_of_the_record_and_nothing_about_the_person(scripted):
    backend, adapter = scripted()
    session = backend.start_session(StartRequest(record=RECORD))
    ((method, url, body),) = adapter.sent
    assert (method, url) == ("POST", "https://verification.didit.me/v3/session/")
    assert body == {
        "workflow_id": WORKFLOW,
        "vendor_data": RECORD.id,
        "metadata": {"id": RECORD.id, "terms": RECORD.terms},
    }
    assert session.session_id == ID
    assert session.access.link.reveal() == STARTED["url"]
    assert session.access.token.reveal() == STARTED["session_token"]
    assert session.facts == {"workflow_id": WORKFLOW}
    assert session.vendor == {"workflow_version": "3"}
    assert CANARY not in repr(session)


def test_the_documented_link_is_on_a_host_of_didit(scripted):
    backend, _ = scripted(page(), (201, STARTED))
    sessions = fm.Sessions(fm.FaceVerifier(backend), compared_with="document")
    link = sessions.start(RECORD).access.link.reveal()
    assert link.startswith("https://verify.didit.me/")


SCENARIO = {"options": DiditSessionOptions(sandbox_scenario="approve")}


@pytest.mark.parametrize(
    ("settings", "more", "error"),
    [
        ({"workflow_id": None}, {}, fm.ConfigurationError),
        ({"workflow_id": "my-workflow"}, {}, fm.ConfigurationError),
        ({}, {"reference": picture()}, fm.Unsupported),
        ({"environment": "production"}, SCENARIO, fm.Unsupported),
    ],
)
def test_a_start_that_cannot_work_is_refused_before_sending(settings, more, error, scripted):
    backend, adapter = scripted(**settings)
    with pytest.raises(error):
        backend.start_session(StartRequest(record=RECORD, **more))
    assert adapter.seen == []


def test_no_scenario_is_sent_without_the_setting_environment():
    backend = DiditBackend(api_key="k-1", workflow_id=WORKFLOW)
    with pytest.raises(fm.Unsupported):
        next(backend.start_steps(StartRequest(record=RECORD, **SCENARIO)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metadata", FOREIGN),
        ("metadata", None),
        ("session_id", "no"),
        ("url", None),
        ("session_token", 7),
    ],
)
def test_an_answer_about_another_session_gives_no_link(name, value, scripted):
    backend, _ = scripted((201, {**STARTED, name: value}))
    with pytest.raises(fm.UnexpectedResponse) as caught:
        backend.start_session(StartRequest(record=RECORD))
    assert CANARY not in f"{caught.value!r} {caught.value}"


# --- read ---


DOCUMENT = {"id_verifications": [{"node_id": "feature_ocr_1", "status": "Approved"}]}
CHIP = {"nfc_verifications": [{"node_id": "feature_nfc_1", "status": "Approved"}]}


@pytest.mark.parametrize(
    ("blocks", "source", "with_reference", "without"),
    [
        ({}, ID, "given", "stored"),
        ({"id_verifications": []}, ID, "given", "stored"),
        ({}, OTHER, "stored", "stored"),
        ({}, None, "unknown", "unknown"),
        (DOCUMENT, None, "document", "document"),
        (CHIP, None, "document", "document"),
        (DOCUMENT, ID, "unknown", "unknown"),
        (CHIP, OTHER, "stored", "stored"),
    ],
)
def test_the_result_names_the_reference_of_the_comparison(
    blocks, source, with_reference, without, read
):
    (match,) = DECISION["face_matches"]
    blocks = {**blocks, "face_matches": [match | {"source_image_session_id": source}]}
    given_record = attrs.evolve(STARTED_RECORD, compared_with="given")
    assert read(given_record, **blocks).compared_with == with_reference
    assert read(**blocks).compared_with == without
    assert read(**blocks | {"face_matches": blocks["face_matches"] * 2}).compared_with == "unknown"


@pytest.mark.parametrize("word", ["sandbox", None])
def test_a_result_has_the_environment_of_the_response_not_of_the_setting(word, read):
    assert read(environment=word, with_settings={"environment": "production"}).environment == word


@pytest.mark.parametrize(
    ("method", "reasons"), [("PASSIVE", 1), (None, 1), ("ACTIVE_3D", 0), ("active_3d", 0)]
)
def test_a_liveness_method_other_than_the_setting_is_a_reason_for_review(method, reasons, read):
    (check,) = DECISION["liveness_checks"]
    checks = [check, check | {"method": method}]
    assert read(liveness_checks=checks).review_reasons == ()
    settings = {"liveness_method": "ACTIVE_3D"}
    assert len(read(liveness_checks=checks, with_settings=settings).review_reasons) == reasons


@given(data=st.data())
def test_any_json_is_parsed_or_rejected_without_leaks(data):
    body = decided()
    block = data.draw(st.sampled_from([None, "face_matches", "liveness_checks"]))
    target = body if block is None else body[block][0]
    name = data.draw(st.sampled_from(sorted(target)))
    target[name] = data.draw(json_values | st.lists(json_values, max_size=2))
    asked = ReadRequest(record=STARTED_RECORD)
    outcome = DiditBackend(api_key="k-1").read_reply(asked, json_reply(body))
    if isinstance(outcome, SessionReading):
        assert CANARY not in f"{outcome!r} {json.dumps(outcome.raw)}"
    else:
        assert isinstance(outcome, fm.UnexpectedResponse | fm.EnvironmentMismatch)
        assert CANARY not in f"{outcome!r} {outcome}"


# --- a start that lost its answer ---


GONE = (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([page()], 1),
        ([page({"vendor_data": "somebody"})], 1),  # the server ignored the filter
        ([page({}), GONE], 2),
        ([page({}), (200, decided(metadata=FOREIGN))], 2),
        ([page(*[{}] * 30), (200, decided(metadata=None))], 21),  # at most twenty are opened
    ],
    ids=["none listed", "another's", "deleted", "another record's", "at most twenty"],
)
def test_a_session_without_the_id_of_the_record_is_not_found(answers, requests, scripted):
    backend, adapter = scripted(*answers)
    with pytest.raises(fm.SessionNotFound) as caught:
        backend.read_session(ReadRequest(record=RECORD))
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(adapter.seen) == requests


@pytest.mark.parametrize(
    ("newer", "older", "found"),
    [
        ((200, decided(session_id=OTHER)), (200, decided(status="Not Started")), OTHER),
        ((200, decided(session_id=OTHER, status="Not Started")), (200, decided()), ID),
        (GONE, (200, decided()), ID),
    ],
    ids=["newer judged", "older judged", "newer deleted"],
)
def test_after_two_starts_the_decided_session_is_read(newer, older, found, scripted):
    backend, _ = scripted(page({"session_id": OTHER}, {}), newer, older)
    assert backend.read_session(ReadRequest(record=RECORD)).session_id == found


# --- delete ---

DELETED = (204, b"")


def test_without_a_session_id_every_session_of_the_record_is_deleted(scripted):
    rows = page({"session_id": OTHER}, {}, {"vendor_data": "somebody"})
    backend, adapter = scripted(rows, DELETED, DELETED)
    assert backend.delete_session(DeleteRequest(record=RECORD)).state is DeletionState.DONE
    (listing, *_), *deletions = adapter.sent
    assert listing == "GET"
    address = "https://verification.didit.me/v3/session"
    assert [(method, url) for method, url, _ in deletions] == [
        ("DELETE", f"{address}/{OTHER}/delete/"),
        ("DELETE", f"{address}/{ID}/delete/"),
    ]


def test_nothing_is_deleted_if_no_session_is_the_records(scripted):
    backend, adapter = scripted(page({"vendor_data": "somebody"}))
    with pytest.raises(fm.SessionNotFound):
        backend.delete_session(DeleteRequest(record=RECORD))
    assert [method for method, _, _ in adapter.sent] == ["GET"]
