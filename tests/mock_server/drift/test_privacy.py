"""The report tells nobody's face, name, key or id, whatever the vendor sends back."""

import base64
import datetime as dt
import json
import logging

import attrs
import pytest
from canaries import API_KEY, CALLER_REF, MEDIA, SENT, canaries, leaks, probe, reference
from drift_targets import CHAINS, SCRIPT, STEPS, Target, judged, player

from facematch_core import Secret, VendorUnavailable
from facematch_core.http import HttpClient
from facematch_mock_server import MockServer
from facematch_mock_server.drift.pictures import cards, pictures_of
from facematch_mock_server.drift.report import Report
from facematch_mock_server.drift.run import Side

NAME = "Canary Q. Lovelace"
SESSION = "c4a7d96b-31c7-4a5f-9d0e-8a7a0a6c5f21"
PERSONAL = {
    "a name": (NAME.encode(),),
    "an id": (SESSION.encode(),),
    "the owner's own reference": (CALLER_REF.encode(),),
}


def gossip(_step, real):
    """An answer that repeats what it was sent, and tells of other people."""
    reply = real()
    body = json.loads(reply.body) if reply.body.startswith(b"{") else None
    face = base64.b64encode(probe().data[:300]).decode()
    row = {"session_id": SESSION, "full_name": NAME, "vendor_data": CALLER_REF, "picture": face}
    if reply.status >= 400:
        words = f"The key {API_KEY} may not see {MEDIA} of {SESSION} ({CALLER_REF})"
        body = {"detail": words, "face": [face], face[:40]: words}
    elif isinstance(body, dict):
        body |= {"echo": API_KEY, "media": MEDIA, "row": row, SESSION: NAME, "owner": NAME}
        body |= {"status": NAME, "user": NAME, "risk": API_KEY}
        for key in ("results", "matches"):
            body[key] = [*body.get(key, []), row]
    return attrs.evolve(reply, body=json.dumps(body).encode())


@pytest.fixture(scope="module")
def report():
    """Of a vendor that tells everything it knows."""
    run = player(Target(instead=gossip)).play([CHAINS[name] for name in ("keys", "files", "match")])
    return Report(
        script=SCRIPT,
        edition="2026-11",
        environment="mock",
        day=dt.date(2026, 11, 20),
        run=run,
        verdict=judged(run.played),
    )


def test_no_canary_is_in_the_report(report):
    """Neither in the text, nor in the JSON, nor in a repr, nor in one of what was heard."""
    assert report.is_drift
    texts = {
        "text": report.to_text(every=True),
        "JSON": json.dumps(report.to_dict()),
        "repr": f"{report!r} {report.run!r} {report.run.played[0].heard!r}",
    }
    assert leaks(texts, canaries() | PERSONAL) == {}


def test_what_the_vendor_tells_too_much_is_told_by_its_form(report):
    """The report says that there is something new, and of what kind."""
    seen = {
        (place, seen) for one in report.verdict.findings for _, place, _, seen in one.differences
    }
    assert ("body.echo", "a text") in seen
    assert ("body.media", "an address") in seen
    assert ("body.row.session_id", "a UUID") in seen
    assert ("body.(a key)", "a text") in seen


@pytest.fixture
def pictures(tmp_path):
    """What would be sent of the canary pictures."""
    files = []
    for name, image in (("probe", probe()), ("reference", reference())):
        files.append(tmp_path / f"{name}.{image.extension}")
        files[-1].write_bytes(image.data)
    return pictures_of(*files, None, SENT)


def side(client, pictures, **more):
    """One that is asked with a canary for a key."""
    more = {"base_url": "https://verification.didit.me", "only_mock": True, **more}
    return Side(client, SCRIPT, credentials={"key": Secret(API_KEY)}, pictures=pictures, **more)


def test_nothing_of_a_request_is_logged_or_shown(pictures, caplog):
    """Keys and pictures stand in no log and no repr."""
    caplog.set_level(logging.DEBUG)
    with MockServer() as mock:
        client = HttpClient()
        client.mount("https://", mock.adapter())
        live = side(client, pictures)
        reply = live.ask(STEPS["match, not kept"], {})
        assert live.is_mock
        texts = {"log": caplog.text, "repr": f"{live!r} {reply!r} {STEPS['match, not kept']!r}"}
    assert leaks(texts, canaries()) == {}


def test_no_answer_is_told_without_what_was_sent(pictures):
    """Nobody listens there; what cannot be deleted is told, and nothing is raised."""
    live = side(HttpClient(), pictures, base_url="http://127.0.0.1:9", only_mock=False)
    with pytest.raises(VendorUnavailable) as caught:
        live.ask(STEPS["match, not kept"], {})
    texts = {"error": str(caught.value), "repr": repr(caught.value)}
    assert leaks(texts, canaries()) == {}
    assert not live.delete("/v3/session/x/delete/", {})


def test_a_wrong_key_and_none_are_what_they_say():
    """The owner's key is shown only where the script says so."""
    target = Target()
    assert target.ask(STEPS["balance"], {}).status == 200
    assert target.ask(STEPS["balance with a wrong key"], {}).status == 401
    assert target.ask(STEPS["balance without a key"], {}).status == 403


def test_the_model_never_gets_a_picture_of_the_owner(pictures):
    """It is shown test cards, and bytes that are the same for everybody."""
    own = {data for name, (_, data) in pictures.items()} - {data for _, data in cards().values()}
    assert len(own) == 5
    assert own.isdisjoint({data for _, data in cards().values()})


def test_pictures_carry_nothing_but_what_is_seen(pictures):
    """Neither those that are sent as they are, nor those that are made of them."""
    sent = {name: data for name, (_, data) in pictures.items() if len(data) < 1_000_000}
    hidden = {"metadata": canaries()["metadata of the pictures"]}
    assert leaks(sent, hidden) == {}
    assert len(sent) == 7
