"""What an answer repeats of a secret or a picture is masked, wherever in the body it stands."""

import base64
import json

import attrs
import pytest
from fakes import picture

from facematch_core import Billed, Decision, MatchResult, RequestRejected, ResultWarning, Secret
from facematch_core import WarningCode as Code
from facematch_core.backend import MatchCall
from facematch_core.http import HttpReply, without_secrets

CANARY = "sk-canary-9b7e"
CALL = MatchCall(probe=picture(), reference=picture((1, 2, 3)))
#: A picture begins like this; in base64 without a digit it could be taken for a word.
PICTURE = b"\xff\xd8\xff\xe0canary-of-a-picture-" + bytes(range(256))


@pytest.fixture
def read(acme):
    """What a vendor that repeats what it likes is understood as."""

    class Echoing(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            body = reply.json()
            return MatchResult(
                decision=Decision.MATCH,
                backend="acme",
                billed=Billed.YES,
                request_id=body.get("id"),
                session_id=body.get("session"),
                vendor_status=body.get("status"),
                model=body.get("model"),
                warnings=(
                    ResultWarning(code=Code.OTHER, tag=body.get("tag"), text=body.get("text")),
                ),
                raw=body,
            )

        def error(self, reply, call):
            told = reply.json()
            return RequestRejected(
                told.get("said", "Refused."),
                field_errors=told.get("fields"),
                request_id=told.get("id"),
            )

    backend = acme("http://127.0.0.1:1", cls=Echoing)

    def ask(body, status=200, secret=CANARY):
        reply = HttpReply(status=status, body=json.dumps(body).encode(), secrets=(Secret(secret),))
        return backend.read_reply(CALL, reply)

    return ask


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        ({CANARY: 1}, {"***": 1}),
        ({"a": {f"key {CANARY}": CANARY}}, {"a": {"key ***": "***"}}),
        ({"a": [{CANARY: None}]}, {"a": [{"***": None}]}),
        ({"id": 7, "face": True}, {"id": 7, "face": True}),
    ],
    ids=["key", "nested", "in a list", "nothing to mask"],
)
def test_names_are_masked_as_values_are(read, raw, masked):
    """A vendor that keeps a table by key repeats the key as a name."""
    assert read(raw).raw == masked


TEXTS = ("id", "session", "status", "model", "tag", "text", "deep")


def forms(data):
    """Bytes as any text around them would have them."""
    for before in range(3):
        yield base64.b64encode(b"\0" * before + data).decode()
        yield base64.urlsafe_b64encode(b"\0" * before + data).decode()


@pytest.mark.parametrize("place", TEXTS)
@pytest.mark.parametrize("status", [200, 400])
def test_a_picture_that_is_repeated_is_masked(read, place, status):
    """In every text of a result, of what it keeps of the body, and of an error."""
    pieces = [PICTURE.hex(), repr(PICTURE), *forms(PICTURE)]
    for piece in pieces:
        body = {place: f"cannot read {piece}", "said": f"No: {piece}", "fields": {"probe": [piece]}}
        if place == "deep":
            body["deep"] = {"faces": [{"why": {piece: piece}}]}
        read_as = read(body, status)
        shown = repr(read_as) + (json.dumps(read_as.to_dict()) if status == 200 else "")
        shown += repr(getattr(read_as, "field_errors", ""))
        for start in range(0, len(piece) - 24, 8):
            assert piece[start : start + 24] not in shown


def test_a_body_that_is_deeper_than_any_hides_nothing(read):
    """What lies below is left out."""
    body = {"a": CANARY}
    for _ in range(200):
        body = {"a": body}
    assert CANARY not in json.dumps(attrs.asdict(read(body))["raw"])


@pytest.mark.parametrize("key", ["sk-7Qm2XvT9pLw4ZrK8nBd3Ys6HcJ1f", "8letters", "käy/with+signs=="])
@pytest.mark.parametrize("beside", ["", "user:", "x"])
def test_a_key_in_base64_is_masked(read, key, beside):
    """As a header of HTTP Basic has it, say; also without its padding."""
    whole = base64.b64encode(f"{beside}{key}".encode()).decode()
    core = whole[4 if beside else 0 : -4]
    for text in (whole, whole.rstrip("="), whole.replace("+", "-").replace("/", "_")):
        shown = repr(read({"text": f"No {text}", "id": text, "deep": [text]}, secret=key))
        assert "***" in shown
        assert core not in shown
        assert core not in without_secrets(text, (Secret(key),))


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
    assert (result.request_id, result.session_id) == (body["id"], body["session"])
    assert (result.model, result.warnings[0].text) == (body["model"], body["text"])
    assert result.raw == body


def test_fields_are_told_as_an_excerpt_is(read):
    """What a vendor quotes of a picture looks like a key; a long text is cut."""
    quoted = "iVBORw0KGgoAAAANSUhEUgAA"
    error = read(
        {
            "fields": {
                "probe": [f"no base64:\n{quoted}", "too large " * 40],
                quoted: ["first"],
                f"{quoted}7": ["second"],
            }
        },
        status=400,
    )
    told, cut = error.field_errors["probe"]
    assert told == "no base64: ***"
    assert len(cut) <= 200
    # Names that can no longer be told apart share an entry.
    assert error.field_errors["***"] == ("first", "second")
