"""A picture or a key that an answer repeats in another form is masked, wherever it stands."""

import base64
import json

import pytest
from kit.acme import NOWHERE, AcmeBackend
from kit.fakes import match_call

import facematch_core as fm
from facematch_core import models
from facematch_core.http import HttpReply, without_secrets

PICTURE = b"\xff\xd8\xff\xe0canary-of-a-picture-" + bytes(range(256))
CANARY = "sk-canary-9b7e"


class Echoing(AcmeBackend):
    """Repeats what it is answered in every place that has a text of the vendor's."""

    def parse(self, request, reply):
        body = reply.json()
        warning = fm.ResultWarning(
            code=fm.WarningCode.OTHER, tag=body.get("tag"), text=body.get("text")
        )
        ids = models.Ids(vendor=body.get("id"), session=body.get("session"))
        return fm.MatchResult(
            decision=fm.Decision.MATCH,
            backend="acme",
            ids=ids,
            vendor_status=body.get("status"),
            model=body.get("model"),
            warnings=[warning],
            raw=body,
        )

    def error(self, reply, request):
        body = reply.json()
        ids = models.Ids(vendor=body.get("id"))
        return fm.RequestRejected(body["said"], field_errors=body["fields"], ids=ids)


def read(body, status=200, secret=CANARY):
    data = json.dumps(body).encode()
    reply = HttpReply(status=status, body=data, secrets=(fm.Secret(secret),))
    return Echoing(base_url=NOWHERE).read_reply(match_call(), reply)


def forms(data):
    """Bytes as any text around them would have them."""
    yield data.hex()
    for bytes_before in (b"", b"\0", b"\0\0"):
        yield base64.b64encode(bytes_before + data).decode()
        yield base64.urlsafe_b64encode(bytes_before + data).decode()


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("field", ["id", "session", "status", "model", "tag", "text", "deep"])
def test_echoed_picture_is_masked(field, status):
    for piece in forms(PICTURE):
        body = {field: f"no {piece}", "said": f"No: {piece}", "fields": {"probe": [piece]}}
        if field == "deep":
            body["deep"] = {"faces": [{"why": {piece: piece}}]}
        ended = read(body, status)
        text_forms = repr(ended) + repr(getattr(ended, "field_errors", "")) + repr(ended.ids)
        if status == 200:
            text_forms += json.dumps(ended.to_dict())
        for start in range(0, len(piece) - 24, 8):
            assert piece[start : start + 24] not in text_forms


@pytest.mark.parametrize(
    "key", ["sk-7Qm2XvT9pLw4ZrK8nBd3Ys6HcJ1f", "8letters", "käy/>>>>>?????with+signs=="]
)
@pytest.mark.parametrize("beside", ["", "user:", "x"])
def test_a_key_in_base64_is_masked(key, beside):
    whole = base64.b64encode(f"{beside}{key}".encode()).decode()
    for text in (whole, whole.rstrip("="), whole.replace("+", "-").replace("/", "_")):
        core = text[(len(beside) + 2) // 3 * 4 : -4]
        assert core
        text_forms = repr(read({"text": f"No {text}", "id": text, "deep": [text]}, secret=key))
        assert "***" in text_forms
        assert core not in text_forms
        assert core not in without_secrets(text, (fm.Secret(key),))


def test_field_errors_are_masked_and_shortened():
    quoted = "iVBORw0KGgoAAAANSUhEUgAA"
    fields = {"probe": [f"no base64:\n{quoted}", "too large " * 40]}
    fields |= {quoted: ["first"], f"{quoted}7": ["second"]}
    error = read({"said": "Refused.", "fields": fields}, 400)
    masked, cut = error.field_errors["probe"]
    assert masked == "no base64: ***"
    assert len(cut) <= 200
    # Names that look the same once they are masked share an entry.
    assert error.field_errors["***"] == ("first", "second")
