"""Didit's face match and passive liveness: build requests, parse responses, verdicts and errors.

The parser accepts the responses of three editions of Didit's documentation, which differ in number
types, keys per warning (four or six), repeated request values and time zones (``Z``, ``+00:00``).
Sources: Didit face-match and passive-liveness skill pages, early 2026; Didit API reference, Face
Match, June 2026; Didit OpenAPI, 2026-07-18. All were read on 2026-11-20. All functions are pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import attrs

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Retention,
    Score,
    Secret,
    Threshold,
    WarningCode,
    errors,
    http,
)
from facematch_core.backend import (
    CALL_ID_KEY,
    ImageFormat,
    ImageLimits,
    MatchRequest,
    PictureRequest,
    RateWindow,
    UnreadableField,
    note_id,
    note_status,
    number,
    objects,
    read_or_none,
)
from facematch_core.models import (
    Box,
    Face,
    Ids,
    ScaleSource,
    Severity,
    ThresholdRule,
    ThresholdSource,
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
    read_list,
    read_object,
    read_text,
    read_time,
)

#: Didit accepts the extensions tiff, jpg, jpeg, png and webp. The limit of "5 MB" may mean
#: 5,242,880 bytes; 5,000,000 is safe (Didit API reference, Face Match, June 2026).
LIMITS = ImageLimits(
    formats=frozenset({ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.TIFF}),
    max_bytes=5_000_000,
)

#: The rate limit shared by one key's POST, PATCH and DELETE requests (Didit OpenAPI, 2026-07-18).
RATES = (RateWindow(300, 60.0),)


@attrs.frozen(kw_only=True)
class Kind:
    """Names and decisions for one kind of call: face match or passive liveness.

    Attributes:
        block: The key of the verdict in the response.
        face_codes: Warnings that indicate a negative verdict on the face. A decline with only other
            error-level warnings is never `failed`.
        conclusive_codes: Those of `face_codes` that prove it even without a score or a face.
    """

    result: type[MatchResult | LivenessResult]
    decisions: type[Decision | LivenessDecision]
    path: str
    threshold_field: str
    block: str
    scale: str
    passed: Decision | LivenessDecision
    failed: Decision | LivenessDecision
    face_codes: frozenset[WarningCode]
    conclusive_codes: frozenset[WarningCode] = frozenset()


MATCH = Kind(
    result=MatchResult,
    path="/v3/face-match/",
    threshold_field="face_match_score_decline_threshold",
    block="face_match",
    scale=MATCH_SCALE,
    passed=Decision.MATCH,
    failed=Decision.NO_MATCH,
    decisions=Decision,
    face_codes=frozenset({WarningCode.LOW_SIMILARITY}),
)

LIVENESS = Kind(
    result=LivenessResult,
    path="/v3/passive-liveness/",
    threshold_field="face_liveness_score_decline_threshold",
    block="liveness",
    scale=LIVENESS_SCALE,
    passed=LivenessDecision.LIVE,
    failed=LivenessDecision.NOT_LIVE,
    decisions=LivenessDecision,
    face_codes=frozenset({WarningCode.LOW_LIVENESS, WarningCode.PRESENTATION_ATTACK}),
    conclusive_codes=frozenset({WarningCode.PRESENTATION_ATTACK}),
)


def _kind_of(request: PictureRequest) -> Kind:
    return MATCH if isinstance(request, MatchRequest) else LIVENESS


# --- request ---


def build_request(
    request: PictureRequest, *, address: str, api_key: Secret, rotate_image: bool
) -> http.HttpRequest:
    """Return the multipart request of a call; raise `Unsupported` for a blank `caller_ref`."""
    kind = _kind_of(request)
    fields = {
        kind.threshold_field: _threshold_text(request),
        # Didit keeps the pictures if the field is missing.
        "save_api_request": "true" if request.retention is Retention.KEEP else "false",
    }
    # Didit does not rotate if the field is missing.
    if rotate_image:
        fields["rotate_image"] = "true"
    if request.caller_ref:
        fields["vendor_data"] = _check_caller_ref(request.caller_ref)
    metadata = dict(request.metadata or {})
    if request.retention is Retention.KEEP:
        # Not in vendor_data: it is the caller's reference, and Didit's face index uses it.
        metadata[CALL_ID_KEY] = request.call_id
    if metadata:
        fields["metadata"] = json.dumps(metadata, allow_nan=False)
    files = [http.file_part("user_image", request.probe)]
    if isinstance(request, MatchRequest):
        files.append(http.file_part("ref_image", request.reference))
    return http.HttpRequest(
        url=address + kind.path, headers={"x-api-key": api_key}, fields=fields, files=files
    )


def _check_caller_ref(text: str) -> str:
    # Didit's list cannot be filtered by white space alone, and a web framework may strip it.
    if not text.strip():
        raise errors.Unsupported(
            "caller_ref must not be only white space. Nothing was sent.",
            backend=NAME,
            what="caller_ref",
        )
    return text


def _threshold_of(request: PictureRequest) -> Threshold:
    """Return the caller's threshold, or Didit's default."""
    if request.threshold is None or request.threshold.value is None:
        return Threshold(DEFAULT_THRESHOLD, ThresholdRule.ABOVE, ThresholdSource.DEFAULT)
    return request.threshold


def _threshold_text(request: PictureRequest) -> str:
    """Format the threshold with all its digits, and a whole number without a fraction."""
    # In early 2026 Didit documented only whole numbers (Didit face-match skill page).
    value = _threshold_of(request).value or 0.0
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


# --- result ---


def read_result(
    request: PictureRequest, body: object, declared: Environment | None
) -> MatchResult | LivenessResult:
    """Parse a 200 response; `declared` is the setting `environment`."""
    kind = _kind_of(request)
    answer = read_object(body, "the body")
    _check_echoes(request, answer)
    block = read_object(answer.get(kind.block), kind.block)
    request_id = note_id(read_or_none(read_text, answer.get("request_id"), "request_id"))
    faces = {"probe": _read_faces(block, "user_image")}
    if kind is MATCH:
        faces["reference"] = _read_faces(block, "ref_image")
    ids = Ids(call=request.call_id, vendor=request_id)
    billing = Billing(Charged.YES, CHARGED)
    if declared is Environment.SANDBOX:
        billing = Billing(Charged.NO, FREE_IN_SANDBOX)
    elif request.retention is Retention.KEEP:
        # The session of a call that was not stored cannot be read: Didit returns 404.
        ids = attrs.evolve(ids, session=request_id)
    return kind.result(
        **read_verdict(kind, block, faces),
        threshold=_threshold_of(request),
        ids=ids,
        created_at=read_or_none(read_time, answer.get("created_at"), "created_at"),
        billing=billing,
        raw=answer,
    )


def _check_echoes(request: PictureRequest, answer: dict[str, http.Json]) -> None:
    """Raise `UnreadableField` if the response repeats an id of another call.

    The edition of early 2026 repeats none.
    """
    metadata = answer.get("metadata")
    call_id = metadata.get(CALL_ID_KEY) if isinstance(metadata, dict) else None
    echoes = (
        ("metadata", call_id, request.call_id),
        ("vendor_data", answer.get("vendor_data"), request.caller_ref),
    )
    for name, echo, sent in echoes:
        # Didit's form parser trims white space, and digits may come back as a number.
        if echo is not None and str(echo).strip() != (sent or "").strip():
            raise UnreadableField("repeats an id that was not sent", name)


def _read_faces(block: dict[str, http.Json], name: str) -> tuple[Face, ...] | None:
    """Return the faces found in the picture `name`; None if the response does not list faces.

    They decide nothing: Didit compares the largest face itself, and warns if there is none.
    """
    found = read_or_none(read_object, block.get(name), name) or {}
    entities = read_or_none(objects, found.get("entities"), name, "entities")
    if entities is None:
        return None
    # Null if no face was found.
    rotation = read_or_none(_read_quarter_turn, found.get("best_angle"), name, "best_angle")
    return tuple([_read_face(entity, rotation, name) for entity in entities])


def _read_quarter_turn(angle: object) -> int:
    turn = number(angle)
    if turn not in (0, 90, 180, 270):
        raise ValueError("not a quarter turn")
    return int(turn)


def _read_face(entity: dict[str, http.Json], rotation: int | None, name: str) -> Face:
    return Face(
        box=read_or_none(_read_box, entity.get("bbox"), name, "entities", "bbox"),
        confidence=read_or_none(number, entity.get("confidence"), name, "entities", "confidence"),
        rotation=rotation,
    )


def _read_box(edges: http.Json) -> Box:
    # In pixels of Didit's rotated and shrunk copy, whose size is not in the response.
    left, top, right, bottom = map(number, edges)
    return Box(left=left, top=top, right=right, bottom=bottom, unit="px")


# --- verdict ---

# Didit's status decides. The score is not compared with the threshold here, because Didit does not
# document whether it rounds the score. Warnings can only turn a pass into REVIEW or INCONCLUSIVE.


def read_verdict(
    kind: Kind,
    block: dict[str, http.Json],
    faces: Mapping[str, tuple[Face, ...] | None] = {},
) -> dict[str, Any]:
    """Parse the verdict block of a call or a decision into the fields of a result.

    `faces` maps ``probe`` and ``reference`` to the faces found in that picture.
    """
    status = note_status(read_text(block.get("status"), kind.block, "status"))
    items = read_list(block.get("warnings"), kind.block, "warnings")
    warnings = [_read_warning(item, kind.block) for item in items]
    codes = {warning.code for warning in warnings}
    value = block.get("score")
    if value is not None:
        value = number(value, kind.block, "score")
    elif "score" not in block:
        raise UnreadableField("is missing", kind.block, "score")
    score = None
    # Without a face, Didit's score is null for a stored call and 0 for other calls.
    if value is not None and WarningCode.NO_FACE not in codes:
        if not 0 <= value <= 100:
            raise UnreadableField("is not from 0 to 100", kind.block, "score")
        score = Score(value, kind.scale, raw=value, raw_name="score", source=ScaleSource.DOCUMENTED)
    grave_codes = {warning.code for warning in warnings if warning.severity.is_grave}
    fields: dict[str, Any] = {
        "decision": _decide(kind, status, score is not None, codes, grave_codes),
        "score": score,
        "backend": NAME,
        "vendor_status": status,
    }
    for name, listed in faces.items():
        fields[f"{name}_faces"] = listed
        # Didit's face match sends no warning about several faces.
        count = 0 if listed is None else len(listed)
        if count > 1 and WarningCode.MULTIPLE_FACES not in codes:
            warnings.append(
                ResultWarning(
                    code=WarningCode.MULTIPLE_FACES,
                    severity=Severity.WARNING,
                    text=f"The {name} shows {count} faces; Didit uses the largest.",
                )
            )
    if status == APPROVED and value is None:
        warnings.append(
            ResultWarning(
                code=WarningCode.SCORE_UNAVAILABLE,
                severity=Severity.ERROR,
                text="Didit approved without a score.",
            )
        )
    if kind is LIVENESS:
        fields["method"] = read_or_none(read_text, block.get("method"), kind.block, "method")
        for name in ("quality", "luminance"):
            key = f"face_{name}"
            fields[name] = read_or_none(number, block.get(key), kind.block, key)
    return {**fields, "warnings": tuple(warnings)}


def _decide(
    kind: Kind,
    status: str,
    has_score: bool,
    codes: set[WarningCode],
    grave_codes: set[WarningCode],
) -> Decision | LivenessDecision:
    """Return the decision of a status, a score and warnings.

    An approval without a score or with a grave warning is REVIEW, and so is any other status. A
    decline that shows no comparison is INCONCLUSIVE, one for another reason than the face REVIEW.
    """
    if WarningCode.NO_FACE in codes and not codes & kind.conclusive_codes:
        return kind.decisions.INCONCLUSIVE
    if status == APPROVED:
        # Didit documents that an approval has a score and no error-level warning; else REVIEW.
        return kind.passed if has_score and not grave_codes else kind.decisions.REVIEW
    if status == DECLINED:
        # Declined for another reason than the face, such as the blocklist.
        if grave_codes and not grave_codes & kind.face_codes:
            return kind.decisions.REVIEW
        # Without a score or a conclusive warning, Didit did not compare or check any face.
        is_proved = has_score or bool(codes & kind.conclusive_codes)
        return kind.failed if is_proved else kind.decisions.INCONCLUSIVE
    return kind.decisions.REVIEW


def _read_warning(item: object, block: str) -> ResultWarning:
    """Read a warning; one without a `log_type` that we know has the severity UNKNOWN.

    That counts as grave: `read_verdict` then turns a pass into REVIEW.
    """
    warning = read_or_none(read_object, item, block, "warnings") or {}
    tag = read_or_none(read_text, warning.get("risk"), block, "warnings", "risk")
    log_type = read_or_none(read_text, warning.get("log_type"), block, "warnings", "log_type")
    description = None
    for key in ("long_description", "short_description"):
        description = description or read_or_none(
            read_text, warning.get(key), block, "warnings", key
        )
    return ResultWarning(
        code=WARNING_CODES.get(tag or "", WarningCode.OTHER),
        severity=SEVERITIES.get(log_type or "", Severity.UNKNOWN),
        tag=tag,
        text=description,
    )


# --- errors ---

# Didit's error responses have no error code, only one of four shapes (read on 2026-11-20):
#
# - ``{"error": text}``: no credit (403), a picture that cannot be used (400);
# - ``{"detail": text}``: key and permissions (401, 403), method, media type, rate limit (429);
# - ``{field: [text]}``: all invalid fields of a form (400);
# - ``[text]``: messages without a field; used by other endpoints only.
#
# Only 200 responses are charged. We rely on this for these four shapes, because they come from
# Didit. HTML, an empty body or another shape may come from a gateway and gets the core's default
# for the status. Cloudflare's JSON errors also have a `detail`, and a `cloudflare_error` (responses
# that public clients quote, read on 2026-11-28): they say nothing about a charge at
# Didit. The editions differ only in the status for a bad key: 401 or 403.

ONLY_200_IS_CHARGED = "only 200 responses are charged (Didit API reference, Face Match, June 2026)"

#: The shape of an error response; ``other`` is not one of Didit's shapes.
Form = Literal["error", "detail", "fields", "list", "other"]

_FAULT = http.ErrorRow(
    errors.VendorUnavailable,
    Charged.NO,
    ONLY_200_IS_CHARGED,
    "the vendor reports an internal error",
)
_NO_CREDIT = http.ErrorRow(
    errors.InsufficientCredit,
    Charged.NO,
    ONLY_200_IS_CHARGED,
    "the account has no credit; top it up",
)
_BAD_KEY = http.ErrorRow(
    errors.AuthenticationFailed,
    Charged.NO,
    ONLY_200_IS_CHARGED,
    "the key is invalid or lacks the permission",
)


def error_row(status: int, form: Form, shape: http.BodyShape) -> http.ErrorRow:
    """Return the error row of a response other than 200."""
    usual = http.default_row(status, shape)
    if form == "other":
        return usual
    if status == 403 and form in ("error", "detail"):
        return _NO_CREDIT if form == "error" else _BAD_KEY
    # Didit documents no body for internal errors. We assume these two are Didit's own.
    # With 502, 504, or 520 and above, a gateway has lost the call, which may still be running.
    if 500 <= status < 520 and status not in (502, 504) and form in ("error", "detail"):
        return _FAULT
    if 400 <= status < 500 and usual.charged is Charged.NO:
        return attrs.evolve(usual, ground=ONLY_200_IS_CHARGED)
    return usual


def is_own_error(reply: http.HttpReply) -> bool:
    """Return whether a 401, 403, 404 or 429 is Didit's: gateways also write `error` or `detail`."""
    form = _ErrorBody.read(reply).form
    if form == "error":
        # Didit documents it for one of these statuses alone, and with one text.
        return "credits" in reply.at("error")
    # "Not Found" is the default of Starlette, in which gateways are written. Didit's texts of a 404
    # end with a full stop.
    return form == "detail" and reply.at("detail") != "Not Found"


