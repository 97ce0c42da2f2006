"""Didit's calls about faces on the wire: forms, answers, verdicts, errors.

Answers are read as the documents of three editions have them: whole numbers for floats, warnings
of four or six keys, with and without echoes, times that end in ``Z`` or ``+00:00``. Sources: Didit
face-match and passive-liveness skill pages, early 2026; Didit API reference, Face Match, June 2026;
Didit OpenAPI, 2026-07-18 (all other calls). All were read on 2026-11-20.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

import attrs

from facematch_core import (
    Billing,
    Box,
    Charged,
    Decision,
    Demographics,
    Environment,
    Face,
    Ids,
    ImageFormat,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Retention,
    ScaleSource,
    Score,
    Secret,
    Severity,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    WarningCode,
)
from facematch_core.backend import (
    CALL_ID_KEY,
    Call,
    ImageLimits,
    LivenessCall,
    MatchCall,
    RateWindow,
)
from facematch_core.errors import (
    AuthenticationFailed,
    InsufficientCredit,
    RateLimited,
    RequestRejected,
    Unsupported,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import (
    BodyShape,
    ErrorRow,
    HttpReply,
    HttpRequest,
    default_row,
    picture,
    vendor_error,
    without_secrets,
)

from .words import (
    APPROVED,
    CHARGED,
    DECLINED,
    DEFAULT_THRESHOLD,
    FREE_IN_SANDBOX,
    LIVENESS_SCALE,
    MATCH_SCALE,
    NAME,
    SEVERITIES,
    WARNING_CODES,
    number_or_none,
    percentage_or_none,
    read_list,
    read_number,
    read_object,
    read_text,
    text_or_none,
    time_or_none,
)

Faces = tuple[Face, ...] | None

#: Didit judges a file by its ending: tiff, jpg, jpeg, png, webp. It says "5 MB", which may mean
#: 5,242,880 bytes; 5,000,000 are safe (Didit API reference, Face Match, June 2026).
LIMITS = ImageLimits(
    formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF}),
    max_bytes=5_000_000,
)

#: POST, PATCH and DELETE of one key together, so also what a `DiditAccount` writes (Didit OpenAPI,
#: 2026-07-18).
RATES = (RateWindow(300, 60.0),)


#: Longest `caller_ref` in characters. Didit documents no limit for `vendor_data`; this one is ours.
MAX_CALLER_REF = 255


def match_request(call: MatchCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The form of a face match; the errors are those of `_face_request`."""
    threshold = {"face_match_score_decline_threshold": _threshold_text(call)}
    request = _face_request(call, "/v3/face-match/", threshold, base_url=base_url, api_key=api_key)
    return attrs.evolve(request, files=[*request.files, picture("ref_image", call.reference)])


def liveness_request(call: LivenessCall, *, base_url: str, api_key: Secret) -> HttpRequest:
    """The form of a passive liveness check; the errors are those of `_face_request`."""
    threshold = {"face_liveness_score_decline_threshold": _threshold_text(call)}
    return _face_request(
        call, "/v3/passive-liveness/", threshold, base_url=base_url, api_key=api_key
    )


def _face_request(
    call: Call, path: str, threshold: Mapping[str, str], *, base_url: str, api_key: Secret
) -> HttpRequest:
    """The form of either call, with the probe; `Unsupported` for a `caller_ref` that cannot go."""
    fields = {
        **threshold,
        "rotate_image": "true" if call.rotate else "false",
        # Left out, Didit keeps the pictures.
        "save_api_request": "true" if call.retention is Retention.KEEP else "false",
    }
    if call.caller_ref:
        fields["vendor_data"] = _check_caller_ref(call.caller_ref)
    metadata = dict(call.metadata or {})
    if call.retention is Retention.KEEP:
        # In the metadata, because vendor_data is the caller's, and has a meaning for Didit's index.
        metadata[CALL_ID_KEY] = call.call_id
    if metadata:
        fields["metadata"] = json.dumps(metadata, allow_nan=False)
    return HttpRequest(
        url=base_url + path,
        headers={"x-api-key": api_key},
        fields=fields,
        files=[picture("user_image", call.probe)],
    )


def _check_caller_ref(text: str) -> str:
    """`text`, if it can go as ``vendor_data``."""
    problem = ""
    if not text.strip():
        # Didit's lists cannot be asked for it, and a framework may drop it.
        problem = "is white space alone: leave it out, or write something"
    elif len(text) > MAX_CALLER_REF:
        problem = (
            f"has {len(text)} characters, but at most {MAX_CALLER_REF} are sent to Didit (as "
            "vendor_data): shorten it"
        )
    if problem:
        raise Unsupported(
            f"caller_ref {problem}. Nothing was sent.", backend=NAME, what="caller_ref"
        )
    return text


