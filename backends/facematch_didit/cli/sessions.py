"""`facematch didit sessions`, `decision`, `update-status`, `reviews`, `add-review`, `delete`."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import click

from facematch_core import (
    Environment,
    LivenessResult,
    MatchResult,
    OutcomeUnknown,
    ResultWarning,
    VendorError,
)
from facematch_didit.account import (
    ApiService,
    DiditAccount,
    Media,
    Node,
    Review,
    SessionDecision,
    SessionKind,
    SessionNotFound,
    SessionRow,
    SessionStatus,
    SessionType,
)
from facematch_didit.arguments import an_id

from . import _common as common
from ._common import NOTHING, Where, counted, document, iso, moment, opened, say, table

# --- sessions -------------------------------------------------------------------------------------


_DAY = click.DateTime(formats=["%Y-%m-%d"])


def _words(kind: Any) -> click.Choice[str]:
    return click.Choice([word.value for word in kind], case_sensitive=False)


def _day(given: dt.datetime | None) -> dt.date | None:
    return None if given is None else given.date()


@click.command("sessions", short_help="List what was kept.")
@click.option(
    "--status",
    type=click.Choice([s.value for s in SessionStatus if s is not SessionStatus.OTHER]),
    multiple=True,
    metavar="WORD",
    help="approved, declined, in_review, ...; repeatable.",
)
@click.option("--caller-ref", metavar="TEXT", help="Exactly what the call sent as its reference.")
@click.option(
    "--service",
    type=_words(ApiService),
    metavar="WORD",
    help="Which call made it: face_match, passive_liveness, ...",
)
@click.option("--from", "date_from", type=_DAY, metavar="DAY", help="First day, 2026-07-31, UTC.")
@click.option("--to", "date_to", type=_DAY, metavar="DAY", help="Last day, included, UTC.")
@click.option("--warning", metavar="TAG", multiple=True, help="Didit's tag; repeatable.")
@click.option("--search", metavar="TEXT", help="Didit's free search.")
@click.option("--kind", type=_words(SessionKind), help="user unless said otherwise.")
@click.option("--type", "session_type", type=_words(SessionType), help="How it began.")
@click.option("--workflow-id", metavar="UUID", help="Of a hosted workflow.")
@click.option("--country", metavar="CODE", help="Didit's word for it.")
@click.option("--document-type", metavar="WORD", help="Didit's word for it.")
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", default=20, help="At most so many; 20."
)
@common.where
@common.as_json
def sessions(limit: int, as_json: bool, **given: Any) -> None:
    """List the sessions that fit, newest first.

    A call is kept as a session if it was asked to be (`facematch verify --keep`).
    """
    names = ("profile", "config", "base_url", "allow_base_url")
    where = Where(**{name: given.pop(name) for name in names})
    filters = _filters(given)
    with opened(where) as account:
        # One more shows whether there are more.
        found = account.sessions(**filters, page_size=min(limit + 1, 50))
        rows = [*itertools.islice(found, limit + 1)]
    more = len(rows) > limit
    if as_json:
        document(rows_document(rows[:limit], more=more))
    else:
        show_rows(rows[:limit], more=more)


def _filters(given: dict[str, Any]) -> dict[str, Any]:
    kinds = {"kind": SessionKind, "session_type": SessionType}
    words = {name: kind(given[name]) if given[name] else None for name, kind in kinds.items()}
    service = given.pop("service")
    return {
        **given,
        **words,
        "status": [SessionStatus(word) for word in given["status"]] or None,
        "warning": given["warning"] or None,
        "api_service": ApiService(service) if service else None,
        "date_from": _day(given["date_from"]),
        "date_to": _day(given["date_to"]),
    }


# --- decision -------------------------------------------------------------------------------------


@click.command("decision", short_help="Show a session and its results; or wait for its review.")
@common.session_id
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="As long as somebody is still to decide, ask again for so long.",
)
@click.option("--show-media", is_flag=True, help="Print the addresses of the pictures.")
@common.where
@common.as_json
def decision(
    session_id: str, wait_s: float | None, show_media: bool, as_json: bool, **where: Any
) -> int:
    """Show how a session stands, and the results of the calls in it.

    The exit code is 0 only if it is approved and every result in it is a pass; 1 if it is declined
    or a result is not a pass; 3 if somebody is still to look, and for a session without a result.
    No review threshold of yours is applied: Didit's records do not know it.
    """
    with opened(Where(**where)) as account:
        if wait_s is None:
            session = account.decision(session_id)
        else:
            session = account.wait_for_review(session_id, timeout_s=wait_s)
    if show_media and session.media:
        say("Whoever has these addresses sees the faces, for about an hour.", err=True)
    if as_json:
        document(decision_document(session, show_media=show_media))
    else:
        show_decision(session, show_media=show_media)
    return ending(session)


# --- update-status --------------------------------------------------------------------------------


#: What Didit sets.
_NEW = ("approved", "declined", "resubmitted")


def _nodes(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> tuple[Node, ...]:
    nodes = []
    for word in given:
        node_id, equals, feature = word.partition("=")
        if not (node_id and equals and feature):
            raise click.UsageError(f"--node is NODE_ID=FEATURE, not {word[:60]!r}.")
        nodes.append(Node(node_id=node_id, feature=feature))
    return tuple(nodes)


@click.command("update-status", short_help="Approve, decline or send back a session.")
@common.session_id
@click.argument("status", type=click.Choice(_NEW))
@click.option("--comment", metavar="TEXT", help="Kept with the review.")
@click.option(
    "--node",
    "nodes",
    multiple=True,
    callback=_nodes,
    metavar="NODE_ID=FEATURE",
    help="With resubmitted: what is to be done again; repeatable.",
)
@click.option("--email", metavar="ADDRESS", help="Have Didit write to the person.")
@click.option("--email-language", metavar="CODE", help="In which language.")
@common.yes
@common.where
@common.as_json
def update_status(
    *,
    session_id: str,
    status: str,
    comment: str | None,
    nodes: tuple[Node, ...],
    email: str | None,
    email_language: str | None,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Decide about a session, as a person would in Didit's console.

    Didit notes it as a review, and sends webhooks. Doing it a second time is refused.
    """
    if email_language is not None and email is None:
        raise click.UsageError("--email-language goes with --email.")
    place = Where(**where)
    with opened(place) as account:
        writing = "" if email is None else f", have Didit write to {email}"
        common.confirm(
            f"Set session {session_id} to {status}{writing}, with {place.key_from()}?", yes=yes
        )
        account.update_status(
            session_id,
            SessionStatus(status),
            comment=comment,
            nodes_to_resubmit=nodes,
            send_email=email is not None,
            email_address=email,
            email_language=email_language,
        )
    if as_json:
        document({"session_id": session_id, "status": status})
        return
    say(f"session {session_id} is {status} now")


