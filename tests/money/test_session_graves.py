"""What has once verified somebody wrongly, tried at each vendor of hosted sessions.

Rules R55 to R58 of the contract hold most of it; what they do not ask stands here. A lost start
that is counted twice, or not at all, is a case in `test_faults`.
"""

import datetime as dt
import re

import attrs
import pytest
from kit.cards import CARDS
from kit.money.sessions import ABOUT, BACKENDS, PURPOSE, RELIED_ON, SUBJECT, SessionWorld

import facematch_core as fm
from facematch_mock_server.base.messages import PERSON

ADA = fm.Person(name="Ada Lovelace", date_of_birth=dt.date(1980, 1, 1))
THIEF = "canary-thief-c3d1"
#: These vendors store nothing of a record: the caller's row alone says whose session it is. Nor do
#: they have a page, or a document.
WITHOUT_COPIES = ("azure", "rekognition")
WITH_COPIES = [vendor for vendor in BACKENDS if vendor not in WITHOUT_COPIES]
#: Veriff shows nothing of a session before it is decided, which could contradict the record.
WITH_PENDING_COPIES = [vendor for vendor in WITH_COPIES if vendor != "veriff"]


@pytest.fixture
def world(vendor):
    opened = SessionWorld(vendor)
    yield opened
    opened.close()


def begin(world, subject=SUBJECT):
    return world.sessions.start(world.plan(subject)).record


def read(world, record):
    more = {"document": ADA} if world.vendor in WITH_COPIES else {}
    return world.sessions.read(record, **more)


@pytest.mark.parametrize("vendor", WITH_PENDING_COPIES)
def test_the_open_session_of_somebody_else_is_a_mismatch(world):
    mine = begin(world, THIEF)
    with pytest.raises(fm.SessionMismatch):
        read(world, attrs.evolve(mine, session_id=begin(world).session_id))


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


@pytest.mark.parametrize("vendor", ["veriff"])
def test_an_approval_without_a_check_of_the_face_verifies_nobody(world):
    """Veriff has one verdict for all, so the contract cannot leave the face out of it."""
    record = begin(world)
    world.control.sessions.decide(record.session_id, "approved")
    result = read(world, record)
    assert not result.is_verified_for(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600)


@pytest.mark.parametrize("vendor", BACKENDS)
def test_a_mock_at_the_vendors_own_host_verifies_nobody_in_production(world):
    record = begin(world)
    world.control.sessions.finish(record.session_id, card=CARDS["p1"])
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