def _threshold_of(call: Call) -> Threshold:
    """Where a pass of `call` begins: above the caller's value, or above Didit's own default."""
    if call.threshold is None or call.threshold.value is None:
        return Threshold(DEFAULT_THRESHOLD, ThresholdRule.ABOVE, ThresholdSource.DEFAULT)
    return call.threshold


def _threshold_text(call: Call) -> str:
    """The threshold of `call` in a form: in full, and without a fraction if it is whole."""
    # Early in 2026 Didit documented whole numbers only (Didit face-match skill page).
    value = _threshold_of(call).value or 0.0
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def match_result(call: MatchCall, body: object, declared: Environment | None) -> MatchResult:
    """The result in the body of a face match; `declared` is what the key is set to be."""
    answer = read_object(body, "the body")
    block = read_object(answer["face_match"], "face_match")
    probe, reference = _read_faces(block, "user_image"), _read_faces(block, "ref_image")
    return MatchResult(
        probe_faces=probe,
        reference_faces=reference,
        **read_verdict(MATCH, block, MATCH_SCALE, {"probe": probe, "reference": reference}),
        **_call_fields(call, answer, declared),
    )


def liveness_result(
    call: LivenessCall, body: object, declared: Environment | None
) -> LivenessResult:
    """The result in the body of a passive liveness check; otherwise as `match_result`."""
    answer = read_object(body, "the body")
    block = read_object(answer["liveness"], "liveness")
    probe = _read_faces(block, "user_image")
    return LivenessResult(
        probe_faces=probe,
        **liveness_fields(block),
        **read_verdict(LIVENESS, block, LIVENESS_SCALE, {"probe": probe}),
        **_call_fields(call, answer, declared),
    )


def liveness_fields(block: dict[str, Any]) -> dict[str, Any]:
    """The fields that only a liveness check has."""
    return {
        "method": text_or_none(block.get("method"), "method"),
        "quality": percentage_or_none(block.get("face_quality"), "face_quality"),
        "luminance": percentage_or_none(block.get("face_luminance"), "face_luminance"),
    }


def _call_fields(
    call: Call, answer: dict[str, Any], declared: Environment | None
) -> dict[str, Any]:
    """The fields of a result that are about the call."""
    sandbox = declared is Environment.SANDBOX
    kept = call.retention is Retention.KEEP and not sandbox
    request_id = text_or_none(answer.get("request_id"), "request_id")
    return {
        "threshold": _threshold_of(call),
        # The id of a call that was not kept leads nowhere: asking for it gives 404.
        "ids": Ids(call=call.call_id, vendor=request_id, session=request_id if kept else None),
        "created_at": time_or_none(answer.get("created_at"), "created_at"),
        "billing": Billing(
            Charged.NO if sandbox else Charged.YES, FREE_IN_SANDBOX if sandbox else CHARGED
        ),
        "raw": answer,
    }


#: `best_angle`; null for a face that was looked for in vain.
_ANGLES = (None, 0, 90, 180, 270)


def _read_faces(block: dict[str, Any], name: str) -> Faces:
    """The faces that were found in the picture `name`; None if the answer does not say."""
    if block.get(name) is None:
        return None
    picture_block = read_object(block[name], name)
    if picture_block.get("entities") is None:
        return None
    angle = number_or_none(picture_block.get("best_angle"), name)
    if angle not in _ANGLES:
        raise ValueError(f"best_angle of {name} is not a quarter turn")
    rotation = None if angle is None else int(angle)
    entities = read_list(picture_block["entities"], name)
    return tuple(_read_face(read_object(entity, name), rotation, name) for entity in entities)


def _read_face(entity: dict[str, Any], rotation: int | None, name: str) -> Face:
    box = None
    if entity.get("bbox") is not None:
        # In pixels of the picture as Didit turned and shrunk it, whose size it does not say.
        left, top, right, bottom = (
            read_number(edge, name) for edge in read_list(entity["bbox"], name)
        )
        box = Box(left=left, top=top, right=right, bottom=bottom, unit="px")
    guesses = Demographics(
        age=number_or_none(entity.get("age"), name),
        gender=text_or_none(entity.get("gender"), name),
        race=text_or_none(entity.get("race"), name),
    )
    return Face(
        box=box,
        confidence=number_or_none(entity.get("confidence"), name),
        rotation=rotation,
        demographics=None if guesses == Demographics() else guesses,
    )


