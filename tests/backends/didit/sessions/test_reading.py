"""What a decision says of a session: each word has one meaning, and nothing private is seen."""

import copy
import datetime as dt
import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.strategies import json_values

import facematch_core as fm
from facematch_core.backend.calls import ReadRequest
from facematch_core.backend.session_types import ComparedWith, SessionReading, SessionState
from facematch_core.http import HttpReply
from facematch_didit import DiditBackend

PASSED = [fm.Decision.MATCH, fm.LivenessDecision.LIVE]


def decisions(reading):
    return [check.result.decision for check in reading.checks]


def test_a_decision_is_read_whole(read, didit):
    reading = read()
    assert (reading.session_id, reading.state) == (didit.session_id, SessionState.DECIDED)
    assert (reading.vendor_status, reading.approved, reading.reviewed) == ("Approved", True, False)
    assert (reading.record_id, reading.terms) == (didit.record.id, didit.record.terms)
    assert (reading.subject_ref, reading.way_in.link, reading.way_in.token) == (None, None, None)
    assert reading.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, dt.UTC)
    assert read(expires_at="2026-07-09T09:15:27Z").way_in.expires_at.day == 9
    assert (reading.environment, reading.billing.charged) == (
        fm.Environment.PRODUCTION,
        fm.Charged.NO,
    )
    assert reading.facts == {"workflow_id": didit.workflow_id}
    assert read(workflow_id=None).facts == {"workflow_id": ""}  # hidden from a yes
    match, check = reading.checks
    assert decisions(reading) == PASSED
    assert reading == attrs.evolve(reading, raw={})
    assert (match.result.score.value, match.portrait) == (95.43, None)
    assert (check.result.method, check.result.luminance) == ("ACTIVE_3D", 46)
    assert didit.canary in check.portrait.reveal()
    assert (check.result.metadata, check.result.ids.caller) == (None, None)


def test_only_a_live_face_has_a_portrait_and_no_word_holds_an_address(read, didit):
    address = f"https://media.example/face.jpg?{didit.canary}"
    (item,) = didit.decision()["face_matches"]
    item |= {"reference_image": address, "method": address, "face_quality": 71.8}
    (match,) = read(liveness_checks=None, face_matches=[item]).checks
    assert match.portrait is None
    assert didit.canary not in str(match.result.raw)
    assert match.result.raw["method"]
    assert match.result.raw["face_quality"] == 71.8


@pytest.mark.parametrize(
    ("word", "state"),
    [
        *dict.fromkeys(
            ["Not Started", "In Progress", "Resubmitted", "Awaiting User"], SessionState.PENDING
        ).items(),
        ("In Review", SessionState.PROCESSING),
        ("Approved", SessionState.DECIDED),
        ("Declined", SessionState.DECIDED),
        ("Expired", SessionState.EXPIRED),
        ("Kyc Expired", SessionState.EXPIRED),
        ("Abandoned", SessionState.ABANDONED),
        ("Suspended", SessionState.UNKNOWN),
    ],
)
def test_each_word_is_a_state_and_only_an_open_session_has_a_link(word, state, read):
    reading = read(status=word)
    assert (reading.state, reading.vendor_status) == (state, word)
    assert reading.approved is (word == "Approved")
    assert reading.has_begun is (word == "In Progress")
    assert (reading.way_in.link is not None) is (state is SessionState.PENDING)
    assert read(status=word, session_url=None).way_in.link is None
    if word != "Approved":
        assert not set(decisions(reading)) & set(PASSED)


def test_an_item_that_never_ran_is_none_and_one_that_is_not_finished_counts(read, didit):
    assert read(face_matches=None, liveness_checks=[]).checks == ()
    body = didit.decision()
    body["face_matches"].append(
        {"node_id": "feature_face_match_2", "status": "Not Finished", "score": None, "warnings": []}
    )
    assert decisions(read(body=body)) == [
        fm.Decision.MATCH,
        fm.Decision.INCONCLUSIVE,
        fm.LivenessDecision.LIVE,
    ]


DOCUMENT = {"id_verifications": [{"node_id": "feature_ocr_1", "status": "Approved"}]}
CHIP = {"nfc_verifications": [{"node_id": "feature_nfc_1", "status": "Approved"}]}


REFERENCE, STORED = ComparedWith.GIVEN, ComparedWith.STORED
DOC, UNKNOWN = ComparedWith.DOCUMENT, ComparedWith.UNKNOWN
OTHER = "7d4f1f60-9c2e-4b8a-8f3d-2a1b5c6d7e8f"


@pytest.mark.parametrize(
    ("blocks", "source", "expected"),
    [
        ({}, "own", (REFERENCE, STORED)),
        ({"id_verifications": []}, "own", (REFERENCE, STORED)),
        ({}, OTHER, (STORED, STORED)),
        ({}, None, (UNKNOWN, UNKNOWN)),
        (DOCUMENT, None, (DOC, DOC)),
        (CHIP, None, (DOC, DOC)),
        (DOCUMENT, "own", (UNKNOWN, UNKNOWN)),
        (CHIP, OTHER, (STORED, STORED)),
        ({}, "twice", (UNKNOWN, UNKNOWN)),
    ],
)
def test_the_picture_is_the_reference_only_if_nothing_speaks_against_it(
    blocks, source, expected, read, didit
):
    body = didit.decision(**blocks)
    source_id = didit.session_id if source in ("own", "twice") else source
    body["face_matches"][0]["source_image_session_id"] = source_id
    body["face_matches"] *= 2 if source == "twice" else 1
    records = [
        attrs.evolve(didit.record, compared_with="given"),
        didit.record,
    ]
    assert tuple(read(record, body=body).compared_with for record in records) == expected


