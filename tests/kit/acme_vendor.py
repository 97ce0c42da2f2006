"""Acme for the mock. **Acme is invented**, and so are its documents."""

from decimal import Decimal

from facematch_mock_server.claims import OURS, Reply, documented, fact, row, table
from facematch_mock_server.vendors.base import Vendor
from facematch_mock_server.vendors.pairs import HeaderKey, PairEndpoint, PairVendor, PictureFields
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind

DOCUMENTS = documented("Acme API reference, Compare", "2026-11-20")


def refusal(status, text):
    return Reply(status, {"error": text})


CLAIMS = table(
    "acme",
    row("body.wrong_type", refusal(415, "Send a form."), OURS, "A body that is no form is 415."),
    row("body.wrong_form", refusal(400, "The form is broken."), OURS, "A broken form is 400."),
    row("key.missing", refusal(401, "{name} is missing."), OURS, "A missing key is 401."),
    row("key.wrong", refusal(401, "Unknown key."), OURS, "A wrong key is 401."),
    row("picture.missing", refusal(422, "{name} is missing."), OURS, "A missing file is named."),
    row("picture.max_bytes", 1_000_000, DOCUMENTS, "A picture has at most 1 MB."),
    row("picture.too_large", refusal(413, "{name} is too large."), OURS, "A larger one is 413."),
    row("picture.unreadable", refusal(422, "{name} is no picture."), OURS, "Other files are 422."),
    row("threshold", 80.0, OURS, "Without a threshold it is 80."),
    row("threshold.wrong", refusal(422, "threshold is no number."), OURS, "Letters are 422."),
    row(
        "boundary",
        "inclusive",
        DOCUMENTS,
        "Equality is the same person.",
        when=("boundary", "inclusive"),
        name="inclusive",
    ),
    row(
        "boundary",
        "exclusive",
        OURS,
        "It is not.",
        when=("boundary", "exclusive"),
        name="exclusive",
    ),
    row("match.answer", Reply(200), DOCUMENTS, "A comparison that was made is 200."),
    fact("no_face", DOCUMENTS, "Without a face the similarity is null."),
    row("credit.start", Decimal(10), OURS, "An account begins with USD 10."),
    row("credit.price", Decimal("0.04"), OURS, "A comparison costs USD 0.04."),
    row("credit.empty", refusal(402, "The account is empty."), OURS, "No credit is 402."),
    row("path", refusal(404, "There is nothing here."), OURS, "Another method is 404."),
)


class Acme(PairVendor):
    """Acme's behaviour in one account."""

    endpoints = (
        PairEndpoint(path="/compare", pictures=PictureFields(files=("probe", "reference"))),
    )
    key = HeaderKey("x-api-key")
    bodies_tell_no_face = True
    not_found_claim = "path"

    def match_body(self, call, outcome):
        return {
            "verdict": self.verdict(call, outcome.score),
            "similarity": outcome.score,
            "id": call.request_id,
        }

    def verdict(self, call, score):
        sent = call.texts.get("threshold")
        try:
            threshold = float(sent) if sent else call.claims["threshold"]
        except ValueError:
            call.refuse("threshold.wrong")
        if score is None:
            call.claims.cite("no_face")
            return "unsure"
        if score == threshold:
            return "same" if call.claims["boundary"] == "inclusive" else "different"
        return "same" if score > threshold else "different"


VENDOR = Vendor(
    name="acme",
    title="Acme",
    claims=CLAIMS,
    switches={"boundary": ("inclusive", "exclusive")},
    operations=("match",),
    hosts=frozenset({"api.acme.example"}),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE)},
    behaviour=Acme,
    greeting=(
        f"key: {LIVE_KEY}",
        f"curl -H 'X-Api-Key: {LIVE_KEY}' -F probe=@cards/p1.png {{url}}/compare",
    ),
)
