"""The report tells nobody's face, name, key or id, whatever the vendor sends back."""

import base64
import datetime as dt
import json
import logging

import attrs
import pytest
from canaries import API_KEY, CALLER_REF, MEDIA, SENT, canaries, leaks, probe, reference
from drift_targets import CHAINS, REF, SCRIPT, Target, player, proof

from facematch_core import Secret, VendorUnavailable
from facematch_core.http import HttpClient
from facematch_mock_server import MockServer
from facematch_mock_server.drift._live import LiveTarget
from facematch_mock_server.drift._pictures import pictures_of
from facematch_mock_server.drift._reporting import report_of
from facematch_mock_server.drift._script import Shown
from facematch_mock_server.drift._talking import Asked
from facematch_mock_server.drift._telling import told

NAME = "Canary Q. Lovelace"
SESSION = "c4a7d96b-31c7-4a5f-9d0e-8a7a0a6c5f21"
PERSONAL = {
    "a name": (NAME.encode(),),
    "an id": (SESSION.encode(),),
    "the owner's own reference": (CALLER_REF.encode(),),
}


def gossip(asked, answer):
    """An answer that repeats what it was sent, and tells of other people."""
    body = answer.decoded()
    face = base64.b64encode(probe().data[:300]).decode()
    row = {"session_id": SESSION, "full_name": NAME, "vendor_data": CALLER_REF, "picture": face}
    if answer.status >= 400:
        words = f"The key {API_KEY} may not see {MEDIA} of {SESSION} ({CALLER_REF})"
        body = {"detail": words, "face": [face], face[:40]: words}
    elif isinstance(body, dict):
        body |= {"echo": API_KEY, "media": MEDIA, "row": row, SESSION: NAME, "owner": NAME}
        for key in ("results", "matches"):
            body[key] = [*body.get(key, []), row]
    return attrs.evolve(answer, body=json.dumps(body).encode())


@pytest.fixture(scope="module")
def report():
    """Of a vendor that tells everything it knows."""
    model = proof("2026-11").model
    chains = [CHAINS[name] for name in ("keys", "files", "match", "liveness", "search")]
    run = player(Target(model, change=gossip), model=model).play(chains)
    return report_of(
        SCRIPT,
        run,
        edition="2026-11",
        ref=REF,
        sandbox=False,
        environment="mock",
        day=dt.date(2026, 11, 20),
    )


def test_no_canary_is_in_the_report(report):
    """Neither in the text, nor in the JSON, nor in a repr."""
    assert report.is_drift
    texts = {
        "text": told(report, every=True),
        "JSON": json.dumps(report.to_dict()),
        "repr": repr(report),
    }
    assert leaks(texts, canaries() | PERSONAL) == {}


def test_what_the_vendor_tells_too_much_is_told_by_its_form(report):
    """The report says that there is something new, and of what kind."""
    seen = {(one.place.path, one.seen) for one in report.unclaimed}
    assert ("body.echo", "a text") in seen
    assert ("body.media", "an address") in seen
    assert ("body.row.session_id", "a UUID") in seen
    assert ("body.(a key)", "a text") in seen


def test_the_model_never_gets_a_picture():
    """It is asked with stand-ins: nothing of the owner's comes into it, and it writes nothing."""
    model = proof("2026-11").model
    world = model.world(None)
    world.log(method="POST", path="/", status=200)
    assert world.journal.entries == ()


@pytest.fixture
def pictures(tmp_path):
    """What would be sent of the canary pictures."""
    files = []
    for name, image in (("probe", probe()), ("reference", reference())):
        files.append(tmp_path / f"{name}.{image.extension}")
        files[-1].write_bytes(image.data)
    return pictures_of(*files, None, SENT)


def asked(**more):
    """A request with both pictures."""
    step = next(step for chain in SCRIPT.chains for step in chain.steps if step.pays == "match")
    values = {"fields": {}, "query": {}, "json": None, "key": Shown.OWN, **more}
    return Asked(method="POST", path=step.path, files=step.files, **values)


def target(client, pictures, **more):
    """A live one."""
    more = {"base_url": "https://verification.didit.me", "only_mock": True, **more}
    return LiveTarget(client, SCRIPT, key=Secret(API_KEY), pictures=pictures, **more)


def test_nothing_of_a_request_is_logged_or_shown(pictures, caplog):
    """Keys and pictures stand in no log and no repr."""
    caplog.set_level(logging.DEBUG)
    with MockServer() as mock:
        client = HttpClient()
        client.mount("https://", mock.adapter())
        live = target(client, pictures)
        answer = live.send(asked())
        assert live.is_mock
        texts = {"log": caplog.text, "repr": f"{live!r} {pictures!r} {asked()!r} {answer!r}"}
    assert leaks(texts, canaries()) == {}


def test_no_answer_is_told_without_what_was_sent(pictures):
    """Nobody listens there: nothing was sent, so nothing can be paid."""
    live = target(HttpClient(), pictures, base_url="http://127.0.0.1:9", only_mock=False)
    with pytest.raises(Exception, match="could not be reached") as caught:
        live.send(asked())
    assert not caught.value.may_be_paid
    assert not isinstance(caught.value, VendorUnavailable)
    texts = {"error": str(caught.value), "repr": repr(caught.value)}
    assert leaks(texts, canaries()) == {}
    assert not live.delete("/v3/session/x/delete/")


def test_pictures_carry_nothing_but_what_is_seen(pictures):
    """Neither those that are sent as they are, nor those that are made of them."""
    sent = {name.value: data for name, (_, data) in pictures.files.items() if len(data) < 1_000_000}
    hidden = {"metadata": canaries()["metadata of the pictures"]}
    assert leaks(sent, hidden) == {}
    assert len(sent) == 7
