"""Other forms of a vendor's values in starts, reads and webhooks of the eight session vendors.

What decides is refused in another form, what decides nothing is left out, and no form turns a no
into a yes. Rule R61 has the same for the reads that are a yes.
"""

import hmac
import itertools
import json

import attrs
import pytest
from kit.recorded import fill, shapes_read_as

import facematch_core as fm
from facematch_azure import AzureSessionOptions
from facematch_core.backend import StartRequest
from facematch_core.testing import SessionCase, Situation
from facematch_core.testing.contract.calls import REMOVED, replace_value, values_in
from facematch_core.testing.contract.session_desk import (
    EXPECTED_OUTCOMES,
    REQUIRED_ENVIRONMENTS,
    Desk,
    id_of,
    verifies,
)
from facematch_core.testing.contract.session_readings import OTHER_DOCUMENTS, SessionRecording

VENDORS = ("azure", "didit", "onfido", "persona", "rekognition", "stripe", "sumsub", "veriff")
FORMS = ({"odd": 1}, "odd", None, [], 7, True, REMOVED)


@pytest.fixture
def desk(vendor, bench_of):
    desk = Desk(bench_of(vendor))
    # Responses are replayed, so the vendor's rate limit does not apply.
    desk.capabilities = attrs.evolve(desk.capabilities, read_windows=())
    desk.set_up_sessions(desk.player.compared_with[-1])
    return desk


def changes_of(document):
    """Yield each value in seven other forms: its field without indices, and the whole document."""
    for path, _ in values_in(document):
        field = ".".join(step for step in path if isinstance(step, str))
        for form in FORMS:
            if form is REMOVED and isinstance(path[-1], int):
                continue
            yield field, form, replace_value(document, path, form)


def encoded(document):
    return json.dumps(document).encode()


# --- reads ---

