"""What has once verified somebody wrongly, tried at each vendor of hosted sessions.

A lost start that is counted twice, or not at all, is a case in `test_faults`.
"""

import datetime as dt
import re

import attrs
import pytest
from kit.cards import CARDS
from kit.money.sessions import (
    ABOUT,
    BACKENDS,
    PURPOSE,
    RELIED_ON,
    SUBJECT,
    WEBHOOK_SECRETS,
    SessionWorld,
)

import facematch_core as fm
from facematch_core.backend import VendorCopy
from facematch_mock_server.base.messages import PERSON

ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
THIEF = "canary-thief-c3d1"
#: By vendor: how staff, or the vendor's workflow, approves a session and declines it.
DECISIONS = {
    "didit": ("Approved", "Declined"),
    "onfido": ("approved", "declined"),
    "persona": ("approved", "declined"),
    "stripe": ("verified", "requires_input selfie_face_mismatch"),
    "sumsub": ("completed GREEN", "completed RED FINAL"),
    "veriff": ("approved", "declined"),
}
#: These vendors store nothing of a record: the caller's row alone says whose session it is. Nor do
#: they have a page, staff who decide, or a document.
WITHOUT_COPIES = ("azure", "rekognition")
WITH_COPIES = [vendor for vendor in BACKENDS if vendor not in WITHOUT_COPIES]
#: Sumsub stores the record's id, and no digest of its terms.
WITH_TERMS = [vendor for vendor in WITH_COPIES if vendor != "sumsub"]
#: Veriff shows nothing of a session before it is decided, which could contradict the record.
WITH_PENDING_COPIES = [vendor for vendor in WITH_COPIES if vendor != "veriff"]
#: Sumsub deletes nothing.
WITH_DELETION = [vendor for vendor in WITH_COPIES if vendor != "sumsub"]


@pytest.fixture
def world(vendor):
    opened = SessionWorld(vendor)
    if vendor in WEBHOOK_SECRETS:
        opened.control.webhooks.add("http://127.0.0.1:9/", secret=WEBHOOK_SECRETS[vendor])
    yield opened
    opened.close()


def begin(world, subject=SUBJECT):
    return world.sessions.start(world.plan(subject)).record


def go_through(world, record, card="p1-again", *, name="ADA LOVELACE"):
    """Let a person with this face go through a session, with the document of p1 if it has one."""
    people = world.control.sessions
    more = {}
    if world.vendor in WITH_COPIES:
        more["document"] = CARDS["p1"]
        if name is not None:
            born = ADA.date_of_birth
            people.document(record.session_id, full_name=name, date_of_birth=born)
    people.finish(record.session_id, card=CARDS[card], **more)


def read(world, record, person=ADA):
    more = {"document": person} if world.vendor in WITH_COPIES else {}
    return world.sessions.read(record, **more)


def verifies(result, subject=SUBJECT, purpose=PURPOSE, about=ABOUT):
    return result.is_verified_for(subject, purpose=purpose, about=about, max_age_s=3600)


def letters(world, record):
    """Return the webhooks about a session, oldest first."""
    webhooks = world.control.webhooks
    sent = [each for each in webhooks.deliveries() if each.session_id == record.session_id]
    return [webhooks.delivery(each.id) for each in sent]


@pytest.mark.parametrize("vendor", BACKENDS)
def test_a_person_who_passed_is_verified_for_what_was_planned_alone(world):
    record = begin(world)
    go_through(world, record)
    result = read(world, record)
    assert verifies(result), result.why_not(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)
    assert result.billing.charged is fm.Charged.NO
    assert not verifies(result, subject=THIEF)
    assert not verifies(result, purpose="login")
    assert not verifies(result, about="another payout")
    world.control.advance(3601)
    assert not verifies(result)


@pytest.mark.parametrize("card", ["attack", "not-live", "no-face"])
@pytest.mark.parametrize("vendor", BACKENDS)
def test_a_face_that_is_not_live_verifies_nobody(world, card):
    record = begin(world)
    go_through(world, record, card)
    assert not verifies(read(world, record))


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_the_face_of_another_person_verifies_nobody(world):
    record = begin(world)
    go_through(world, record, "p2")
    assert not verifies(read(world, record))


# Somebody else's session


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_the_session_of_somebody_else_verifies_nobody(world):
    mine = begin(world, THIEF)
    passed = begin(world)
    stolen = attrs.evolve(mine, session_id=passed.session_id)
    go_through(world, passed)
    with pytest.raises(fm.SessionMismatch):
        read(world, stolen)


@pytest.mark.parametrize("vendor", WITH_PENDING_COPIES)
def test_the_open_session_of_somebody_else_is_a_mismatch(world):
    mine = begin(world, THIEF)
    with pytest.raises(fm.SessionMismatch):
        read(world, attrs.evolve(mine, session_id=begin(world).session_id))


@pytest.mark.parametrize("vendor", ["veriff"])
def test_an_open_session_that_shows_no_copy_verifies_nobody(world):
    mine = begin(world, THIEF)
    result = read(world, attrs.evolve(mine, session_id=begin(world).session_id))
    assert result.state is fm.SessionState.PENDING
    assert not verifies(result, subject=THIEF)


@pytest.mark.parametrize("vendor", BACKENDS)
def test_each_vendor_declares_the_copies_that_it_stores(world):
    stored = {VendorCopy.ID: WITH_COPIES, VendorCopy.TERMS: WITH_TERMS}
    expected = {copy for copy, vendors in stored.items() if world.vendor in vendors}
    assert world.sessions.capabilities.stores == expected


