"""The calls that `facematch parity` makes, and each vendor's deviations from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_core import Operation, Secret
from facematch_core.backend import DeleteRequest, ReadRequest, SessionCapabilities, StartRequest
from facematch_core.http import HttpRequest

Change = Callable[[HttpRequest], HttpRequest]


# fmt: off
@attrs.frozen(kw_only=True)
class Step:
    """A call that differs from an ordinary call in one respect."""

    name: str = attrs.field(kw_only=False)
    sentence: str = attrs.field(kw_only=False)
    before_signing: Change | None = None  # changes the request before the backend signs it
    after_signing: Change | None = None  # changes the signed request; makes its key invalid
    probe: str = "same"  # a key of `make_files`
    reference: str = "again"
    operation: Operation = Operation.MATCH
    threshold_offset: int | None = None  # how far the threshold lies above the score of the call `scored_by`
    session_request: type[StartRequest | ReadRequest | DeleteRequest] | None = None  # None for a call with pictures
    started_by: str = ""  # the step that started the session; empty if this step does
    has_unknown_id: bool = False  # use the id of a session that never existed
    lists_stored_calls: bool = False  # list the calls that the vendor stored instead of making a call

    @property
    def scored_by(self) -> str:
        """The step whose score `threshold_offset` refers to."""
        return "live" if self.operation is Operation.LIVENESS else "same"

    @property
    def may_be_charged(self) -> bool:
        """Whether the step may be charged if the claims are wrong. Reads and deletions are free."""
        return self.session_request in (None, StartRequest) and not self.lists_stored_calls

    @property
    def is_charged_by_claims(self) -> bool:
        """Whether the mock's claims allow a charge: not if they say that the request is rejected."""
        if self.before_signing or self.after_signing or self.probe in ("too-large", "other-kind"):
            return False
        return self.may_be_charged


#: Changes a key or an id but keeps its format: hexadecimal stays hexadecimal.
NEXT_LETTER = str.maketrans(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "1234567890bcdefahijklmnopqrstuvwxyzgBCDEFAHIJKLMNOPQRSTUVWXYZG",
)
#: JSON fields of the vendors for the second picture, or for the only one of a request.
_PICTURE_FIELDS = ("TargetImage", "ImageB", "img")


def _scramble(names: str, part: str = ".+") -> Change:
    """Return a change that scrambles `part` of the secrets whose names match `names`."""

    def scramble_text(match: re.Match[str]) -> str:
        return match[0].translate(NEXT_LETTER)

    def scramble(values: Mapping[str, str | Secret]) -> dict[str, str | Secret]:
        changed = dict(values)
        for name, value in values.items():
            if isinstance(value, Secret) and re.fullmatch(names, name, re.IGNORECASE):
                changed[name] = Secret(re.sub(part, scramble_text, value.reveal()))
        return changed

    return lambda request: attrs.evolve(request, headers=scramble(request.headers), fields=scramble(request.fields))


def _without_key(request: HttpRequest) -> HttpRequest:
    headers = {name: text for name, text in request.headers.items() if isinstance(text, str)}
    fields = {name: text for name, text in request.fields.items() if isinstance(text, str)}
    return attrs.evolve(request, headers=headers, fields=fields)


def _without_picture(request: HttpRequest) -> HttpRequest:
    """Remove the only or the second picture, wherever a vendor expects it."""
    if request.body is not None:  # the picture itself
        return attrs.evolve(request, body=b"")
    if isinstance(request.json, list):  # an item for each picture
        return attrs.evolve(request, json=request.json[:-1])
    if request.json is None:  # a form
        return attrs.evolve(request, files=request.files[:-1])
    body = dict(request.json)
    for name in _PICTURE_FIELDS:
        body.pop(name, None)
    if "images" in body:
        body["images"] = body["images"][:-1]
    return attrs.evolve(request, json=body or None)


def _with(part: str, name: str, value: object) -> Change:
    """Return a change that sets a name in the headers, params, fields or json of a request."""
    evolve: Any = attrs.evolve
    return lambda request: evolve(request, **{part: {**getattr(request, part), name: value}})


def _wrong(name: str, sentence: str, secrets: str, part: str = ".+") -> Step:
    """Return the step with a part of these secrets wrong."""
    return Step(name, sentence, after_signing=_scramble(secrets, part))


def _bad_field(sentence: str, part: str, name: str, value: object) -> Step:
    """Return the step with a value that the vendor does not know in a part of the request."""
    return Step("bad-field", sentence, before_signing=_with(part, name, value))


def _wrong_session_signature(change: Change) -> Step:
    return Step("session-wrong-signature", "a hosted session with a wrong signature", session_request=StartRequest, after_signing=change)


def _bad_session(sentence: str, name: str, value: object) -> Step:
    """Return the step that starts a session with a JSON value that the vendor does not know."""
    return Step("session-bad-field", sentence, session_request=StartRequest, before_signing=_with("json", name, value))