#: Values of a documented form that another case shows: another answer, and no other form.
OTHER_ANSWERS = {
    # The latest attempt is another one.
    ("azure", "unfinished", "results.attempts.attemptId"): [7],
    # The response states no environment.
    ("didit", "unknown_environment", "environment"): [None, REMOVED],
    ("stripe", "unknown_environment", "livemode"): [True],
    # A step is null until the person has sent something for it.
    ("sumsub", "unfinished", "SELFIE2"): [None, REMOVED],
    # A verification of another type, such as of a phone number.
    ("persona", "unfinished", "data.relationships.verifications.data.type"): ["odd"],
    # Veriff has read a document.
    ("veriff", "other_picture", "verification.document.number"): ["odd"],
    ("veriff", "other_picture", "verification.document.type"): ["odd"],
}
#: Without a readable time, only the vendor's copies of the record show that a session is its own.
LEFT_OUT = (SessionCase.OLDER, SessionCase.VANISHED)
CASES = [case for case in EXPECTED_OUTCOMES if case not in LEFT_OUT]
#: All changes, or every 41st.
EVERY = pytest.mark.parametrize(
    "every", [pytest.param(41, id="sample"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)


@EVERY
@pytest.mark.parametrize("vendor", VENDORS)
def test_no_other_form_of_a_value_turns_a_no_into_a_yes(vendor, desk, every):
    counter = itertools.count()
    refused_cases = []
    for case in CASES:
        if case not in desk.player.cases:
            continue
        recording = recorded(desk, case)
        if is_yes(recording, recording.reply.at()):
            continue  # the case is about a check that the vendor does not report
        refused_cases.append(case)
        for read, field, form, document in changes_of_read(recording):
            is_sample = next(counter) % every == 0
            if is_sample and form not in OTHER_ANSWERS.get((vendor, case, field), ()):
                assert not is_yes(read, document), (case, field, form)
    assert len(refused_cases) >= 4


@EVERY
@pytest.mark.parametrize("vendor", ["didit", "onfido", "persona", "stripe", "sumsub", "veriff"])
def test_no_other_form_of_a_value_makes_a_document_the_persons(vendor, desk, every):
    """But null and a missing value are documented: the vendor has not read it, or hides it.

    So is a text for a date, which may be incomplete on a document.
    """
    desk.set_up_sessions(fm.ComparedWith.DOCUMENT)
    counter = itertools.count()
    for holder in OTHER_DOCUMENTS.values():
        recording = recorded(desk, SessionCase.PASSED, holder)
        assert not is_yes(recording, recording.reply.at())
        for read, field, form, document in changes_of_read(recording):
            is_sample = next(counter) % every == 0
            if is_sample and form not in (None, REMOVED, "odd"):
                assert not is_yes(read, document), (holder, field, form)


def recorded(desk, case, holder=None):
    """Return the recorded read of a session in this case, with the document of this holder."""
    session = desk.start()
    if holder is not None:
        desk.player.show_document(id_of(session), holder)
    desk.player.play(id_of(session), case)
    recording = SessionRecording.of_session(desk, session)
    environment = REQUIRED_ENVIRONMENTS.get(case, recording.record.environment)
    record = attrs.evolve(recording.record, environment=environment)
    return attrs.evolve(recording, record=record)


def changes_of_read(recording):
    """Yield the recording at the step of each change, and the change: see `changes_of`."""
    for step, reply in enumerate(recording.replies, 1):
        for change in changes_of(reply.at()):
            yield attrs.evolve(recording, step=step), *change


def is_yes(recording, document):
    outcome = recording.read_session(encoded(document))
    return isinstance(outcome, fm.SessionResult) and verifies(outcome)


@pytest.mark.parametrize(("vendor", "shape"), shapes_read_as("session", "liveness"))
def test_a_read_in_the_form_of_a_real_answer_says_the_same(vendor, shape, desk):
    kind, case, *path = shape.backend.split()
    if kind == "liveness":
        desk.set_up_sessions(None)
    recording = attrs.evolve(recorded(desk, SessionCase[case]), step=1)
    answers = []
    for part in (recording.reply.at(*path), fill(shape, recording.reply.at(*path))):
        document = replace_value(recording.reply.at(), path, part)
        result = recording.read_session(encoded(document))
        answers.append((result.state, str(result.match), str(result.liveness)))
    assert answers[0] == answers[1]


#: Fields of a read that decide nothing, one for each vendor.
DETAILS = {
    "azure": "results.attempts.result.sessionImageId",
    "didit": "created_at",
    "onfido": "created_at",
    "persona": "attributes.created-at",
    "stripe": "created",
    "sumsub": "createdAt",
    "veriff": "acceptanceTime",
}


#: The options of a start without which the detail is not there.
OPTIONS = {"azure": AzureSessionOptions(enable_session_image=True)}


@pytest.mark.parametrize("vendor", DETAILS)
def test_an_unreadable_detail_is_named_in_one_warning_of_a_verified_session(vendor, desk):
    session = desk.start(options=OPTIONS.get(vendor))
    desk.player.play(id_of(session), SessionCase.PASSED)
    recording = attrs.evolve(SessionRecording.of_session(desk, session), step=1)
    name = DETAILS[vendor].rpartition(".")[2]
    document = recording.reply.at()
    for path, _ in values_in(document):
        if path[-1] == name and "included" not in path:
            document = replace_value(document, path, {"odd": "word-of-the-vendor"})
    result = recording.read_session(encoded(document))
    assert verifies(result)
    codes = [warning.code for warning in result.warnings]
    assert codes.count(fm.WarningCode.UNREADABLE_DETAIL) == 1
    warning = result.warnings[codes.index(fm.WarningCode.UNREADABLE_DETAIL)]
    assert warning.severity is fm.models.Severity.INFORMATION
    assert DETAILS[vendor] in warning.text
    assert "word-of-the-vendor" not in str(result.to_dict()["warnings"])


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_decisive_field_is_refused_in_another_form(vendor, desk):
    """R61 leaves out the fields that the simulator names, though other values of them pass."""
    session = desk.start()
    desk.player.play(id_of(session), SessionCase.PASSED)
    recording = SessionRecording.of_session(desk, session)
    passing = set(desk.player.decisive_fields)
    for read, field, _, document in changes_of_read(recording):
        if field in passing and not is_yes(read, document):
            passing.remove(field)
    assert passing == set()


# --- starts ---

#: Fields of the responses to a start without which nobody could enter, or which say whose it is.
START_FIELDS = {
    "azure": {"sessionId", "authToken"},
    "didit": {
        "session_id", "url", "session_token", "vendor_data", "metadata", "metadata.id",
        "metadata.terms",
    },
    "onfido": {"id", "sandbox", "status", "workflow_id", "tags", "link", "link.url", "sdk_token"},
    # An inquiry is read as in a read: it may show verifications of an earlier one.
    "persona": {
        "data", "data.id", "data.attributes", "data.attributes.status", "data.attributes.tags",
        "data.relationships", "data.relationships.inquiry-template",
        "data.relationships.inquiry-template.data", "data.relationships.inquiry-template.data.id",
        "data.relationships.verifications", "data.relationships.verifications.data",
        "meta", "meta.one-time-link", "meta.session-token",
    },
    "rekognition": {"SessionId"},
    "stripe": {
        "id", "type", "status", "livemode", "redaction", "metadata", "options", "options.document",
        "last_verification_report", "url", "client_secret",
    },
    # Of the applicant, the link and the token.
    "sumsub": {"id", "externalUserId", "url", "token"},
    "veriff": {"verification", "verification.id", "verification.url", "verification.sessionToken"},
}  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_start_is_lost_only_for_its_access_and_whose_it_is(vendor, desk):
    with desk.bench.record_exchanges() as exchanges:
        session = desk.start()
    replies = [exchange.reply for exchange in exchanges]
    if desk.capabilities.finds_by_record:
        replies = replies[1:]  # the first one is of a search for an earlier session
    reference = None
    if session.record.compared_with is fm.ComparedWith.GIVEN:
        _, reference = desk.bench.simulator.pictures_for(Situation.SAME_PERSON)
    record = attrs.evolve(session.record, session_id=None)
    request = StartRequest(record=record, reference=reference)
    refused = set()
    for step, reply in enumerate(replies):
        for field, _, document in changes_of(reply.at()):
            changed = [*replies]
            changed[step] = attrs.evolve(reply, body=encoded(document))
            outcome = desk.bench.backend.read_reply(request, *changed)
            if isinstance(outcome, fm.UnexpectedResponse):
                refused.add(field)
    assert refused == START_FIELDS[vendor]


# --- webhooks ---

#: Fields of a webhook that name and date it, and what encloses them.
WEBHOOK_FIELDS = {
    "didit": {"session_id", "timestamp", "webhook_type"},
    "onfido": {"payload", "payload.resource_type", "payload.object", "payload.object.id"},
    "persona": {
        "data", "data.attributes", "data.attributes.payload", "data.attributes.payload.data",
        "data.attributes.payload.data.type", "data.attributes.payload.data.id",
        "data.attributes.payload.data.attributes",
    },
    "stripe": {"data", "data.object", "data.object.object", "data.object.id"},
    "sumsub": {"applicantId"},
    "veriff": {"verification", "verification.id"},
}  # fmt: skip


@pytest.mark.parametrize("vendor", WEBHOOK_FIELDS)
def test_a_webhook_is_refused_only_for_what_names_and_dates_it(vendor, desk, monkeypatch):
    session = desk.start()
    desk.player.play(id_of(session), SessionCase.PASSED)
    body, headers = desk.player.deliver(id_of(session))
    # Each changed body is signed.
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: True)
    # Items of a list have the same fields.
    changes = {(field, str(form)): each for field, form, each in changes_of(json.loads(body))}
    refused = set()
    for (field, _), document in changes.items():
        outcome = desk.receive(encoded(document), headers)
        if isinstance(outcome, fm.WebhookRefused):
            refused.add(field)
        else:
            assert {hint.session_id for hint in outcome} <= {id_of(session), "odd"}, field
    assert refused == WEBHOOK_FIELDS[vendor]