# --- reviews, add-review --------------------------------------------------------------------------


@click.command("reviews", short_help="List the notes about a session.")
@common.session_id
@common.where
@common.as_json
def reviews(session_id: str, as_json: bool, **where: Any) -> None:
    """List what people and programs noted about a session."""
    with opened(Where(**where)) as account:
        reviews = [*account.reviews(session_id)]
    if as_json:
        document({"reviews": [review_document(review) for review in reviews]})
        return
    for review in reviews:
        say(review_line(review))
    if not reviews:
        say("Nothing was noted.")


@click.command("add-review", short_help="Note something about a session.")
@common.session_id
@click.argument("comment")
@common.where
@common.as_json
def add_review(session_id: str, comment: str, as_json: bool, **where: Any) -> None:
    """Note COMMENT about a session. Its status stays: `update-status` changes that."""
    with opened(Where(**where)) as account:
        review = account.add_review(session_id, comment)
    if as_json:
        document(review_document(review))
        return
    say("Noted.")


# --- delete ---------------------------------------------------------------------------------------


@click.command("delete", short_help="Delete sessions, their pictures and faces, for good.")
@click.argument("session_ids", metavar="[SESSION_ID]...", nargs=-1)
@click.option(
    "--number",
    "numbers",
    type=click.IntRange(0),
    multiple=True,
    metavar="NUMBER",
    help="Instead: by its number; repeatable. Unknown numbers are skipped.",
)
@common.yes
@common.where
@common.as_json
def delete(
    session_ids: tuple[str, ...],
    numbers: tuple[int, ...],
    yes: bool,
    as_json: bool,
    **where: Any,
) -> int:
    """Delete sessions with their pictures and faces.

    There is no undo, and the credit is not given back. What became of each session is shown one by
    one; the exit code is that of the worst. After an error the rest is not tried. Didit can also
    delete everything at once; that is not offered here.
    """
    if bool(session_ids) == bool(numbers):
        raise click.UsageError("Name sessions, by SESSION_ID or by --number, and not by both.")
    ids = checked(session_ids)
    place = Where(**where)
    named = [*ids, *(f"number {number}" for number in numbers)]
    told = f"session {named[0]}" if len(named) == 1 else counted(len(named), "session")
    with opened(place) as account:
        common.confirm(
            f"Delete {told} with all pictures and faces, for good, with {place.key_from()}?",
            yes=yes,
        )
        if numbers:
            account.delete_many(numbers)
        fates = delete_each(account, ids, tell=not as_json)
    if as_json:
        document(
            {
                "sessions": [{"session_id": one.session_id, "outcome": one.word} for one in fates],
                "session_numbers": [*numbers],
                "error": next((one.error for one in fates if one.error is not None), None),
            }
        )
    elif numbers:
        say(f"deleted, as far as there were any: {', '.join(map(str, numbers))}")
    return _worst(fates)