_WRONG_KEY = _wrong("wrong-key", "a wrong key", ".+")
#: Of Amazon's kind of signature, which Tencent uses, too.
_WRONG_CREDENTIAL = _wrong("wrong-key", "a wrong key", "Authorization", "(?<=Credential=)[^/]+")
_WRONG_SIGNATURE = _wrong("wrong-signature", "a wrong signature", "Authorization", "(?<=Signature=).+")
_SAME = Step("same", "the same person")
_CALLS = (
    Step("below-score", "a threshold below the score", threshold_offset=-1),
    Step("at-score", "a threshold exactly at the score", threshold_offset=0),
    Step("above-score", "a threshold above the score", threshold_offset=1),
    Step("other", "another person", reference="other"),
    Step("no-face-probe", "no face in the probe", probe="no-face"),
    Step("no-face-reference", "no face in the reference", reference="no-face"),
    Step("largest", "a file of exactly the maximum size", probe="largest"),
    Step("too-large", "a file of one byte more", probe="too-large"),
    Step("other-kind", "a file of an unsupported type", probe="other-kind"),
    Step("no-picture", "text sent as a picture", probe="no-picture"),
    Step("missing", "a missing picture", before_signing=_without_picture),
    Step("no-key", "no key", after_signing=_without_key),
    Step("order", "neither key nor picture", before_signing=_without_picture, after_signing=_without_key),
    Step("live", "liveness", operation=Operation.LIVENESS),
    Step("live-no-face", "liveness without a face", probe="no-face", operation=Operation.LIVENESS),
    Step("live-no-picture", "liveness of text", probe="no-picture", operation=Operation.LIVENESS),
    Step("live-at-score", "a threshold exactly at the score", threshold_offset=0, operation=Operation.LIVENESS),
    Step("live-above-score", "a threshold above the score", threshold_offset=1, operation=Operation.LIVENESS),
)
#: Calls about hosted sessions. Nobody completes the sessions.
_SESSIONS = (
    Step("session", "a hosted session", session_request=StartRequest),
    Step("session-again", "the same start again", session_request=StartRequest, started_by="session"),
    Step("session-read", "reading the session", session_request=ReadRequest, started_by="session"),
    Step("session-unknown", "reading an unknown session", session_request=ReadRequest, started_by="session", has_unknown_id=True),
    Step("session-no-key", "a hosted session without a key", session_request=StartRequest, after_signing=_without_key),
)
#: Instead of the call with a wrong key, for a vendor of hosted sessions alone.
_SESSION_WITH_WRONG_KEY = Step("session-wrong-key", "a hosted session with a wrong key", session_request=StartRequest, after_signing=_scramble(".+", "[^ =]+$"))
_DELETIONS = (
    Step("session-delete", "deleting the session", session_request=DeleteRequest, started_by="session"),
    Step("session-delete-again", "deleting the session of the second start", session_request=DeleteRequest, started_by="session-again"),
    Step("session-deleted", "reading the deleted session", session_request=ReadRequest, started_by="session"),
)
_STORED_CALLS = Step("kept", "listing the calls that the vendor stored", lists_stored_calls=True)


@attrs.frozen(kw_only=True)
class VendorCalls:
    """A vendor's deviations from the usual calls. A vendor from a plug-in has none."""

    keys: Mapping[str, str] = attrs.field(factory=dict)  # mock attribute by setting; empty: `live_key` for each `Secret`
    settings: Mapping[str, object] = attrs.field(factory=dict)  # other settings to change for the mock
    has_key: bool = True  # if False, no call with a wrong key, or without one, is made
    charges: int = 1  # maximum charges of one call
    first: Step = _WRONG_KEY  # must not depend on a login
    bad_calls: tuple[Step, ...] = ()  # other calls that the vendor rejects
    takes_threshold: bool = False
    threshold_field: str = ""  # JSON field that receives the threshold; empty if the backend sends it
    size_limit: str = ""  # the key of the claim with the maximum bytes of a file; empty for none
    rejected_type: str = "gif"  # the extension of a file type that the vendor rejects
    headers: Mapping[str, str] = attrs.field(factory=dict)  # setting by header, for the two paths below
    balance_path: str = ""  # path that returns the account's balance; empty if there is none
    balance_field: str = ""
    stored_calls_path: str = ""  # path that lists the calls stored by the vendor; empty if there is none
    sessions: tuple[Step, ...] = ()  # added to the usual steps
    setting_for_sessions: str = ""  # the setting that sessions require; empty for none

    def can_make(self, step: Step) -> bool:
        """Return whether the vendor has what a step needs."""
        if step.threshold_offset is not None and not self.takes_threshold:
            return False
        if step.probe in ("largest", "too-large") and not self.size_limit:
            return False
        return self.has_key or step.after_signing is None


