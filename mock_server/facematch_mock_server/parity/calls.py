"""The calls that `facematch parity` makes, and each vendor's deviations from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_core import Environment, Operation, Secret
from facematch_core.backend import (
    DeleteRequest,
    ReadRequest,
    Request,
    SessionCapabilities,
    StartRequest,
)
from facematch_core.http import HttpRequest

Change = Callable[[HttpRequest], HttpRequest]


# fmt: off
@attrs.frozen(kw_only=True)
class Step:
    """A call that differs from an ordinary call in one respect."""

    name: str = attrs.field(kw_only=False)
    sentence: str = attrs.field(kw_only=False)
    is_free: bool = False  # according to the mock's claims
    unsigned: Change = lambda request: request  # changes a request before it is signed
    signed: Change | None = None  # changes a request after it is signed
    probe: str = "same"  # a key of `make_files`
    reference: str = "again"
    operation: Operation = Operation.MATCH
    beyond: int | None = None  # how far the threshold lies above the score of the call `scored_by`
    scored_by: str = "same"
    asks: type[Request] | None = None  # for a hosted session: the type of the request
    of: str = ""  # the step that started the session; empty if this step does
    is_unknown: bool = False  # use the id of a session that never existed
    is_list: bool = False  # list the calls that the vendor stored instead of making a call

    @property
    def may_be_charged(self) -> bool:
        """Whether the step may be charged if the claims are wrong. Reads and deletions are free."""
        return self.asks in (None, StartRequest) and not self.is_list


@attrs.frozen(kw_only=True)
class VendorCalls:
    """A vendor's deviations from the usual calls. A vendor from a plug-in has none."""

    keys: Mapping[str, str] = attrs.field(factory=dict)  # mock attribute by setting; empty: `live_key` for each `Secret`
    settings: Mapping[str, Any] = attrs.field(factory=dict)  # other settings to change for the mock
    charges: int = 1  # maximum charges of one call
    steps: tuple[Step, ...] = ()  # used instead of the usual wrong-key step
    threshold: str = ""  # ``sent`` if the backend sends it, or its JSON field
    size_limit: int | str = 0  # the maximum file size in bytes, or the key of its claim; 0 for none
    kind: str = "gif"  # the extension of a file type that the vendor rejects
    headers: Mapping[str, str] = attrs.field(factory=dict)  # setting by header, for the paths below
    balance: tuple[str, str] | None = None  # path of the balance, and its location in the response
    kept: str | None = None  # path that lists the calls stored by the vendor
    sessions: tuple[Step, ...] = ()  # added to the usual steps
    sessions_need: str = ""  # the setting that sessions require
# fmt: on


#: Invalidates a key but keeps its format: hexadecimal stays hexadecimal.
_SCRAMBLED = str.maketrans("0123456789abcdefABCDEF", "1234567890bcdefaBCDEFA")


def _scramble(names: str, part: str = ".+") -> Change:
    """Return a change that scrambles `part` of the secrets whose names match `names`."""

    def change(values: Mapping[str, Any]) -> dict[str, Any]:
        changed = dict(values)
        for name, value in values.items():
            if isinstance(value, Secret) and re.fullmatch(names, name, re.IGNORECASE):
                text = re.sub(part, lambda match: match[0].translate(_SCRAMBLED), value.reveal())
                changed[name] = Secret(text)
        return changed

    return lambda request: attrs.evolve(
        request, headers=change(request.headers), fields=change(request.fields)
    )


def _without_key(request: HttpRequest) -> HttpRequest:
    return attrs.evolve(request, headers=_public(request.headers), fields=_public(request.fields))


def _public(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not isinstance(value, Secret)}


def _without_picture(request: HttpRequest) -> HttpRequest:
    if isinstance(request.json, list):
        return attrs.evolve(request, json=request.json[:-1])
    fields = dict(request.json or {})
    for name in ("TargetImage", "ImageB"):
        fields.pop(name, None)
    body = request.body and b""
    return attrs.evolve(request, files=request.files[:-1], body=body, json=fields or None)


def _with(part: str, name: str, value: object) -> Change:
    evolve: Any = attrs.evolve
    return lambda request: evolve(request, **{part: {**getattr(request, part), name: value}})


