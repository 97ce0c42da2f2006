"""The name on a test card's document beside the one in the request, where a vendor has both."""

import re

import pytest
import requests
from kit.mock_world import ask, control_of, new_engine
from vendors import didit, onfido, persona, sumsub, veriff

from facematch_core.base.addresses import HINT_HEADER
from facematch_mock_server import MockServer, drill
from facematch_mock_server.recognition.recognizer import Recognizer

CARD = ("Bruno", "Sample")
KYC = "00000000-0000-4000-8000-000000000009"


def start_didit(engine, first, last):
    control_of(engine).sessions.workflow(KYC, kind="kyc")
    details = {"first_name": first, "last_name": last, "date_of_birth": "1990-01-31"}
    engine.handle(didit.start(workflow_id=KYC, expected_details=details))


def start_onfido(engine, first, last):
    name = {"first_name": first, "last_name": last}
    applicant_id = engine.handle(onfido.ask(onfido.APPLICANTS, name)).json()["id"]
    body = {"applicant_id": applicant_id, "workflow_id": onfido.WORKFLOW}
    engine.handle(onfido.ask(onfido.RUNS, body))


def start_persona(engine, first, last):
    engine.handle(persona.starting(fields={"name-first": first, "name-last": last, "age": 7}))


def start_sumsub(engine, first, last):
    body = {"externalUserId": "ada", "fixedInfo": {"firstName": first, "lastName": last}}
    engine.handle(sumsub.signed("POST", "/resources/applicants?levelName=basic", body))
    engine.handle(sumsub.link("ada"))


def start_veriff(engine, first, last):
    engine.handle(veriff.start(person={"firstName": first, "lastName": last}))


#: How a session is started with a name, how it is read, and the names of a name's two parts.
VENDORS = {
    "didit": (start_didit, didit.on(1), "first_name", "last_name"),
    "onfido": (start_onfido, onfido.on_newest(), "first_name", "last_name"),
    "persona": (start_persona, persona.about(1), "name-first", "name-last"),
    "sumsub": (start_sumsub, sumsub.read(1), "firstName", "lastName"),
    "veriff": (start_veriff, veriff.decision(1), "firstName", "lastName"),
}
all_vendors = pytest.mark.parametrize("vendor", VENDORS)


def new_mock(vendor, **switches):
    return new_engine(Recognizer(), vendor=vendor, switches=switches)


def start(engine, first="Ada", last="Lovelace"):
    VENDORS[engine.world.vendor_name][0](engine, first, last)
    return engine.world.sessions.all()[-1].id


def read(engine):
    return ask(engine, VENDORS[engine.world.vendor_name][1])


def names_in(answer, vendor):
    """Return what the answer says of the person's document: the newest of each of the two parts."""
    names = []
    for part in VENDORS[vendor][2:]:
        found = re.findall(
            rf'"{part}":(?:{{"type":"string","value":)?"([^"]+)"', answer.body.decode()
        )
        names.append(found[-1])
    return tuple(names)


def hints_of(engine, answer):
    hints = [text for name, text in answer.headers if name == HINT_HEADER]
    note = engine.account.journal.entries[-1].note
    assert hints == ([note.encode("ascii", "backslashreplace").decode()] if note else [])
    return hints


@all_vendors
def test_name_stays_that_of_the_card_and_a_hint_tells_both(vendor):
    engine = new_mock(vendor)
    session_id = start(engine)
    assert hints_of(engine, read(engine)) == []
    control_of(engine).sessions.finish(session_id)
    answer = read(engine)
    assert names_in(answer, vendor) == CARD
    (hint,) = hints_of(engine, answer)
    assert "Bruno Sample" in hint
    assert "Ada Lovelace" in hint
    assert "sessions/document" in hint
    assert "mock.document.name" in answer.claims


@all_vendors
def test_with_the_switch_the_document_has_the_name_in_the_request(vendor):
    engine = new_mock(vendor, document_name="as_requested")
    control_of(engine).sessions.finish(start(engine))
    answer = read(engine)
    assert names_in(answer, vendor) == ("Ada", "Lovelace")
    assert hints_of(engine, answer) == []