DELETED, NOT_FOUND, NOT_TRIED = "deleted", "not_found", "not_tried"
FAILED, UNKNOWN = "failed", "unknown"

#: What became of a session to exit code, as `facematch -h` says of these codes.
_CODES = {DELETED: 0, NOT_FOUND: 5, NOT_TRIED: 5, FAILED: 5, UNKNOWN: 6}


@attrs.frozen
class Fate:
    """What became of one session.

    Attributes:
        session_id: Which one.
        word: One of those above.
        error: Why, for people, if it failed or is not known.
    """

    session_id: str
    word: str
    error: str | None = None


def checked(session_ids: Iterable[str]) -> list[str]:
    """Each id once; `InvalidRequest` for one that is none, before anything is deleted."""
    return [*dict.fromkeys(an_id("SESSION_ID", session_id) for session_id in session_ids)]


def delete_each(account: DiditAccount, session_ids: Sequence[str], *, tell: bool) -> list[Fate]:
    """Delete one after the other, and tell each at once; after an error the rest is not tried."""
    fates: list[Fate] = []
    for session_id in session_ids:
        stopped = any(fate.error is not None for fate in fates)
        fate = Fate(session_id, NOT_TRIED) if stopped else _deleted(account, session_id)
        fates.append(fate)
        if tell:
            good = fate.word == DELETED
            say(f"{fate.word.replace('_', ' ')}: session {session_id}", err=not good)
        if fate.error is not None:
            say(f"error: {fate.error}", err=True)
    return fates


def _worst(fates: Iterable[Fate]) -> int:
    """The exit code: that of the worst."""
    return max((_CODES[fate.word] for fate in fates), default=0)


def _deleted(account: DiditAccount, session_id: str) -> Fate:
    try:
        account.delete(session_id)
    except SessionNotFound:
        return Fate(session_id, NOT_FOUND)
    except OutcomeUnknown as error:
        return Fate(session_id, UNKNOWN, error.message)
    except VendorError as error:
        return Fate(session_id, FAILED, error.message)
    return Fate(session_id, DELETED)


# --- How sessions read, for people and for programs; and what `decision` ends with ----------------


#: What `facematch -h` says of these codes: a pass; a no; a person should look.
PASS, NO, LOOK = 0, 1, 3

#: Status of a session to exit code; every other is LOOK.
_STATUS_CODES = {SessionStatus.APPROVED: PASS, SessionStatus.DECLINED: NO}

#: Decision of a result to exit code; every other is LOOK.
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
        told = ", ".join(session.features) or "nothing that is named"
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


def _result_lines(result: MatchResult | LivenessResult) -> Iterator[str]:
    what = "face match" if isinstance(result, MatchResult) else "liveness"
    score = "no score" if result.score is None else f"score {result.score.value:.10g}"
    scale = "" if result.score is None else f" ({result.score.scale})"
    yield f"{what}: {result.decision.value.replace('_', ' ')}, {score}{scale}"
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