# Status, score and warnings into a decision. Didit decides: its status counts, and the score is
# never compared here (whether Didit compares it before or after rounding is not documented). What
# is added is doubt.

D = TypeVar("D", bound=enum.StrEnum)


@attrs.frozen(kw_only=True)
class Verdicts(Generic[D]):
    """The decisions of one kind of call."""

    passed: D
    failed: D
    review: D
    inconclusive: D
    #: What it declines for; any other reason is no claim about the face.
    reasons: frozenset[WarningCode]
    #: Those of `reasons` that hold without a score, and where no face was found.
    certain: frozenset[WarningCode] = frozenset()


MATCH: Verdicts[Decision] = Verdicts(
    passed=Decision.MATCH,
    failed=Decision.NO_MATCH,
    review=Decision.REVIEW,
    inconclusive=Decision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_SIMILARITY}),
)

LIVENESS: Verdicts[LivenessDecision] = Verdicts(
    passed=LivenessDecision.LIVE,
    failed=LivenessDecision.NOT_LIVE,
    review=LivenessDecision.REVIEW,
    inconclusive=LivenessDecision.INCONCLUSIVE,
    reasons=frozenset({WarningCode.LOW_LIVENESS, WarningCode.PRESENTATION_ATTACK}),
    certain=frozenset({WarningCode.PRESENTATION_ATTACK}),
)


def decide(
    verdicts: Verdicts[D], *, status: str, has_score: bool, warnings: Sequence[ResultWarning]
) -> D:
    """The decision that status, score and warnings of an answer amount to."""
    codes = {warning.code for warning in warnings}
    grave = {warning.code for warning in warnings if warning.severity.is_grave}
    if WarningCode.NO_FACE in codes and not codes & verdicts.certain:
        return verdicts.inconclusive
    if status == APPROVED:
        # Documented: a grave warning declines, and an approval has a score. So this is neither.
        return verdicts.passed if has_score and not grave else verdicts.review
    if status == DECLINED:
        if grave and not codes & verdicts.reasons:
            return verdicts.review
        # Without a number nothing was measured, and "low" would be said of nothing.
        return verdicts.failed if has_score or codes & verdicts.certain else verdicts.inconclusive
    return verdicts.review


def read_verdict(
    verdicts: Verdicts[D], block: dict[str, Any], scale: str, faces: Mapping[str, Faces]
) -> dict[str, Any]:
    """Decision, score and warnings of a block, as calls and the decisions of sessions have it."""
    status = read_text(block["status"], "status")
    warnings = _read_warnings(block, faces)
    value, score = percentage_or_none(block["score"], "score"), None
    # Without a face Didit's score is null if it keeps the call, and else 0.
    if value is not None and all(w.code is not WarningCode.NO_FACE for w in warnings):
        score = Score(value, scale, raw=value, raw_name="score", source=ScaleSource.DOCUMENTED)
    decision = decide(verdicts, status=status, has_score=score is not None, warnings=warnings)
    if status == APPROVED and value is None:
        missing = ResultWarning(
            code=WarningCode.SCORE_UNAVAILABLE,
            severity=Severity.ERROR,
            text="Didit approved without a score.",
        )
        warnings = (*warnings, missing)
    return {
        "decision": decision,
        "score": score,
        "warnings": warnings,
        "backend": NAME,
        "vendor_status": status,
    }


def _read_warnings(block: dict[str, Any], faces: Mapping[str, Faces]) -> tuple[ResultWarning, ...]:
    """Didit's warnings in their order, then ours about faces, if Didit has none about them."""
    warnings = [_read_warning(item) for item in read_list(block["warnings"], "warnings")]
    if all(warning.code is not WarningCode.MULTIPLE_FACES for warning in warnings):
        # Face match sends no warning of its own about them.
        warnings += [
            ResultWarning(
                code=WarningCode.MULTIPLE_FACES,
                severity=Severity.WARNING,
                text=f"The {name} shows {len(seen)} faces; Didit takes the largest.",
            )
            for name, seen in faces.items()
            if seen is not None and len(seen) > 1
        ]
    return tuple(warnings)


def _read_warning(item: object) -> ResultWarning:
    warning = read_object(item, "a warning")
    tag = read_text(warning.get("risk"), "risk")
    weight = text_or_none(warning.get("log_type"), "log_type")
    return ResultWarning(
        code=WARNING_CODES.get(tag, WarningCode.OTHER),
        severity=SEVERITIES.get(weight or "", Severity.UNKNOWN),
        tag=tag,
        text=text_or_none(warning.get("long_description"), "long_description")
        or text_or_none(warning.get("short_description"), "short_description"),
    )


