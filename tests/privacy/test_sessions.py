"""No link, token, address or piece of a portrait, and not who a session is for, and why, in
anything that starts, readings and deletions leave behind, however they end.

Keys are looked for as well. What is the caller's own is in the record, and so in `to_dict`.
"""

import contextlib
import datetime as dt
import logging

import attrs
import pytest
import requests
from kit import canaries, traces
from kit.money.sessions import (
    ABOUT,
    BACKENDS,
    PURPOSE,
    SUBJECT,
    VERIFF_KEY,
    WORKFLOW,
    SessionWorld,
)
from vendors import veriff

import facematch_core as fm
from facematch_azure import AzureSessionOptions
from facematch_core.backend.session_types import Agreement, SessionAccess
from facematch_core.base.deadline import SystemClock
from facematch_core.testing import picture_samples
from facematch_mock_server import Fault, card_sheet

CARD = fm.Image.from_bytes(card_sheet()["p1"].data)
CALLERS = {"subject": SUBJECT, "purpose": PURPOSE, "about": ABOUT}
#: What has the caller's own words on purpose, for it has the record.
WITH_RECORD = ("result, all", "result, JSON", "result, minimal", "result, pickled")


@pytest.fixture(params=BACKENDS)
def world(request, caplog, at_end):
    """A vendor over a socket, by whose mock somebody may go through a session."""
    CARD.prepared(canaries.SENT)
    caplog.set_level(logging.DEBUG)
    opened = SessionWorld(request.param, ("budget",), on_wire=True)
    at_end.callback(opened.close)
    return opened


def start(world):
    options = AzureSessionOptions(enable_session_image=True)
    name = world.sessions.verifier.backend.name
    return world.sessions.start(world.plan(), options=options if name == "azure" else None)


@pytest.fixture
def leaks_of(world, caplog, capfd):
    """Searches what was left behind: {} if nothing that is secret is there."""

    def look(session=None, result=None, error=None, **secrets):
        texts = traces.of_log(caplog.records) | traces.of_events(world.events)
        printed = capfd.readouterr()
        texts |= traces.of_text("output", printed.out + printed.err)
        journal = world.control.journal()
        texts |= traces.of_text("journal", repr([entry.to_dict() for entry in journal]))
        page = requests.get(f"{world.mock.url}/", headers={"Accept": "text/html"}, timeout=10)
        texts |= traces.of_text("console", page.text)
        texts |= traces.of_objects(world.sessions, world.sessions.verifier, session, result)
        if result is not None:
            # A portrait is there for whoever asks for it; the clock of a mock is the whole mock.
            texts |= traces.of_result(attrs.evolve(result, portrait=None, clock=SystemClock()))
        texts |= traces.of_error(error) if error is not None else {}
        if session is not None:
            # Not every vendor gives the link or the token again.
            access = session.access or SessionAccess()
            link = access.link
            token = access.token
            secrets["link"] = link and link.reveal().rpartition("/")[2]
            secrets["token"] = token and token.reveal()
            texts["record"] = repr(session.record.to_dict())
        secrets = {name: (text.encode(),) for name, text in secrets.items() if text}
        secrets |= canaries.canaries() | {"portrait": picture_samples(CARD)}
        callers = {name: (text.encode(),) for name, text in CALLERS.items()}
        strict = {
            place: text for place, text in texts.items()
            if not place.startswith((*WITH_RECORD, "record", "journal"))
        }  # fmt: skip
        if result is not None:
            assert canaries.leaks(traces.of_text("all", texts["result, JSON"]), callers)
        return canaries.leaks(texts, secrets) | canaries.leaks(strict, callers)

    return look


def test_a_session_leaks_nothing_from_start_to_deletion(world, leaks_of):
    session = start(world)
    if world.sessions.verifier.backend.session_capabilities.finds_by_record:
        lost = attrs.evolve(session.record, session_id=None)
        assert leaks_of(session, world.sessions.read(lost)) == {}
    assert leaks_of(session, world.sessions.read(session.record)) == {}
    assert leaks_of(world.sessions.read(session.record, with_access=True)) == {}
    world.control.sessions.finish(session.record.session_id, card="p1")
    has_portrait = world.sessions.verifier.backend.session_capabilities.gives_portrait
    result = world.sessions.read(session.record, with_portrait=has_portrait)
    assert (result.portrait is not None) is has_portrait
    assert leaks_of(session, result) == {}
    with contextlib.suppress(fm.Unsupported):  # not every vendor can delete a session
        world.sessions.delete(session.record)
    assert leaks_of(session) == {}
    with pytest.raises(fm.FaceMatchError) as refused:
        world.sessions.start(session.record)
    assert leaks_of(session, error=refused.value) == {}


#: On the document, and in the caller's table.
HOLDERS = "Canary-Holder-4f0e", "Canary-Person-91b7"
BORN = dt.date(1911, 12, 13)


def decision_of(world, session_id):
    """The vendor's answer about a session with values of another form: read or refused."""
    theirs, _ = HOLDERS
    if world.sessions.verifier.backend.name == "didit":
        url = f"{world.mock.url}/v3/session/{session_id}/decision/"
        headers = {"x-api-key": canaries.API_KEY}
        decision = requests.get(url, headers=headers, timeout=10).json()
        (document,) = decision["id_verifications"]
        yield decision | {"vendor_data": 7}
        yield decision | {"id_verifications": [document, theirs]}
        yield decision | {"id_verifications": [document | {"last_name": [theirs]}]}
        return
    headers = {"X-AUTH-CLIENT": VERIFF_KEY}
    headers["X-HMAC-SIGNATURE"] = veriff.sign(session_id.encode(), canaries.CLIENT_SECRET)
    url = f"{world.mock.url}/v1/sessions/{session_id}/decision"
    verification = requests.get(url, headers=headers, timeout=10).json()["verification"]
    for changes in (
        {"acceptanceTime": theirs},
        {"decisionTime": theirs, "reason": [{"of": theirs}]},
        {"person": [theirs]},
        {"person": {"firstName": [theirs]}},
        {"document": theirs},
    ):
        yield {"status": "success", "verification": verification | changes}


