"""Sessions, for people and for programs; and what `decision` ends with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from facematch_core import (
    Environment,
    LivenessResult,
    MatchResult,
    ResultWarning,
)
from facematch_didit.account import Media, Review, SessionDecision, SessionRow, SessionStatus
from facematch_didit.lookups import AgeResult

from ._printing import NOTHING, counted, iso, moment, say, table

#: What `facematch -h` says of these codes: a pass; a no; a person should look.
PASS, NO, LOOK = 0, 1, 3

#: Status of a session to exit code; every other is LOOK.
_STATUS_CODES = {SessionStatus.APPROVED: PASS, SessionStatus.DECLINED: NO}

#: Decision of a result to exit code; every other is LOOK. No age and no search lets anybody in.
_RESULT_CODES = {"match": PASS, "live": PASS, "no_match": NO, "not_live": NO}

_UNREAL = {
    Environment.MOCK: ", from a mock: not real",
    Environment.SANDBOX: ", from a sandbox: not real",
}


def ending(session: SessionDecision) -> int:
    """The exit code: 0 only if the session is approved, has results, and each is a pass."""
    codes = [_STATUS_CODES.get(session.status, LOOK)]
    if codes == [PASS]:
        results = [_RESULT_CODES.get(result.decision.value, LOOK) for result in session.results]
        codes += results or [LOOK]
    return next((code for code in (NO, LOOK) if code in codes), PASS)


def show_rows(rows: Sequence[SessionRow], *, more: bool) -> None:
    """A table, and whether it is all."""
    cells = [
        (
            row.session_id,
            row.vendor_status,
            ", ".join(feature for feature, _ in row.features) or NOTHING,
            row.caller_ref,
            moment(row.created_at),
        )
        for row in rows
    ]
    if not rows:
        say("No session fits.")
        return
    table(("session", "status", "features", "caller ref", "created (UTC)"), cells, whole="session")
    if more:
        say(f"{counted(len(rows), 'session')}, and there are more: see --limit.", err=True)


def rows_document(rows: Sequence[SessionRow], *, more: bool) -> dict[str, Any]:
    """The JSON form; whether there are more than these."""
    sessions = [
        {
            "session_id": row.session_id,
            "session_number": row.session_number,
            "kind": row.kind,
            "status": row.status.value,
            "vendor_status": row.vendor_status,
            "caller_ref": row.caller_ref,
            "features": [{"feature": name, "status": status} for name, status in row.features],
            "created_at": iso(row.created_at),
        }
        for row in rows
    ]
    return {"sessions": sessions, "more": more}


def show_decision(session: SessionDecision, *, show_media: bool) -> None:
    """A session as lines."""
    number = "" if session.session_number is None else f" (number {session.session_number})"
    unreal = "" if session.environment is None else _UNREAL.get(session.environment, "")
    say(f"{session.vendor_status.upper()}  session {session.session_id}{number}{unreal}")
    for line in _details(session, show_media=show_media):
        say(f"  {line}")


def _details(session: SessionDecision, *, show_media: bool) -> Iterator[str]:
    if session.created_at is not None:
        yield f"created {moment(session.created_at)} UTC"
    for result in session.results:
        yield from _result_lines(result)
    if not session.results:
        told = ", ".join(session.features) or "nothing that is told"
        yield f"no face match and no liveness check in it ({told})"
    if session.caller_ref is not None:
        yield f"caller ref: {session.caller_ref}"
    if session.metadata:
        yield f"metadata: {json.dumps(session.metadata, ensure_ascii=False)}"
    yield from _media_lines(session.media, shown=show_media)
    for review in session.reviews:
        yield f"review: {review_line(review)}"
    if session.is_open:
        yield "somebody is still to decide: --wait SECONDS asks until then"


def _media_lines(media: Sequence[Media], *, shown: bool) -> Iterator[str]:
    if shown:
        yield from (f"{picture.name}: {picture.address.reveal()}" for picture in media)
    elif media:
        names = ", ".join(picture.name for picture in media)
        yield f"pictures are kept: {names} (--show-media prints their addresses)"


_WHAT = {MatchResult: "face match", LivenessResult: "liveness", AgeResult: "estimation of age"}


def _result_lines(result: MatchResult | LivenessResult | AgeResult) -> Iterator[str]:
    what = _WHAT[type(result)]
    score = "no score" if result.score is None else f"score {result.score.value:.10g}"
    scale = "" if result.score is None else f" ({result.score.scale})"
    yield f"{what}: {result.decision.value.replace('_', ' ')}, {score}{scale}"
    if isinstance(result, AgeResult) and result.age is not None:
        yield f"  age: {result.age:.10g}, against a minimum that is not told"
    for warning in result.warnings:
        yield f"  warning: {_warning(warning)}"


def _warning(warning: ResultWarning) -> str:
    text = warning.text or warning.tag or warning.code.value.replace("_", " ")
    tag = f" [{warning.tag}]" if warning.tag and warning.tag != text else ""
    return f"{text.rstrip('.')}.{tag}"


def review_line(review: Review) -> str:
    """Who noted what, and when."""
    status = "" if review.new_status is None else f" set {review.new_status}"
    comment = "" if review.comment is None else f": {review.comment}"
    return f"{moment(review.created_at)} UTC, {review.user or 'somebody'}{status}{comment}"


def review_document(review: Review) -> dict[str, Any]:
    """The JSON form."""
    return {
        "user": review.user,
        "new_status": review.new_status,
        "comment": review.comment,
        "created_at": iso(review.created_at),
    }


def decision_document(session: SessionDecision, *, show_media: bool) -> dict[str, Any]:
    """The JSON form; addresses of pictures only if they are asked for."""
    return {
        "session_id": session.session_id,
        "session_number": session.session_number,
        "status": session.status.value,
        "vendor_status": session.vendor_status,
        "is_open": session.is_open,
        "environment": None if session.environment is None else session.environment.value,
        "workflow_id": session.workflow_id,
        "caller_ref": session.caller_ref,
        "metadata": None if session.metadata is None else dict(session.metadata),
        "features": [*session.features],
        "created_at": iso(session.created_at),
        "expires_at": iso(session.expires_at),
        "results": [result.to_dict() for result in session.results],
        "media": [_media(picture, show_media=show_media) for picture in session.media],
        "reviews": [review_document(review) for review in session.reviews],
    }


def _media(picture: Media, *, show_media: bool) -> dict[str, Any]:
    shown = {"address": picture.address.reveal()} if show_media else {}
    return {"name": picture.name, "node_id": picture.node_id, **shown}
