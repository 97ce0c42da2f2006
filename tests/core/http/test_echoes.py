"""A picture or a key that an answer repeats in another form is masked, wherever it stands."""

import base64
import json

import pytest
from kit.fakes import picture

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Ids,
    MatchResult,
    RequestRejected,
    ResultWarning,
    Secret,
    WarningCode,
)
from facematch_core.backend import MatchCall
from facematch_core.http import HttpReply, without_secrets

CALL = MatchCall(probe=picture(), reference=picture((1, 2, 3)))
PICTURE = b"\xff\xd8\xff\xe0canary-of-a-picture-" + bytes(range(256))
CANARY = "sk-canary-9b7e"
PLACES = ("id", "session", "status", "model", "tag", "text", "deep")


@pytest.fixture
def read(acme):
    """What is made of an answer by a vendor that repeats what it likes."""

    class Echoing(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            body = reply.json()
            told = ResultWarning(code=WarningCode.OTHER, tag=body.get("tag"), text=body.get("text"))
            return MatchResult(
                decision=Decision.MATCH,
                backend="acme",
                billing=Billing(Charged.YES),
                ids=Ids(vendor=body.get("id"), session=body.get("session")),
                vendor_status=body.get("status"),
                model=body.get("model"),
                warnings=(told,),
                raw=body,
            )

        def error(self, reply, call):
            told = reply.json()
            return RequestRejected(
                told["said"], field_errors=told["fields"], ids=Ids(vendor=told.get("id"))
            )

    backend = acme("http://127.0.0.1:1", cls=Echoing)

    def ask(body, status=200, secret=CANARY):
        data = json.dumps(body).encode()
        reply = HttpReply(status=status, body=data, secrets=(Secret(secret),))
        return backend.read_reply(CALL, reply)

    return ask


def forms(data):
    """Bytes as any text around them would have them."""
    yield data.hex()
    for before in range(3):
        yield base64.b64encode(b"\0" * before + data).decode()
        yield base64.urlsafe_b64encode(b"\0" * before + data).decode()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [200, 400])
def test_a_picture_that_is_repeated_is_masked(read, place, status):
    """In every text of a result, in what it keeps of the body, and in an error."""
    for piece in forms(PICTURE):
        body = {place: f"no {piece}", "said": f"No: {piece}", "fields": {"probe": [piece]}}
        if place == "deep":
            body["deep"] = {"faces": [{"why": {piece: piece}}]}
        told = read(body, status)
        shown = repr(told) + repr(getattr(told, "field_errors", "")) + repr(told.ids)
        if status == 200:
            shown += json.dumps(told.to_dict())
        for start in range(0, len(piece) - 24, 8):
            assert piece[start : start + 24] not in shown


@pytest.mark.parametrize("key", ["sk-7Qm2XvT9pLw4ZrK8nBd3Ys6HcJ1f", "8letters", "käy/with+signs=="])
@pytest.mark.parametrize("beside", ["", "user:", "x"])
def test_a_key_in_base64_is_masked(read, key, beside):
    """As a header of HTTP Basic has it, say; also without its padding, or for an address."""
    whole = base64.b64encode(f"{beside}{key}".encode()).decode()
    for text in (whole, whole.rstrip("="), whole.replace("+", "-").replace("/", "_")):
        core = text[(len(beside) + 2) // 3 * 4 : -4]
        assert core
        shown = repr(read({"text": f"No {text}", "id": text, "deep": [text]}, secret=key))
        assert "***" in shown
        assert core not in shown
        assert core not in without_secrets(text, (Secret(key),))


def test_what_lies_deeper_than_any_body_is_left_out(read):
    """Not handed out as it is."""
    body = {"a": CANARY}
    for _ in range(200):
        body = {"a": body}
    assert "canary" not in json.dumps(read(body).to_dict())


def test_ids_and_sentences_stay_as_they_are(read):
    """What vendors really answer has words that are long, too."""
    body = {
        "id": "3f2b8c1e-9d4a-4f6b-8e7c-1a2b3c4d5e6f",
        "session": "11111111-2222-3333-4444-555555555555",
        "model": "acme/face-match-2026-07-01",
        "text": "The face of the second picture is turned away, and too dark (luminance 12.25).",
        "deep": {"url": "https://docs.acme.example/errors/LOW_FACE_MATCH_SIMILARITY", "n": 0.5},
    }
    result = read(body)
    assert (result.ids.vendor, result.ids.session) == (body["id"], body["session"])
    assert (result.model, result.warnings[0].text) == (body["model"], body["text"])
    assert result.raw == body


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ({CANARY: 1}, {"***": 1}),
        ({"a": {f"key {CANARY}": CANARY}}, {"a": {"key ***": "***"}}),
        ({"a": [{CANARY: None}]}, {"a": [{"***": None}]}),
        ({"faces": 7, "face": True}, {"faces": 7, "face": True}),
    ],
    ids=["key", "nested", "in a list", "nothing to mask"],
)
def test_names_are_masked_as_values_are(read, raw, masked):
    """A vendor that keeps a table by key repeats the key as a name."""
    assert read(raw).raw == masked


@pytest.mark.parametrize("secret", ['can"ary-9b7e', "can\\ary-9b7e", "can\u00e9ry-9b7e", "7714"])
def test_a_key_is_masked_whatever_is_in_it(read, secret):
    """What JSON escapes, and digits that may stand in a number beside it."""
    result = read({"deep": [f"of {secret}"], "n": 37714}, secret=secret)
    assert result.raw == {"deep": ["of ***"], "n": 37714}


def test_fields_are_told_as_an_excerpt_is(read):
    """What a vendor quotes of a picture looks like a key; a long text is cut."""
    quoted = "iVBORw0KGgoAAAANSUhEUgAA"
    fields = {
        "probe": [f"no base64:\n{quoted}", "too large " * 40],
        quoted: ["first"],
        f"{quoted}7": ["second"],
    }
    error = read({"said": "Refused.", "fields": fields}, 400)
    told, cut = error.field_errors["probe"]
    assert told == "no base64: ***"
    assert len(cut) <= 200
    # Names that can no longer be told apart share an entry.
    assert error.field_errors["***"] == ("first", "second")
