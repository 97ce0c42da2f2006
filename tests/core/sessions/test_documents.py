"""Sessions that compare a face with a document: whose document verifies whom."""

import datetime as dt
import json

import attrs
import pytest
from kit.sessions import ABOUT, PURPOSE, SUBJECT, Acme, match

import facematch_core as fm
from facematch_core.backend import DocumentHolder
from facematch_core.backend.session_types import Agreement
from facematch_core.testing import ManualClock

BORN = dt.date(1980, 1, 1)
ADA = fm.Person(name="Ada Lovelace", date_of_birth=BORN)
HERS = DocumentHolder(name="LOVELACE, ADA", date_of_birth=BORN)
STRANGERS = {
    "another name": DocumentHolder(name="Grace Hopper", date_of_birth=BORN),
    "another date": attrs.evolve(HERS, date_of_birth=dt.date(1980, 1, 2)),
    "an initial": DocumentHolder(name="A. Lovelace", date_of_birth=BORN),
    "no name": DocumentHolder(date_of_birth=BORN),
}
AGREES = Agreement.AGREES


def opened(*script, compared_with="document", **can):
    verifier = fm.FaceVerifier(Acme(*script, **can), clock=ManualClock())
    return fm.Sessions(verifier, compared_with=compared_with)


def planned(sessions, **options):
    return sessions.plan(SUBJECT, purpose=PURPOSE, about=ABOUT, **options)


def read(*holders, document=ADA, plan=(), **options):
    sessions = opened({}, {"document_holders": holders, **options})
    record = sessions.start(planned(sessions, **dict(plan))).record
    return sessions.read(record, document=document)


def why_not(result):
    question = {"purpose": PURPOSE, "about": ABOUT, "max_age_s": 60}
    reasons = result.why_not(SUBJECT, **question)
    assert result.is_verified_for(SUBJECT, **question) is not bool(reasons)
    return reasons


def test_the_persons_own_document_verifies():
    result = read(HERS)
    assert not why_not(result)
    assert (result.name_agreement, result.date_of_birth_agreement) == (AGREES, AGREES)
    assert not why_not(read(attrs.evolve(HERS, date_of_birth=None)))
    assert not why_not(read(HERS, document=fm.Person(name="Ada Lovelace")))


@pytest.mark.parametrize("case", STRANGERS)
def test_a_strangers_document_does_not_verify(case):
    (reason,) = {why for why in why_not(read(STRANGERS[case])) if "document" in why}
    assert "Ada" not in reason
    assert why_not(read(HERS, STRANGERS[case])), "every document must be hers"


def test_a_session_without_a_person_or_a_document_does_not_verify():
    compared = read(HERS, document=None)
    assert compared.name_agreement is compared.date_of_birth_agreement is None
    assert len(why_not(compared)) == 1
    assert why_not(read()) == ("the name on the document is unknown",)


def test_incomplete_name_makes_a_match_a_review():
    result = read(STRANGERS["an initial"])
    assert result.match.decision is fm.Decision.REVIEW
    assert [warning.tag for warning in result.match.warnings] == ["name_incomplete"]
    assert result.liveness.is_live
    failed = read(STRANGERS["an initial"], checks=(match(fm.Decision.NO_MATCH),))
    assert failed.match.decision is fm.Decision.NO_MATCH
    assert read(STRANGERS["another name"]).match.is_match


@pytest.mark.parametrize("case", STRANGERS)
def test_any_document_verifies_only_if_planned(case):
    plan = {"any_document": True}
    assert not why_not(read(STRANGERS[case], document=None, plan=plan))
    result = read(STRANGERS[case], plan=plan)
    assert result.match.is_match
    assert not why_not(result)
    assert result.name_agreement is read(STRANGERS[case]).name_agreement


def test_changed_any_document_is_a_session_mismatch():
    sessions = opened({}, {}, {})
    strict = sessions.start(planned(sessions)).record
    with pytest.raises(fm.SessionMismatch):
        opened({"terms": strict.terms}).read(attrs.evolve(strict, any_document=True))


def test_vendor_without_names_needs_any_document():
    sessions = opened(reads_document=False)
    with pytest.raises(fm.Unsupported):
        planned(sessions)
    assert not sessions.verifier.backend.requests
    record = sessions.start(planned(sessions, any_document=True)).record
    with pytest.raises(fm.Unsupported):
        sessions.read(record, document=ADA)
    assert not why_not(sessions.read(record))


def test_person_and_any_document_need_a_session_with_a_document():
    with pytest.raises(fm.InvalidRequest):
        planned(opened(), any_document=1)  # no bool
    sessions = opened(compared_with="given")
    with pytest.raises(fm.InvalidRequest):
        planned(sessions, any_document=True)
    with pytest.raises(fm.InvalidRequest):
        sessions.read(planned(sessions), document=ADA)
    with pytest.raises(fm.InvalidRequest) as caught:
        opened().read(planned(opened()), document="Ada Lovelace")
    assert "Ada" not in str(caught.value)


def test_result_has_neither_name_nor_date():
    result = read(HERS, STRANGERS["another name"])
    texts = [repr(result), json.dumps(result.to_dict()), repr(attrs.asdict(result))]
    texts += [repr(ADA), repr(HERS)]
    # A year alone may be part of a random id.
    for value in ("lovelace", "grace", "hopper", "1980-01", "(1980,"):
        assert not any(value in text.casefold() for text in texts), value
