"""Didit's answers of status 200, read: pure functions from a decoded body to a result.

The body is read as the documents of three editions have it: whole numbers for floats, warnings of
four or six keys, with and without echoes, times that end in ``Z`` or ``+00:00``.

Sources: Didit face-match and passive-liveness skill pages, early 2026; Didit API reference, Face
Match, June 2026; Didit OpenAPI, 2026-07-18. All were read on 2026-11-20.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from facematch_core import (
    Billed,
    Environment,
    Face,
    LivenessResult,
    MatchResult,
    ResultWarning,
    Retention,
    ScaleSource,
    Score,
    Severity,
    WarningCode,
)
from facematch_core.backend import Call, LivenessCall, MatchCall, without_private

from . import _verdict
from ._faces import read_faces
from ._reading import (
    a_list,
    a_text,
    an_object,
    number_or_none,
    percentage_or_none,
    text_or_none,
    time_or_none,
)
from ._request import threshold_of
from ._verdict import D, Verdicts
from ._words import (
    APPROVED,
    CHARGED,
    FREE_IN_SANDBOX,
    LIVENESS_SCALE,
    MATCH_SCALE,
    MEDIA_KEYS,
    NAME,
    PERSONAL_KEYS,
    SEVERITIES,
    WARNING_CODES,
)

Faces = tuple[Face, ...] | None


def match_result(call: MatchCall, body: object, environment: Environment) -> MatchResult:
    """The result in the body of a face match.

    Args:
        call: The call that was made.
        body: Decoded JSON.
        environment: As declared by the setting.

    Raises:
        ValueError, LookupError: it is not a face match as documented.
    """
    answer = an_object(body, "the body")
    block = an_object(answer["face_match"], "face_match")
    probe, reference = read_faces(block, "user_image"), read_faces(block, "ref_image")
    return MatchResult(
        probe_faces=probe,
        reference_faces=reference,
        **judged(_verdict.MATCH, block, MATCH_SCALE, {"probe": probe, "reference": reference}),
        **common(call, answer, environment),
    )


def liveness_result(call: LivenessCall, body: object, environment: Environment) -> LivenessResult:
    """The result in the body of a passive liveness check; otherwise as `match_result`."""
    answer = an_object(body, "the body")
    block = an_object(answer["liveness"], "liveness")
    probe = read_faces(block, "user_image")
    return LivenessResult(
        probe_faces=probe,
        **seen(block),
        **judged(_verdict.LIVENESS, block, LIVENESS_SCALE, {"probe": probe}),
        **common(call, answer, environment),
    )


def judged(
    verdicts: Verdicts[D], block: dict[str, Any], scale: str, faces: Mapping[str, Faces]
) -> dict[str, Any]:
    """Decision, score and warnings of a block, as calls and the decisions of sessions have it.

    Args:
        verdicts: The words of the operation.
        block: With ``status``, ``score`` and ``warnings``.
        scale: That of the score.
        faces: Those that the answer tells, by picture.

    Raises:
        ValueError, LookupError: it is not such a block.
    """
    status = a_text(block["status"], "status")
    warnings = warnings_of(block, faces)
    score = score_of(block, warnings, scale)
    return {
        "decision": _verdict.decide(
            verdicts, status=status, scored=score is not None, warnings=warnings
        ),
        "score": score,
        "raw_score": number_or_none(block["score"], "score"),
        "raw_score_name": "score",
        "scale_source": None if score is None else ScaleSource.DOCUMENTED,
        "warnings": with_missing_score(block, warnings),
        "backend": NAME,
        "vendor_status": status,
    }


def seen(block: dict[str, Any]) -> dict[str, Any]:
    """What a liveness check tells of its picture."""
    return {
        "method": text_or_none(block.get("method"), "method"),
        "quality": percentage_or_none(block.get("face_quality"), "face_quality"),
        "luminance": percentage_or_none(block.get("face_luminance"), "face_luminance"),
    }


def common(call: Call, answer: dict[str, Any], environment: Environment) -> dict[str, Any]:
    """What all kinds of result say of the call in the same way."""
    sandbox = environment is Environment.SANDBOX
    kept = call.retention is Retention.KEEP and not sandbox
    request_id = text_or_none(answer.get("request_id"), "request_id")
    return {
        "threshold": threshold_of(call),
        "request_id": request_id,
        # The id of a call that was not kept leads nowhere: asking for it gives 404.
        "session_id": request_id if kept else None,
        "attempt_id": call.attempt_id,
        "created_at": time_or_none(answer.get("created_at"), "created_at"),
        "billed": Billed.NO if sandbox else Billed.YES,
        "billed_ground": FREE_IN_SANDBOX if sandbox else CHARGED,
        "environment": environment,
        "raw": shown(answer),
    }


def shown(answer: dict[str, Any]) -> dict[str, Any]:
    """A body without addresses of pictures, and without names of people who were found."""
    # The core takes demographics out, unless they are to be kept.
    told: dict[str, Any] = without_private(
        answer, demographic_keys=PERSONAL_KEYS, media_keys=MEDIA_KEYS
    )
    return told


def score_of(block: dict[str, Any], warnings: Iterable[ResultWarning], scale: str) -> Score | None:
    """The score; None without a face, where Didit says null if it keeps the call and else 0."""
    value = percentage_or_none(block["score"], "score")
    if value is None or any(warning.code is WarningCode.NO_FACE for warning in warnings):
        return None
    return Score(value, scale)


def warnings_of(block: dict[str, Any], faces: Mapping[str, Faces]) -> tuple[ResultWarning, ...]:
    """Didit's warnings in their order, then ours about faces, if Didit has none about them."""
    told = [_warning(item) for item in a_list(block["warnings"], "warnings")]
    if all(warning.code is not WarningCode.MULTIPLE_FACES for warning in told):
        told += _crowds(faces)
    return tuple(told)


def _warning(item: object) -> ResultWarning:
    warning = an_object(item, "a warning")
    tag = a_text(warning["risk"], "risk")
    weight = text_or_none(warning.get("log_type"), "log_type")
    return ResultWarning(
        code=WARNING_CODES.get(tag, WarningCode.OTHER),
        severity=SEVERITIES.get(weight or "", Severity.UNKNOWN),
        tag=tag,
        text=text_or_none(warning.get("long_description"), "long_description")
        or text_or_none(warning.get("short_description"), "short_description"),
    )


def _crowds(faces: Mapping[str, Faces]) -> Iterator[ResultWarning]:
    # Face match sends no warning of its own about them.
    for picture, found in faces.items():
        if found is not None and len(found) > 1:
            yield ResultWarning(
                code=WarningCode.MULTIPLE_FACES,
                severity=Severity.WARNING,
                text=f"The {picture} shows {len(found)} faces; Didit takes the largest.",
            )


def with_missing_score(
    block: dict[str, Any], warnings: tuple[ResultWarning, ...]
) -> tuple[ResultWarning, ...]:
    """`warnings`, and one of ours if a pass comes without the score that would bear it out."""
    if block["status"] != APPROVED or block["score"] is not None:
        return warnings
    missing = ResultWarning(
        code=WarningCode.SCORE_UNAVAILABLE,
        severity=Severity.ERROR,
        text="Didit approved without a score.",
    )
    return (*warnings, missing)