def read_error(
    reply: http.HttpReply,
    *,
    now: datetime,
    find_row: Any = error_row,
    **about: Any,
) -> errors.VendorError:
    """Return the error for a response without a result; `find_row` has `error_row`'s signature."""
    error_body = _ErrorBody.read(reply)
    quotable = reply
    if error_body.texts_by_field:
        # `vendor_error` masks, shortens and quotes the text under "detail".
        lines = []
        for name, texts in error_body.texts_by_field.items():
            lines.append(f"{name}: {' '.join(texts)}")
        read_or_none = json.dumps({"detail": "; ".join(lines)})
        quotable = attrs.evolve(reply, body=read_or_none.encode())
    row = find_row(reply.status, error_body.form, quotable.shape)
    error = http.vendor_error(quotable, {}, backend=NAME, now=now, row=row, **about)
    if isinstance(error, errors.RequestRejected):
        error.field_errors = {}
        for name, texts in error_body.texts_by_field.items():
            masked_texts = [http.without_secrets(text, reply.secrets) for text in texts]
            masked_name = http.without_secrets(name, reply.secrets)
            error.field_errors[masked_name] = tuple(masked_texts)
    if isinstance(error, errors.RateLimited) and error.retry_after_s is None:
        # Seconds since 1970 (Didit OpenAPI, 2026-07-18).
        reset = reply.headers.get("X-RateLimit-Reset", "").strip()
        if re.fullmatch(r"[0-9]{1,10}", reset):
            error.retry_after_s = max(0.0, int(reset) - now.timestamp())
    return error