# fmt: off
_FREE: Any = {"is_free": True}
_LIVE: Any = {"operation": Operation.LIVENESS, "scored_by": "live"}
_WRONG_KEY = Step("wrong-key", "a wrong key", signed=_scramble("x-api-key|Ocp-Apim-Subscription-Key"), **_FREE)
_CALLS = (
    Step("same", "the same person"),
    Step("below-score", "a threshold below the score", beyond=-1),
    Step("at-score", "a threshold exactly at the score", beyond=0),
    Step("above-score", "a threshold above the score", beyond=1),
    Step("other", "another person", reference="other"),
    Step("no-face-probe", "no face in the probe", probe="no-face"),
    Step("no-face-reference", "no face in the reference", reference="no-face"),
    Step("largest", "a file of exactly the maximum size", probe="largest"),
    Step("too-large", "a file of one byte more", probe="too-large", **_FREE),
    Step("other-kind", "a file of an unsupported type", probe="other-kind", **_FREE),
    Step("no-picture", "text sent as a picture", probe="no-picture"),
    Step("missing", "a missing picture", unsigned=_without_picture, **_FREE),
    Step("no-key", "no key", signed=_without_key, **_FREE),
    Step("order", "neither key nor picture", unsigned=_without_picture, signed=_without_key, **_FREE),
    Step("live", "liveness", **_LIVE),
    Step("live-no-face", "liveness without a face", probe="no-face", **_LIVE),
    Step("live-no-picture", "liveness of text", probe="no-picture", **_LIVE),
    Step("live-at-score", "a threshold exactly at the score", beyond=0, **_LIVE),
    Step("live-above-score", "a threshold above the score", beyond=1, **_LIVE),
)
#: Calls about hosted sessions. Nobody completes the sessions.
_SESSIONS = (
    Step("session", "a hosted session", asks=StartRequest),
    Step("session-again", "the same start again", asks=StartRequest, of="session"),
    Step("session-read", "reading the session", asks=ReadRequest, of="session", **_FREE),
    Step("session-unknown", "reading an unknown session", asks=ReadRequest, of="session", is_unknown=True, **_FREE),
    Step("session-no-key", "a hosted session without a key", asks=StartRequest, signed=_without_key, **_FREE),
)
_DELETIONS = (
    Step("session-delete", "deleting the session", asks=DeleteRequest, of="session", **_FREE),
    Step("session-delete-again", "deleting the session of the second start", asks=DeleteRequest, of="session-again", **_FREE),
    Step("session-deleted", "reading the deleted session", asks=ReadRequest, of="session", **_FREE),
)