#: The deviations of the bundled vendors, by backend name.
VENDORS: Mapping[str, VendorCalls] = {
    "didit": VendorCalls(
        takes_threshold=True, size_limit="file.size_limit",
        headers={"x-api-key": "api_key"}, balance_path="/v3/billing/balance/", balance_field="balance", stored_calls_path="/v3/sessions/",
        bad_calls=(_bad_field("a field with an invalid value", "fields", "rotate_image", "sideways"),),
        setting_for_sessions="workflow_id",
        sessions=(_bad_session("a session of an unknown workflow", "workflow_id", "00000000-0000-4000-8000-00000000beef"),),
    ),
    "deepvue": VendorCalls(
        keys={"client_id": "client_id", "client_secret": "live_key"},
        headers={"x-api-key": "client_secret", "client-id": "client_id"}, balance_path="/v1/internal/wallet-balance", balance_field="current_balance",
        first=_wrong("wrong-pair", "a login with a wrong secret", "client_secret"),
        bad_calls=(
            _wrong("wrong-key", "a wrong key", "x-api-key"),
            _wrong("wrong-token", "a wrong token", "Authorization", r"(?<=Bearer )\S+"),
        ),
    ),
    "azure": VendorCalls(
        charges=3, size_limit="image.max_bytes", rejected_type="webp",
        bad_calls=(_bad_field("an unknown model", "params", "recognitionModel", "recognition_99"),),
        sessions=(_bad_session("a session with an unknown mode", "livenessOperationMode", "Sideways"),),
    ),
    "rekognition": VendorCalls(
        keys={"access_key_id": "client_id", "secret_access_key": "live_key"},
        settings={"region": "eu-west-1", "aws_profile": None, "session_token": None, "fips": False},
        takes_threshold=True, threshold_field="SimilarityThreshold", size_limit="image.max_bytes",
        first=_WRONG_CREDENTIAL,
        bad_calls=(
            _WRONG_SIGNATURE,
            Step("path", "another operation", before_signing=_with("headers", "X-Amz-Target", "RekognitionService.CompareFace")),
            _bad_field("an unknown filter", "json", "QualityFilter", "SIDEWAYS"),
        ),
        sessions=(_bad_session("a session with an unknown challenge", "Settings", {"ChallengePreferences": [{"Type": "Sideways"}]}),),
    ),
    "tencent": VendorCalls(
        keys={"secret_id": "client_id", "secret_key": "live_key"},
        settings={"region": "ap-singapore", "session_token": None}, size_limit="picture.max_bytes",
        first=_WRONG_CREDENTIAL,
        bad_calls=(
            _WRONG_SIGNATURE,
            Step("path", "another action", before_signing=_with("headers", "X-TC-Action", "CompareFaces")),
            _bad_field("an unknown model", "json", "FaceModelVersion", "99.0"),
        ),
    ),
    "compreface": VendorCalls(
        charges=0, size_limit="file.max_bytes", rejected_type="txt",
        bad_calls=(
            Step("malformed-key", "a malformed key", after_signing=_with("headers", "x-api-key", "not-a-uuid")),
            _bad_field("a limit below 0", "params", "limit", "-1"),
        ),
    ),
    "baidu": VendorCalls(
        size_limit="picture.max_bytes",
        first=_wrong("wrong-key", "a wrong key", "Authorization", "(?<=Bearer bce-v3/).+"),
    ),
    "facepp": VendorCalls(
        keys={"api_key": "client_id", "api_secret": "live_key"},
        first=_wrong("wrong-key", "a wrong key", "api_key"),
        bad_calls=(_wrong("wrong-secret", "a wrong secret", "api_secret"),),
    ),
    "regula": VendorCalls(
        has_key=False,
        first=_bad_field("pictures that are no base64", "json", "images", [{"index": 0, "data": "side ways!"}, {"index": 1, "data": "side ways!"}]),
    ),
    "deepface": VendorCalls(
        keys={"token": "live_key"}, charges=0,
        first=_wrong("wrong-key", "a wrong key", "Authorization", r"(?<=Bearer )\S+"),
        bad_calls=(_bad_field("an unknown model", "json", "model_name", "Sideways"),),
    ),
    "sumsub": VendorCalls(
        keys={"app_token": "client_id", "secret_key": "live_key"},
        sessions=(_wrong_session_signature(_scramble("X-App-Access-Sig")),),
    ),
    "veriff": VendorCalls(
        keys={"api_key": "client_id", "shared_secret": "live_key"},
        sessions=(_wrong_session_signature(_with("headers", "X-HMAC-SIGNATURE", "0" * 64)),),
    ),
}
# fmt: on


def steps_of(
    vendor: VendorCalls, operations: frozenset[Operation], sessions: SessionCapabilities | None
) -> tuple[Step, ...]:
    """Return the calls to make; `sessions` is None if no session can be started."""
    session_steps = () if sessions is None else (*_SESSIONS, *vendor.sessions)
    if Operation.MATCH not in operations:
        # A vendor of hosted sessions alone takes no pictures.
        return (_SESSION_WITH_WRONG_KEY, *session_steps) if session_steps else ()
    # The second call shows whether the key is valid.
    steps = [vendor.first, _SAME, *vendor.bad_calls]
    for step in _CALLS:
        if step.operation in operations and vendor.can_make(step):
            steps.append(step)
    steps += session_steps
    if vendor.stored_calls_path:
        steps.append(_STORED_CALLS)
    return tuple(steps)


def deletion_steps_of(sessions: SessionCapabilities | None) -> tuple[Step, ...]:
    """Return the calls to make at the end of a run even if it failed: they delete the sessions."""
    return _DELETIONS if sessions is not None and sessions.can_delete else ()