@attrs.frozen(kw_only=True)
class _ErrorBody:
    """The body of an error response: its shape, and the texts by field, if it has fields."""

    form: Form
    texts_by_field: dict[str, tuple[str, ...]] = attrs.field(factory=dict)

    @classmethod
    def read(cls, reply: http.HttpReply) -> _ErrorBody:
        """Read an error's body by its form.

        The form is "other" for a body that has none of Didit's forms, such as a gateway's page.
        """
        try:
            body = reply.json()
        except ValueError:
            return cls(form="other")
        if isinstance(body, list):
            texts = _texts(body)
            if not texts:
                return cls(form="other")
            # Didit's framework uses this name for texts without a field.
            return cls(form="list", texts_by_field={"non_field_errors": texts})
        if not isinstance(body, dict) or "cloudflare_error" in body:
            return cls(form="other")
        # Only as the one field of the body: a gateway's error often has a status or a path, too.
        if len(body) == 1 and isinstance(body.get("error"), str):
            return cls(form="error")
        if len(body) == 1 and isinstance(body.get("detail"), str):
            return cls(form="detail")
        texts_by_field = {name: _texts(value) for name, value in body.items()}
        if not body or not all(texts_by_field.values()):
            return cls(form="other")
        return cls(form="fields", texts_by_field=texts_by_field)


def _texts(value: http.Json) -> tuple[str, ...]:
    """Return a string or a list of strings as a tuple, and an empty tuple for anything else."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return ()
    return tuple(texts)
