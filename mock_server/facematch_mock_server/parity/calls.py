"""The calls that show claims, and what each vendor has of its own: tables."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_core import Operation, Secret
from facematch_core.http import HttpRequest

Change = Callable[[HttpRequest], HttpRequest]


@attrs.frozen(kw_only=True)
class Step:
    """One call; `is_free` by the claims, changed before or after it is signed."""

    name: str = attrs.field(kw_only=False)
    sentence: str = attrs.field(kw_only=False)
    is_free: bool = False
    unsigned: Change | None = None
    signed: Change | None = None
    #: Names of pictures.
    probe: str = "same"
    reference: str = "again"
    operation: Operation = Operation.MATCH
    #: Where the threshold is, ``below``, ``at`` or ``above`` the score of that call; empty for the
    #: usual threshold.
    place: str = ""
    scored_by: str = "same"


@attrs.frozen(kw_only=True)
class VendorCalls:
    """What a vendor has of its own."""

    #: The settings that sign in, each with the attribute of the mock that has its value.
    keys: Mapping[str, str]
    #: Those of the mock's backend beside them.
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    #: The most that one call can cost.
    charges: int = 1
    #: Calls beside the usual ones.
    steps: tuple[Step, ...] = ()
    #: ``sent`` if the backend sends it, or the field of the JSON that has one.
    threshold: str = ""
    #: The largest file by the claims, in bytes, or the key of that claim.
    size_limit: int | str | None = None
    #: The ending of a file of another kind than the vendor takes.
    kind: str = "gif"
    #: Path, place in the answer, and headers with the setting that each carries.
    balance: tuple[str, str, Mapping[str, str]] | None = None
    #: Calls, aspects, and the claim that such a difference is about: the first line that fits.
    links: tuple[tuple[str, str, str], ...] = ()


# How a request is changed


def scramble(text: str) -> str:
    """Another key of the same form: each letter and digit is replaced."""
    letters = "abcdef" if re.fullmatch(r"[0-9a-fA-F-]+", text) else string.ascii_lowercase

    def other(match: re.Match[str]) -> str:
        sign = match[0]
        pool = string.digits if sign.isdigit() else letters if sign.islower() else letters.upper()
        return secrets.choice(pool.replace(sign, ""))

    return re.sub(r"[0-9A-Za-z]", other, text)


def _scrambled(names: str, part: str = ".+") -> Change:
    """Make wrong that part of the secrets in headers and fields of these names."""

    def wrong(name: str, value: str | Secret) -> str | Secret:
        if not isinstance(value, Secret) or not re.fullmatch(names, name, re.IGNORECASE):
            return value
        return Secret(re.sub(part, lambda match: scramble(match[0]), value.reveal()))

    return lambda request: attrs.evolve(
        request,
        headers={name: wrong(name, value) for name, value in request.headers.items()},
        fields={name: wrong(name, value) for name, value in request.fields.items()},
    )


def _without_key(request: HttpRequest) -> HttpRequest:
    headers = {n: value for n, value in request.headers.items() if not isinstance(value, Secret)}
    return attrs.evolve(request, headers=headers)


def _without_picture(request: HttpRequest) -> HttpRequest:
    if request.body is not None:
        return attrs.evolve(request, body=b"")
    if request.json is not None:
        rest = {name: value for name, value in request.json.items() if name != "TargetImage"}
        return attrs.evolve(request, json=rest)
    return attrs.evolve(request, files=request.files[:-1])


def _with(**more: Mapping[str, str]) -> Change:
    """Add to the mappings of a request."""
    return lambda request: attrs.evolve(
        request, **{name: {**getattr(request, name), **values} for name, values in more.items()}
    )


def _bare(method: str = "POST", path: str = "") -> Change:
    """Ask otherwise, and send nothing of a face."""
    nothing: Any = {"files": (), "fields": {}, "json": None, "body": None}
    return lambda request: attrs.evolve(request, method=method, url=request.url + path, **nothing)


# fmt: off
_KEY = "x-api-key|Ocp-Apim-Subscription-Key"
_WRONG_KEY = Step("wrong-key", "a wrong key", is_free=True, signed=_scrambled(_KEY))
_METHOD = Step("method", "another method", is_free=True, unsigned=_bare(method="PUT"))
_ELSEWHERE = (_METHOD, Step("path", "another path", is_free=True, unsigned=_bare(path="x")))
_THRESHOLDS = (
    Step("below-score", "a threshold below the score", place="below"),
    Step("at-score", "a threshold exactly at the score", place="at"),
    Step("above-score", "a threshold above the score", place="above"),
)
_OTHERS = (
    Step("other", "another person", reference="other"),
    Step("no-face-probe", "no face in the probe", probe="no-face"),
    Step("no-face-reference", "no face in the reference", reference="no-face"),
)
_SIZES = (
    Step("largest", "a file of just the largest size", probe="largest"),
    Step("too-large", "a file of a byte more", is_free=True, probe="too-large"),
)
_REFUSALS = (
    Step("other-kind", "a file of another kind", is_free=True, probe="other-kind"),
    Step("no-picture", "text that is called a picture", probe="no-picture"),
    Step("missing", "a picture left out", is_free=True, unsigned=_without_picture),
    Step("no-key", "no key", is_free=True, signed=_without_key),
    Step("order", "neither key nor picture", is_free=True, unsigned=_without_picture, signed=_without_key),
)
_LIVENESS = (
    Step("live", "liveness", operation=Operation.LIVENESS),
    Step("live-no-face", "liveness without a face", operation=Operation.LIVENESS, probe="no-face"),
    Step("live-no-picture", "liveness of text", operation=Operation.LIVENESS, probe="no-picture"),
)


def steps_of(vendor: VendorCalls, operations: frozenset[Operation]) -> tuple[Step, ...]:
    """The calls of a vendor, in their order: first those that nobody should charge."""
    steps = [*vendor.steps, Step("same", "the same person")]
    steps += [*(_THRESHOLDS if vendor.threshold else ()), *_OTHERS]
    steps += [*(_SIZES if vendor.size_limit else ()), *_REFUSALS]
    if Operation.LIVENESS in operations:
        live: Any = {"operation": Operation.LIVENESS, "scored_by": "live"}
        thresholds = _THRESHOLDS if vendor.threshold == "sent" else ()
        steps += [*_LIVENESS, *(attrs.evolve(s, name=f"live-{s.name}", **live) for s in thresholds)]
    return tuple(steps)


VENDORS: Mapping[str, VendorCalls] = {
    "didit": VendorCalls(
        keys={"api_key": "live_key"}, threshold="sent", size_limit="file.size_limit",
        balance=("/v3/billing/balance/", "balance", {"x-api-key": "api_key"}),
        steps=(
            _WRONG_KEY, *_ELSEWHERE,
            Step("bad-field", "a field of a wrong value", is_free=True, unsigned=_with(fields={"rotate_image": "sideways"})),
        ),
        links=(
            ("no-key|order", "status", "auth.missing"),
            ("wrong-key", "status", "auth.wrong"),
            ("", "header .*limit", "rate.write.limit"),
            ("", "shape (vendor_data|metadata)", "answer.echo"),
            ("", "time created_at", "answer.created_at"),
            ("^no-face", r"words .*warnings\[\]\.risk", "match.no_face_risk"),
            ("", r"shape .*warnings\[\]\.", "warning.keys"),
            ("", r"shape .*entities\[\]\.", "entity.keys"),
            ("", "digits .*(score|threshold)", "score.type"),
            ("^no-face", "shape .*score", "match.no_pair_score"),
            ("live.*-score", "words|decision|warnings", "liveness.boundary"),
            ("-score", "words|decision|warnings", "match.boundary"),
            ("largest|too-large", "status|error", "file.size_limit"),
            ("live", "charge|price", "credit.price.liveness"),
            ("", "charge|price", "credit.price.match"),
        ),
    ),
    "deepvue": VendorCalls(
        keys={"client_id": "client_id", "client_secret": "live_key"},
        balance=("/v1/internal/wallet-balance", "current_balance", {"x-api-key": "client_secret", "client-id": "client_id"}),
        steps=(
            Step("wrong-pair", "a login with a wrong secret", is_free=True, signed=_scrambled("client_secret")),
            _WRONG_KEY,
            Step("wrong-token", "a wrong token", is_free=True, signed=_scrambled("Authorization", r"(?<=Bearer )\S+")),
            *_ELSEWHERE,
        ),
        links=(
            ("login", "(time|words|shape) (expiry|expires_in)", "token.expiry"),
            ("login", "words token_type", "token.type"),
            ("wrong-token", "status", "auth.token"),
            ("", "(shape|code) code", "answer.code"),
            ("live", "(shape|side) data.score", "liveness.score"),
            ("", "(shape|side) data.confidence", "match.confidence"),
            ("same|other", "decision|words data.match", "match.from"),
            ("live$", "decision|words data.is_live", "liveness.from"),
            ("no-face", "", "face.missing"),
            ("missing", "shape|words", "body.validation"),
            ("live", "charge|price", "credit.price.liveness"),
            ("", "charge|price", "credit.price.match"),
        ),
    ),
    "azure": VendorCalls(
        keys={"api_key": "live_key"}, charges=3, size_limit=6 * 1024 * 1024, kind="webp",
        steps=(
            _WRONG_KEY, _METHOD,
            Step("bad-field", "a model that there is not", is_free=True, unsigned=_with(params={"recognitionModel": "recognition_99"})),
        ),
        links=(("same|other", "words isIdentical|decision", "verify.boundary"), ("", "digits .*confidence", "verify.answer")),
    ),
    "rekognition": VendorCalls(
        keys={"access_key_id": "client_id", "secret_access_key": "live_key"},
        settings={"region": "eu-west-1", "aws_profile": None, "fips": False},
        threshold="SimilarityThreshold", size_limit=5_242_880,
        steps=(
            attrs.evolve(_WRONG_KEY, signed=_scrambled("Authorization", "(?<=Credential=)[^/]+")),
            Step("wrong-signature", "a wrong signature", is_free=True, signed=_scrambled("Authorization", "(?<=Signature=).+")),
            Step("path", "another operation", is_free=True, unsigned=_with(headers={"X-Amz-Target": "RekognitionService.CompareFace"})),
            Step("bad-field", "a filter that there is not", is_free=True, unsigned=_with(json={"QualityFilter": "SIDEWAYS"})),
        ),
        links=(("-score", "shape|decision|warnings", "compare.threshold"), ("no-face", "", "face.none"), ("", "digits", "compare.answer")),
    ),
    "compreface": VendorCalls(
        keys={"api_key": "live_key"}, charges=0, size_limit=5 * 1024 * 1024, kind="txt",
        steps=(
            _WRONG_KEY,
            Step("malformed-key", "a key of another form", is_free=True, signed=_with(headers={"x-api-key": "not-a-uuid"})),
            _METHOD,
            Step("bad-field", "a limit below 0", is_free=True, unsigned=_with(params={"limit": "-1"})),
        ),
        links=(("order", "status|words", "key.first"), ("", "digits", "verify.answer")),
    ),
}
# fmt: on