@pytest.mark.parametrize("world", ["didit", "veriff"], indirect=True)
def test_neither_name_nor_date_leaves_the_comparison(world, caplog, capfd):
    """Neither what is on the document nor what the caller passes, however the read ends."""
    theirs, ours = HOLDERS
    session = start(world)
    person = fm.Person(name=f"Ada {ours}", date_of_birth=BORN)
    world.control.sessions.document(
        session.record.session_id,
        full_name=f"Ada {theirs}",
        document_number=theirs,
        date_of_birth=BORN,
    )
    world.control.sessions.finish(session.record.session_id, card="p1")
    result = world.sessions.read(session.record, document=person)
    assert result.name_agreement is Agreement.DISAGREES
    assert result.date_of_birth_agreement is Agreement.AGREES
    texts = traces.of_result(attrs.evolve(result, clock=SystemClock()))
    texts["reasons"] = repr(result.why_not(SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=60))
    bodies = list(decision_of(world, session.record.session_id))
    warned = []
    errors = [
        refused(fm.SessionMismatch, attrs.evolve(session.record, about="x"), world, person),
        refused(fm.InvalidRequest, attrs.evolve(session.record, backend="x"), world, person),
    ]
    for body in bodies:
        rule = {"stage": "answer", "kind": "json", "status": 200, "body": body}
        world.control.add_fault(Fault(**rule))
        try:
            read = world.sessions.read(session.record, document=person)
        except fm.UnexpectedResponse as error:
            errors.append(error)
        else:
            warned.append(attrs.evolve(read, clock=SystemClock()))
    assert warned
    assert len(errors) > 2
    for number, read in enumerate(warned):
        texts |= {f"{number} {name}": text for name, text in traces.of_result(read).items()}
    for number, error in enumerate(errors):
        texts |= {f"{number} {name}": text for name, text in traces.of_error(error).items()}
    printed = capfd.readouterr()
    texts |= traces.of_log(caplog.records) | traces.of_events(world.events)
    texts |= traces.of_text("output", printed.out + printed.err)
    texts |= traces.of_objects(world.sessions, person, session, result)
    values = {value: (value.encode(),) for value in (*HOLDERS, str(BORN), f"{BORN:%Y, %m, %d}")}
    assert canaries.leaks(texts, values) == {}


def refused(kind, record, world, person):
    with pytest.raises(kind) as caught:
        world.sessions.read(record, document=person)
    return caught.value


@pytest.mark.parametrize(
    "statuses",
    [(200, 302, 404, 500), pytest.param((201, 400, 401, 402, 403, 429), marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("what", ["start", "read"])
def test_a_session_response_that_echoes_the_request_leaks_nothing(world, leaks_of, what, statuses):
    """Everything, and a link, in every field that it has."""
    session = start(world)
    link = f"https://verify.example/session/canary-{WORKFLOW[:8]}-link"
    text = f"{canaries.API_KEY} {canaries.CLIENT_SECRET} {canaries.MEDIA} {link}"
    names = ("detail", "message", "Message", "status", "Status", "session_id", "sessionId", "url")
    body = {**dict.fromkeys(names, text), "url": link, "error": {"code": text, "message": text}}
    for status in statuses:
        echo = {"status": status, "body": body, "call": f"session_{what}"}
        world.control.add_fault(Fault(stage="answer", kind="json", **echo))
        with pytest.raises(fm.VendorError) as caught:
            start(world) if what == "start" else world.sessions.read(session.record)
        assert leaks_of(session, error=caught.value, link_of_answer=link) == {}, status


@pytest.mark.parametrize("world", ["didit"], indirect=True)
@pytest.mark.parametrize("where", ["elsewhere", "no picture", "too large", "redirect", "reset"])
def test_a_rejected_portrait_does_not_show_its_url(world, leaks_of, where):
    session = start(world)
    world.control.sessions.finish(session.record.session_id, card="p1")
    url = f"{world.mock.url}/v3/session/{session.record.session_id}/decision/"
    decision = requests.get(url, headers={"x-api-key": canaries.API_KEY}, timeout=10).json()
    (check,) = decision["liveness_checks"]
    signature = check["reference_image"].rpartition("=")[2]
    rule = {"stage": "answer", "kind": "json", "status": 200, "path": "/__media__/"}
    if where == "elsewhere":
        check["reference_image"] = canaries.MEDIA
        rule |= {"body": decision, "path": "/v3/session/"}
    elif where == "redirect":
        rule |= {"status": 302, "body": "x", "headers": {"Location": canaries.MEDIA}}
    elif where == "reset":
        rule = {"stage": "mid_body", "kind": "reset", "path": "/__media__/"}
    else:
        rule["body"] = "x" * (1_500_000 if where == "too large" else 1)
    world.control.add_fault(Fault(**rule))
    with pytest.raises((fm.ConfigurationError, fm.VendorUnavailable)) as caught:
        world.sessions.read(session.record, with_portrait=True)
    assert isinstance(caught.value, fm.ConfigurationError) is (where == "elsewhere")
    assert leaks_of(session, error=caught.value, signature=signature) == {}
    assert world.sessions.read(session.record).liveness.is_live