@all_vendors
def test_no_hint_about_a_name_that_a_test_has_set(vendor):
    engine = new_mock(vendor)
    session_id = start(engine)
    control_of(engine).sessions.finish(session_id)
    control_of(engine).sessions.document(session_id, first_name="Eve", last_name="Other")
    answer = read(engine)
    assert names_in(answer, vendor) == ("Eve", "Other")
    assert hints_of(engine, answer) == []


@all_vendors
def test_the_same_name_in_other_capitals_is_no_other_name(vendor):
    engine = new_mock(vendor)
    control_of(engine).sessions.finish(start(engine, "BRUNO", "sample"))
    assert hints_of(engine, read(engine)) == []


def test_only_the_parts_of_a_name_that_were_sent_are_compared():
    engine = new_mock("veriff")
    control_of(engine).sessions.finish(start(engine, "Ada", None))
    (hint,) = hints_of(engine, read(engine))
    assert "says Bruno, the request Ada:" in hint


def test_letters_that_no_header_can_have_are_escaped_there_alone_and_a_long_name_is_cut():
    engine = new_mock("veriff")
    control_of(engine).sessions.finish(start(engine, "Jörg\r\n", "x" * 500))
    (hint,) = hints_of(engine, read(engine))
    assert hint.isascii()
    assert len(hint) < 200
    note = engine.account.journal.entries[-1].note
    assert "Jörg" in note
    assert note.isprintable()


def test_check_of_onfido_without_a_run_tells_both_names():
    engine = new_mock("onfido")
    applicant_id = onfido.pictured_applicant(engine, onfido.P1, onfido.P1)
    answer = engine.handle(onfido.check(applicant_id, "document", "facial_similarity_photo"))
    (hint,) = hints_of(engine, answer)
    assert "Unnamed Applicant" in hint


@pytest.mark.parametrize("ways", [{}, {"first_name": "Ada", "last_name": "Lovelace"}])
def test_check_of_onfido_without_a_run_reads_the_document_that_a_test_has_set(ways):
    engine = new_mock("onfido")
    control_of(engine).sessions.document(**(ways or {"full_name": "Ada Lovelace"}))
    applicant_id = onfido.pictured_applicant(engine, onfido.P1, onfido.P1)
    answer = engine.handle(onfido.check(applicant_id, "document"))
    assert hints_of(engine, answer) == []
    report = ask(engine, onfido.ask(f"/v3.6/reports/{answer.json()['report_ids'][0]}"))
    properties = report.json()["properties"]
    assert (properties["first_name"], properties["last_name"]) == ("Ada", "Lovelace")


#: How a session, or its person, is deleted.
DELETIONS = {
    "didit": didit.delete(1),
    "onfido": onfido.on_its_applicant(method="DELETE"),
    "persona": persona.about(1, method="DELETE"),
    "veriff": veriff.deletion(1),
}


@pytest.mark.parametrize("vendor", DELETIONS)
def test_no_hint_tells_the_names_of_a_deleted_session(vendor):
    engine = new_mock(vendor)
    control_of(engine).sessions.finish(start(engine))
    if vendor == "veriff":
        control_of(engine).advance(300)
    assert ask(engine, DELETIONS[vendor]).status < 300
    answer = read(engine)
    assert hints_of(engine, answer) == []
    told = f"{answer.body.decode()}{answer.headers}"
    assert [name for name in (*CARD, "Ada", "Lovelace") if name in told] == []


def test_page_tells_both_names_before_a_card_is_shown():
    for switches, is_told in (({}, True), ({"document_name": "as_requested"}, False)):
        with MockServer(vendor="veriff", switches=switches) as mock:
            session_id = start(mock.app)
            page = requests.get(mock.control.sessions.page(session_id), timeout=10).text
            assert ("The document says Bruno Sample, the request Ada Lovelace" in page) is is_told
            mock.control.sessions.document(session_id, full_name="Ada Lovelace")
            page = requests.get(mock.control.sessions.page(session_id), timeout=10).text
            assert "The document says" not in page


def test_drill_refuses_the_switch_because_anothers_document_would_have_the_right_name():
    with (
        MockServer(vendor="veriff", switches={"document_name": "as_requested"}) as mock,
        pytest.raises(ValueError, match="document_name"),
    ):
        drill.play("begin,pass", mock=mock, begin=str, state=str)