@pytest.mark.parametrize("vendor", WITH_DELETION)
def test_the_session_of_somebody_else_is_not_deleted(world):
    mine = begin(world, THIEF)
    passed = begin(world)
    go_through(world, passed)
    with pytest.raises(fm.SessionMismatch):
        world.sessions.delete(attrs.evolve(mine, session_id=passed.session_id))
    assert verifies(read(world, passed))


@pytest.mark.parametrize("vendor", WITH_TERMS)
def test_a_record_that_was_changed_after_the_start_verifies_nobody(world):
    record = begin(world)
    go_through(world, record)
    with pytest.raises(fm.SessionMismatch):
        read(world, attrs.evolve(record, purpose="another purpose"))


@pytest.mark.parametrize("session_id", ["../../v1/other", "a/../b?c=d", "a b", "é"])
@pytest.mark.parametrize("vendor", BACKENDS)
def test_an_id_that_would_change_the_request_reaches_no_other_path(world, session_id):
    record = attrs.evolve(begin(world), session_id=session_id)
    before = list(world.line.sent)
    with pytest.raises((fm.InvalidRequest, fm.SessionNotFound, fm.RequestRejected)):
        read(world, record)
    paths = set(world.line.sent[len(before) :])
    assert not [path for path in paths if ".." in path or "other" in path]


@pytest.mark.parametrize("vendor", BACKENDS)
def test_a_reading_that_finds_no_session_is_free(world):
    record = begin(world)
    unknown = attrs.evolve(record, session_id=f"{record.session_id[:-4]}0000")
    with pytest.raises(fm.SessionNotFound) as caught:
        read(world, unknown)
    assert caught.value.billing.charged is fm.Charged.NO
    if world.sessions.capabilities.finds_by_record:
        with pytest.raises(fm.SessionNotFound) as caught:
            read(world, world.plan())
        assert caught.value.billing.charged is fm.Charged.NO


# A verdict that was revised, and webhooks


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_revised_verdict_takes_the_yes_back(world):
    record = begin(world)
    go_through(world, record)
    assert verifies(read(world, record))
    _, declined = DECISIONS[world.vendor]
    world.control.sessions.decide(record.session_id, declined)
    assert not verifies(read(world, record))


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_an_approval_without_a_check_of_the_face_verifies_nobody(world):
    record = begin(world)
    approved, _ = DECISIONS[world.vendor]
    world.control.sessions.decide(record.session_id, approved)
    assert not verifies(read(world, record))


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_replayed_webhook_only_makes_somebody_read(world):
    record = begin(world)
    go_through(world, record)
    approval = letters(world, record)[-1]
    (hint,) = world.sessions.receive(approval.body, approval.headers)
    assert (hint.record_id, hint.session_id) == (record.id, record.session_id)
    _, declined = DECISIONS[world.vendor]
    world.control.sessions.decide(record.session_id, declined)
    assert world.sessions.receive(approval.body, approval.headers) == (hint,)
    assert not verifies(read(world, record))
    # Nothing in a hint is a verdict.
    assert set(attrs.fields_dict(type(hint))) == {"record_id", "session_id", "event_id", "is_test"}


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_forged_webhook_is_refused(world):
    record = begin(world)
    go_through(world, record)
    letter = letters(world, record)[-1]
    other = begin(world, THIEF)
    forged = letter.body.replace(record.session_id.encode(), other.session_id.encode())
    assert forged != letter.body
    for body, headers in ((forged, letter.headers), (letter.body, {})):
        with pytest.raises(fm.WebhookRefused):
            world.sessions.receive(body, headers)


# Environment and links


@pytest.mark.parametrize("vendor", BACKENDS)
def test_a_mock_at_the_vendors_own_host_verifies_nobody_in_production(world):
    record = begin(world)
    go_through(world, record)
    verifier = fm.FaceVerifier(
        world.sessions.verifier.backend,
        require_environment=fm.Environment.PRODUCTION,
        liveness_threshold=80 if world.vendor == "rekognition" else None,
        clock=world.clock,
    )
    production = fm.Sessions(verifier, **RELIED_ON[world.vendor])
    with pytest.raises(fm.EnvironmentMismatch):
        production.read(record)
    with pytest.raises(fm.EnvironmentMismatch):
        production.start(production.plan(SUBJECT, purpose=PURPOSE, about=ABOUT))


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example",
        "https://{host}.evil.example",
        "https://{host}@evil.example",
        "http://{host}",
    ],
)
@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_link_to_a_foreign_host_is_given_to_nobody(world, host):
    found = []

    def redirect(body):
        """Put another host into the link to the person's page."""
        link = re.search(rb"https://([^/\"]+)(?=" + PERSON.encode() + b")", body)
        if link is None:
            return body
        found.append(link[0])
        foreign = host.format(host=link[1].decode())
        return body.replace(link[0], foreign.encode())

    world.line.change = redirect
    with pytest.raises(fm.UnexpectedResponse):
        begin(world)
    assert len(found) == 1


# The document of another person


@pytest.mark.parametrize("name", ["GRACE HOPPER", "A. LOVELACE", None])
@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_the_document_of_another_person_verifies_nobody(world, name):
    record = begin(world)
    go_through(world, record, name=name)
    assert not verifies(read(world, record))


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_document_that_was_compared_with_no_person_verifies_nobody(world):
    record = begin(world)
    go_through(world, record)
    assert not verifies(read(world, record, person=None))


@pytest.mark.parametrize("vendor", WITH_COPIES)
def test_a_document_of_another_date_of_birth_verifies_nobody(world):
    record = begin(world)
    go_through(world, record)
    namesake = attrs.evolve(ADA, date_of_birth=dt.date(1991, 2, 3))
    assert not verifies(read(world, record, namesake))
