"""Sessions at Didit that compare with a document: only the person's own document verifies."""

import datetime as dt

import anyio
import pytest
from kit.sessions import session_record

import facematch_core as fm
from facematch_core.backend import DocumentHolder, ReadRequest
from facematch_core.backend.session_types import Agreement
from facematch_mock_server import MockServer

WORKFLOW = "11111111-2222-3333-4444-555555555555"
BORN = dt.date(1980, 1, 1)
ADA = fm.Person(name="Ada Lovelace", date_of_birth=BORN)
HERS = {"full_name": "LOVELACE ADA", "date_of_birth": BORN}
QUESTION = {"purpose": "payout", "about": None, "max_age_s": 3600}


@pytest.fixture
def mock():
    with MockServer() as opened:
        opened.control.sessions.workflow(WORKFLOW, kind="kyc")
        yield opened


def settings_for(mock):
    return {
        "api_key": mock.live_key,
        "base_url": mock.url,
        "require_environment": "mock",
        "workflow_id": WORKFLOW,
        "compared_with": "document",
    }


def play(mock, record, fields):
    mock.control.sessions.document(record.session_id, **fields)
    mock.control.sessions.finish(record.session_id)


def read(mock, fields, document=ADA, **plan):
    """Return the result for a person whose face is on the document."""
    with fm.open_sessions("didit", **settings_for(mock)) as sessions:
        record = sessions.start(sessions.plan("customer-17", purpose="payout", **plan)).record
        play(mock, record, fields)
        result = sessions.read(record, document=document)
    assert result.match.is_match or result.name_agreement is Agreement.INCOMPLETE
    return result


def read_async(mock, fields):
    async def read():
        async with fm.open_async_sessions("didit", **settings_for(mock)) as sessions:
            record = sessions.plan("customer-17", purpose="payout")
            record = (await sessions.start(record)).record
            play(mock, record, fields)
            return await sessions.read(record, document=ADA)

    return anyio.run(read)


@pytest.mark.parametrize(
    "fields",
    [
        HERS,
        {**HERS, "date_of_birth": None},
        {"first_name": "Ada", "last_name": "King Lovelace"},
        {"last_name": "Lovelace", "date_of_birth": BORN},
    ],
    ids=str,
)
def test_her_own_document_verifies(fields, mock):
    assert read(mock, fields).is_verified_for("customer-17", **QUESTION)


@pytest.mark.parametrize(
    "fields",
    [
        {"full_name": "Grace Hopper", "date_of_birth": BORN},
        {**HERS, "date_of_birth": dt.date(1980, 1, 2)},
        {**HERS, "full_name": "A. Lovelace"},
        {"last_name": "Lovelace"},
        {"date_of_birth": BORN, "document_number": "CAA000000"},
        {},
    ],
    ids=str,
)
def test_a_strangers_document_never_verifies(fields, mock):
    result = read(mock, fields)
    assert not result.is_verified_for("customer-17", **QUESTION)
    assert any("document" in reason for reason in result.why_not("customer-17", **QUESTION))


def test_async_read_compares_the_document(mock):
    assert read_async(mock, HERS).is_verified_for("customer-17", **QUESTION)
    stranger = {**HERS, "full_name": "Grace Hopper"}
    assert not read_async(mock, stranger).is_verified_for("customer-17", **QUESTION)


def test_anybodys_document_verifies_only_if_planned(mock):
    stranger = {"full_name": "Grace Hopper"}
    assert not read(mock, stranger, document=None).is_verified_for("customer-17", **QUESTION)
    result = read(mock, stranger, document=None, any_document=True)
    assert result.is_verified_for("customer-17", **QUESTION)


@pytest.fixture
def holders_in(canned):
    """Returns the holders in a decision with these blocks."""

    def read(compared_with="document", **blocks):
        body = {
            "session_id": "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35",
            "status": "Approved",
            "environment": "live",
            "workflow_id": WORKFLOW,
            **blocks,
        }
        record = session_record("didit", session_id=body["session_id"], compared_with=compared_with)
        backend, _ = canned((200, body), workflow_id=WORKFLOW)
        return backend.read_session(ReadRequest(record=record)).document_holders

    return read


CHIP = {"first_name": "ADA", "last_name": "LOVELACE", "birth_date": "1980-01-01"}
HOLDER = DocumentHolder(name="ADA LOVELACE", date_of_birth=BORN)


@pytest.mark.parametrize(
    ("fields", "holder"),
    [
        ({"full_name": "Ada Lovelace", "last_name": "X"}, DocumentHolder(name="Ada Lovelace")),
        ({"full_name": "", "last_name": "Lovelace"}, DocumentHolder(name="Lovelace")),
        ({"full_name": None, "first_name": None}, DocumentHolder()),
        ({"date_of_birth": "1980-01-01"}, DocumentHolder(date_of_birth=BORN)),
        ({"date_of_birth": "1980-00-00"}, DocumentHolder()),
        ({"date_of_birth": ""}, DocumentHolder()),
        ({"date_of_birth": 1980}, DocumentHolder()),
        ({"date_of_birth": None}, DocumentHolder()),
    ],
    ids=str,
)
def test_holder_is_read_from_the_fields_that_are_shown(fields, holder, holders_in):
    assert holders_in(id_verifications=[fields]) == (holder,)


def test_holder_of_every_document_and_chip_is_read(holders_in):
    assert holders_in(nfc_verifications=[{"chip_data": CHIP}]) == (HOLDER,)
    both = {"id_verifications": [{}, CHIP], "nfc_verifications": [{"chip_data": CHIP}]}
    assert holders_in(**both) == (DocumentHolder(), DocumentHolder(name="ADA LOVELACE"), HOLDER)
    assert holders_in(nfc_verifications=[{"chip_data": None}, {}]) == ()
    assert holders_in(id_verifications=None, nfc_verifications=[]) == ()


def test_a_name_that_is_no_text_is_an_unexpected_response(holders_in):
    for blocks in ({"id_verifications": [{"full_name": 7}]}, {"id_verifications": "x"}):
        with pytest.raises(fm.UnexpectedResponse):
            holders_in(**blocks)


def test_documents_are_read_only_where_they_are_compared(holders_in):
    blocks = {"id_verifications": [{"full_name": "Ada Lovelace"}]}
    assert holders_in(compared_with="given", **blocks) == ()
