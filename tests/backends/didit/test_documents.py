"""Sessions at Didit that compare with a document: only the person's own document verifies."""

import datetime as dt

import pytest
from kit.sessions import session_record

import facematch_core as fm
from facematch_core.backend import DocumentHolder, ReadRequest

WORKFLOW = "11111111-2222-3333-4444-555555555555"
BORN = dt.date(1980, 1, 1)


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


def test_a_name_that_is_no_text_is_no_name(holders_in):
    """Then the document is not known to be the person's, see `Agreement.UNKNOWN`."""
    assert holders_in(id_verifications=[{"full_name": 7}]) == (DocumentHolder(),)
    parts = {"full_name": 7, "first_name": "Ada", "last_name": ["Lovelace"]}
    assert holders_in(id_verifications=[parts]) == (DocumentHolder(),)
    assert holders_in(id_verifications=[parts | {"last_name": "Lovelace"}]) == (
        DocumentHolder(name="Ada Lovelace"),
    )


def test_a_date_of_birth_that_is_no_text_is_an_unexpected_response(holders_in):
    """Else another person's document, whose date is unknown, might be taken for the person's."""
    with pytest.raises(fm.UnexpectedResponse):
        holders_in(id_verifications=[{"full_name": "Ada Lovelace", "date_of_birth": 1980}])


def test_documents_that_are_no_list_are_an_unexpected_response(holders_in):
    with pytest.raises(fm.UnexpectedResponse):
        holders_in(id_verifications="x")


def test_documents_are_read_only_where_they_are_compared(holders_in):
    blocks = {"id_verifications": [{"full_name": "Ada Lovelace"}]}
    assert holders_in(compared_with="given", **blocks) == ()