# What any other answer means, the same for every edition: the editions differ only in whether a bad
# key is 401 or 403, and both are here.
#
# Didit never sends a code, only one of four forms of words (read on 2026-11-20):
#
# - ``{"error": text}``: no credit (403), a picture that cannot be used (400);
# - ``{"detail": text}``: key and rights (401, 403), method, media type, rate limit (429);
# - ``{field: [text]}``: everything that is wrong with the fields of a form (400);
# - ``[text]``: the same without a field, of other calls than these.
#
# Didit charges one credit for each answer 200, so none for others. We rely on that for those forms,
# because then it is Didit who speaks. A page of markup, an empty answer or another form is some
# gateway's, and means what it means for every vendor. An answer that breaks off is none: the core
# raises `OutcomeUnknown` before it gets here.

STATED = "only answers 200 are charged (Didit API reference, Face Match, June 2026)"


#: In which form of words an answer speaks; ``other`` is none of Didit's.
Form = Literal["error", "detail", "fields", "list", "other"]

#: Finds what an answer means by its status, its form of words and the shape of its body.
FindErrorRow = Callable[[int, Form, BodyShape], ErrorRow]

_FAULT = ErrorRow(VendorUnavailable, Charged.NO, STATED, "the vendor reports a fault of its own")
_NO_CREDIT = ErrorRow(
    InsufficientCredit, Charged.NO, STATED, "the account has no credit; a person must top it up"
)
_BAD_KEY = ErrorRow(
    AuthenticationFailed, Charged.NO, STATED, "the key is not accepted, or may not do this"
)


def error_row(status: int, form: Form, shape: BodyShape) -> ErrorRow:
    """What an answer other than 200 means for a call about faces."""
    usual = default_row(status, shape)
    if form == "other":
        return usual
    if status == 403 and form == "error":
        return _NO_CREDIT
    if status == 403 and form == "detail":
        return _BAD_KEY
    # Where Didit itself reports a fault, in words whose form is not documented for it. Not 502, 504
    # and 520 and more: those are words of a gateway that lost sight of a call that may go on.
    if 500 <= status < 520 and status not in (502, 504) and form in ("error", "detail"):
        return _FAULT
    if 400 <= status < 500 and usual.charged is Charged.NO:
        # The usual error, on a better ground than the usual.
        return attrs.evolve(usual, ground=STATED)
    return usual


def error_of(
    reply: HttpReply, *, now: datetime, find_row: FindErrorRow = error_row, **about: Any
) -> VendorError:
    """The error for an answer that gives no result; `about` are arguments of `vendor_error`."""
    form, fields = read_words(reply)
    quotable = reply
    if fields:
        # In the form of which the core repeats the text, masked and shortened.
        words = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        quotable = attrs.evolve(reply, body=json.dumps({"detail": words}).encode())
    row = find_row(reply.status, form, quotable.shape)
    error = vendor_error(quotable, {}, backend=NAME, now=now, row=row, **about)
    if isinstance(error, RequestRejected):
        error.field_errors = {
            without_secrets(name, reply.secrets): tuple(
                without_secrets(text, reply.secrets) for text in texts
            )
            for name, texts in fields.items()
        }
    if isinstance(error, RateLimited) and error.retry_after_s is None:
        # Seconds since 1970: with more digits it would be something else.
        reset = reply.headers.get("X-RateLimit-Reset", "").strip()
        if re.fullmatch(r"[0-9]{1,10}", reset):
            error.retry_after_s = max(0.0, int(reset) - now.timestamp())
    return error


#: The name under which Didit's framework has what belongs to no field.
_NO_FIELD = "non_field_errors"


def read_words(reply: HttpReply) -> tuple[Form, dict[str, tuple[str, ...]]]:
    """In which form `reply` speaks, and its texts by field (for the forms that have fields)."""
    try:
        body = reply.json()
    except ValueError:
        return "other", {}
    if isinstance(body, dict):
        if isinstance(body.get("error"), str):
            return "error", {}
        if isinstance(body.get("detail"), str):
            return "detail", {}
        fields = {name: _texts(value) for name, value in body.items()}
        return ("fields", fields) if body and all(fields.values()) else ("other", {})
    texts = _texts(body) if isinstance(body, list) else ()
    return ("list", {_NO_FIELD: texts}) if texts else ("other", {})


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts; () for anything else."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return ()
    return tuple(texts)