def steps_of(
    vendor: VendorCalls, operations: frozenset[Operation], sessions: SessionCapabilities | None
) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Return the calls to make, and the calls to make at the end of a run even if it failed."""
    usual = (
        step for step in _CALLS[1:]
        if step.operation in operations
        and (vendor.threshold or step.beyond is None)
        and (vendor.size_limit or step.probe not in ("largest", "too-large"))
    )
    # The second call shows whether the key is valid. The first must not depend on a login.
    first, *rest = vendor.steps or (attrs.evolve(_WRONG_KEY, signed=_scramble(".+")),)
    steps = (first, _CALLS[0], *rest, *usual)
    hosted = () if sessions is None else (*_SESSIONS, *vendor.sessions)
    last = (Step("kept", "listing the calls that the vendor stored", is_list=True, **_FREE),) if vendor.kept else ()
    ends = _DELETIONS if sessions is not None and sessions.can_delete else ()
    return (*steps, *hosted, *last), ends


#: The deviations of the bundled vendors, by backend name.
VENDORS: Mapping[str, VendorCalls] = {
    "didit": VendorCalls(
        settings={"environment": None}, threshold="sent", size_limit="file.size_limit",
        headers={"x-api-key": "api_key"}, balance=("/v3/billing/balance/", "balance"), kept="/v3/sessions/",
        steps=(_WRONG_KEY, Step("bad-field", "a field with an invalid value", unsigned=_with("fields", "rotate_image", "sideways"), **_FREE)),
        sessions_need="workflow_id",
        sessions=(
            Step("session-bad-field", "a session of an unknown workflow", asks=StartRequest,
                 unsigned=_with("json", "workflow_id", "00000000-0000-4000-8000-00000000beef"), **_FREE),
        ),
    ),
    "deepvue": VendorCalls(
        keys={"client_id": "client_id", "client_secret": "live_key"}, settings={"environment": None},
        headers={"x-api-key": "client_secret", "client-id": "client_id"}, balance=("/v1/internal/wallet-balance", "current_balance"),
        steps=(
            Step("wrong-pair", "a login with a wrong secret", signed=_scramble("client_secret"), **_FREE),
            _WRONG_KEY,
            Step("wrong-token", "a wrong token", signed=_scramble("Authorization", r"(?<=Bearer )\S+"), **_FREE),
        ),
    ),
    "azure": VendorCalls(
        settings={"environment": Environment.MOCK}, charges=3, size_limit=6 * 1024 * 1024, kind="webp",
        steps=(_WRONG_KEY, Step("bad-field", "an unknown model", unsigned=_with("params", "recognitionModel", "recognition_99"), **_FREE)),
        sessions=(
            Step("session-bad-field", "a session with an unknown mode", asks=StartRequest,
                 unsigned=_with("json", "livenessOperationMode", "Sideways"), **_FREE),
        ),
    ),
    "rekognition": VendorCalls(
        keys={"access_key_id": "client_id", "secret_access_key": "live_key"},
        settings={"region": "eu-west-1", "aws_profile": None, "session_token": None, "fips": False, "environment": Environment.MOCK},
        threshold="SimilarityThreshold", size_limit=5_242_880,
        steps=(
            Step("wrong-key", "a wrong key", signed=_scramble("Authorization", "(?<=Credential=)[^/]+"), **_FREE),
            Step("wrong-signature", "a wrong signature", signed=_scramble("Authorization", "(?<=Signature=).+"), **_FREE),
            Step("path", "another operation", unsigned=_with("headers", "X-Amz-Target", "RekognitionService.CompareFace"), **_FREE),
            Step("bad-field", "an unknown filter", unsigned=_with("json", "QualityFilter", "SIDEWAYS"), **_FREE),
        ),
        sessions=(
            Step("session-bad-field", "a session with an unknown challenge", asks=StartRequest,
                 unsigned=_with("json", "Settings", {"ChallengePreferences": [{"Type": "Sideways"}]}), **_FREE),
        ),
    ),
    "tencent": VendorCalls(
        keys={"secret_id": "client_id", "secret_key": "live_key"},
        settings={"region": "ap-singapore", "session_token": None}, size_limit="picture.max_bytes",
        steps=(
            Step("wrong-key", "a wrong key", signed=_scramble("Authorization", "(?<=Credential=)[^/]+"), **_FREE),
            Step("wrong-signature", "a wrong signature", signed=_scramble("Authorization", "(?<=Signature=).+"), **_FREE),
            Step("path", "another action", unsigned=_with("headers", "X-TC-Action", "CompareFaces"), **_FREE),
            Step("bad-field", "an unknown model", unsigned=_with("json", "FaceModelVersion", "99.0"), **_FREE),
        ),
    ),
    "compreface": VendorCalls(
        charges=0, size_limit=5 * 1024 * 1024, kind="txt",
        steps=(
            _WRONG_KEY,
            Step("malformed-key", "a malformed key", signed=_with("headers", "x-api-key", "not-a-uuid"), **_FREE),
            Step("bad-field", "a limit below 0", unsigned=_with("params", "limit", "-1"), **_FREE),
        ),
    ),
    "baidu": VendorCalls(
        size_limit="picture.max_bytes",
        steps=(
            Step("wrong-key", "a wrong key", signed=_scramble("Authorization", "(?<=Bearer bce-v3/).+"), **_FREE),
        ),
    ),
    "facepp": VendorCalls(
        keys={"api_key": "client_id", "api_secret": "live_key"},
        steps=(
            Step("wrong-key", "a wrong key", signed=_scramble("api_key"), **_FREE),
            Step("wrong-secret", "a wrong secret", signed=_scramble("api_secret"), **_FREE),
        ),
    ),
}
# fmt: on