@pytest.mark.parametrize("word", ["staging", "SANDBOX", "Live", ""])
def test_an_unknown_environment_is_refused_whatever_is_set(word, read):
    for environment in (None, fm.Environment.PRODUCTION, fm.Environment.SANDBOX):
        with pytest.raises(fm.EnvironmentMismatch):
            read(environment=word, with_settings={"environment": environment})
    reading = read(environment=word, headers={"X-Facematch-Mock": "1"})
    assert reading.environment is fm.Environment.MOCK
    settings = {"environment": fm.Environment.PRODUCTION}
    assert read(environment="sandbox", with_settings=settings).environment == "sandbox"
    assert read(environment=None, with_settings=settings).environment is None


@pytest.mark.parametrize("method", ["PASSIVE", "FLASHING", None])
def test_another_method_than_the_one_that_is_set_is_a_doubt(method, read, didit):
    body = didit.decision()
    body["liveness_checks"][0]["method"] = method
    assert read(body=body).doubts == ()
    assert len(read(body=body, with_settings={"liveness_method": "ACTIVE_3D"}).doubts) == 1
    assert read(with_settings={"liveness_method": "ACTIVE_3D"}).doubts == ()
    small = didit.decision()
    small["liveness_checks"][0]["method"] = "active_3d"
    assert read(body=small, with_settings={"liveness_method": "ACTIVE_3D"}).doubts == ()
    body["liveness_checks"] += didit.decision()["liveness_checks"]  # one of two is enough
    assert len(read(body=body, with_settings={"liveness_method": "ACTIVE_3D"}).doubts) == 1


@pytest.mark.parametrize(
    ("reviews", "reviewed"),
    [
        (None, None),
        ([], False),
        ([{"user": "API Client", "new_status": None, "comment": "a note"}], False),
        ([{"user": "API Client", "new_status": "Approved", "comment": "Them."}], True),
    ],
)
def test_a_verdict_that_somebody_gave_is_known_as_one(reviews, reviewed, read):
    reading = read(reviews=reviews)
    assert reading.reviewed is reviewed
    assert "Them." not in json.dumps(reading.raw)


@pytest.mark.parametrize(
    "metadata", [None, [1], "a text", {"id": "row-7", "terms": "x"}, {"id": 5}, {"terms": "x"}]
)
def test_a_session_that_another_program_started_has_no_record(metadata, read, didit):
    reading = read(metadata=metadata, vendor_data="somebody")
    assert (reading.record_id, reading.terms, reading.subject_ref) == (None, None, None)


def test_another_session_than_the_records_is_none_that_can_be_read(read):
    with pytest.raises(fm.UnexpectedResponse):
        read(session_id="3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b36")


def test_a_session_that_is_unknown_is_not_found_and_other_refusals_are_no_word_on_it(
    scripted, didit
):
    record = attrs.evolve(didit.record, session_id=didit.session_id)
    for status, body, error in (
        (404, {"detail": "Not found."}, fm.SessionNotFound),
        (404, {"detail": "Session not found."}, fm.SessionNotFound),
        (404, b"<html>", fm.RequestRejected),
        (403, {"detail": "No."}, fm.AuthenticationFailed),
        (429, {"detail": "Slowly."}, fm.RateLimited),
        (500, {"detail": "Oh."}, fm.VendorUnavailable),
        (502, b"<html>", fm.VendorUnavailable),
    ):
        backend, _ = scripted((status, body))
        with pytest.raises(error) as caught:
            backend.read_session(didit.request("read", record))
        assert type(caught.value) is error
        assert caught.value.billing.charged is fm.Charged.NO
    with pytest.raises(fm.InvalidRequest):
        backend.read_session(didit.request("read", attrs.evolve(record, session_id="no-uuid")))


def test_nothing_shows_an_address_a_person_or_a_colleague(read, didit):
    for word in ("Approved", "In Progress"):
        reading = read(status=word, reviews=[{"comment": didit.canary, "new_status": "Declined"}])
        shown = [repr(reading), json.dumps(reading.raw)]
        for check in reading.checks:
            shown += [repr(check), json.dumps(check.result.raw), json.dumps(check.result.to_dict())]
        assert didit.canary not in "".join(shown)
        assert "24.3" not in "".join(shown)


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_any_json_is_a_reading_or_an_error_that_shows_nothing(data, didit):
    body = didit.decision()
    block = data.draw(st.sampled_from([None, "face_matches", "liveness_checks"]))
    target = body if block is None else body[block][0]
    name = data.draw(st.sampled_from(sorted(target)))
    target[name] = data.draw(json_values | st.lists(json_values, max_size=2))
    record = attrs.evolve(didit.record, session_id=didit.session_id)
    backend = DiditBackend(api_key="k-1")
    reply = HttpReply(status=200, body=json.dumps(copy.deepcopy(body)).encode())
    outcome = backend.read_reply(ReadRequest(record=record), reply)
    if isinstance(outcome, SessionReading):
        json.dumps(outcome.raw)
        assert didit.canary not in f"{outcome!r} {outcome.raw}"
    else:
        assert isinstance(outcome, fm.UnexpectedResponse | fm.EnvironmentMismatch)
        assert didit.canary not in f"{outcome!r} {outcome}"
