"""`facematch session`: let the vendor's own page look at a person, and read what it says."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.base.deadline import Deadline
from facematch_core.base.files import OWNER_ONLY, named, read_regular
from facematch_core.errors import (
    InvalidRequest,
    OutcomeUnknown,
    RateLimited,
    VendorError,
    VendorUnavailable,
)

from . import options
from .files import check_target, make_folder, write_bytes
from .text import DECISIONS, Exit, clean, print_json, say

if TYPE_CHECKING:
    from facematch_core.backend.session_types import SessionRecord, SessionResult
    from facematch_core.base.clock import Clock
    from facematch_core.sessions.sessions import Sessions

#: Seconds since the start in which a verdict counts, for the exit code.
MAX_AGE_S = 3600.0

#: Longer than any record.
MAX_RECORD_BYTES = 1 << 16

#: The words for each state.
STATES: dict[str, str] = {
    "pending": "somebody is still to go through it",
    "processing": "the vendor is still reviewing it",
    "decided": "decided",
    "expired": "it expired",
    "abandoned": "the person left",
    "canceled": "it was canceled",
    "failed": "it broke off, and nobody was judged",
    "gone": "the vendor has no result any more; whether somebody passed is not known",
    "unknown": "in a state that this version does not know",
}

#: In which a verdict may still come.
OPEN = ("pending", "processing", "unknown")

#: How a session is found again: the arguments of `_open_record`.
_record_options = options.join_options(
    options.profile_option,
    options.config_option,
    options.file_option(
        "--record",
        "The session's record: keep it, everything else needs it.",
        to="path",
        required=True,
    ),
)
_show_option = click.option(
    "--show-link",
    is_flag=True,
    help="Show link and token, which are keys, in --json or a pipe too.",
)


@click.group("session")
def command() -> None:
    """A session: the vendor's own page looks at the person, and the verdict is read here.

    \b
    facematch session start --profile mine --subject customer-17 --purpose signup --record s.json
    facematch session read --record s.json
    facematch session read --record s.json --way-in   the link again

    The record says who is to be verified, and for what. `read` ends with 0 only if that person was
    verified for that; 1 if not, or if the session is over without a verdict (expired, abandoned,
    canceled, failed, gone); 3 while nothing is decided, and for a review: `state` in --json says
    which.
    """


@command.command("start")
@options.backend_option
@_record_options
@click.option("--subject", required=True, metavar="TEXT", help="Who is to be verified: your id.")
@click.option("--purpose", required=True, metavar="TEXT", help="What for, such as payout.")
@click.option(
    "--expects",
    multiple=True,
    type=click.Choice(["match", "liveness"]),
    default=("match", "liveness"),
    help="What must be reported and passed; both if left out. May be repeated.",
)
@click.option(
    "--compared-with",
    type=click.Choice(["given", "document", "stored"]),
    default="given",
    help="With which picture the face must be compared: that of --reference if left out.",
)
@click.option("--reference", metavar="IMAGE", help="The face to compare with.")
@options.vendor_option
@options.json_option
@_show_option
def start(path: Path, subject: str, purpose: str, reference: str | None, **arguments: Any) -> int:
    """Start a session, and print where the person goes.

    The record is written before anything is sent. Run it again with the same --record if the answer
    was lost.
    """
    from facematch_core.images.image import Image

    expected = {"expects": arguments["expects"], "compared_with": arguments["compared_with"]}
    with _open(options.Target.of(arguments), **expected) as sessions:
        if path.exists():
            record = _read_record(path)
            if (record.subject_ref, record.purpose, record.about) != (subject, purpose, None):
                raise click.UsageError(
                    f"{path} is the record of something else: name another --record."
                )
            if record.session_id is not None:
                raise click.UsageError(
                    f"{path} has been started: `facematch session read --way-in` gives its link "
                    "again."
                )
        else:
            check_target("--record", path, force=False)
            record = sessions.plan(subject, purpose=purpose)
            _make_record(path, record)
        backend = sessions.verifier.backend
        can = backend.session_capabilities
        result = sessions.start(
            record,
            reference=None if reference is None else Image.read(reference),
            options=options.read_vendor_options(
                backend, None if can is None else can.options, arguments["vendor"]
            ),
        )
        try:
            with contextlib.suppress(FileNotFoundError, InvalidRequest):
                # What is no record any more is replaced; what cannot be read may be another's.
                there = _parse_record(path, read_regular(path, MAX_RECORD_BYTES))
                if there.session_id not in (None, result.record.session_id):
                    raise FileExistsError(
                        errno.EEXIST, "Another start's record is there", str(path)
                    )
            write_bytes(path, _record_bytes(result.record), private=True)
        except OSError:
            # It may cost, and without its id nobody can read it, or delete the face.
            say("The session has been started. Its record, to be kept elsewhere:", err=True)
            click.echo(json.dumps(result.record.to_dict()), err=True)
            raise
        way_in = _lay_open(result, arguments)
        if arguments["as_json"]:
            print_json({**result.to_dict(), "way_in": way_in})
    return Exit.OK


def _lay_open(result: SessionResult, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The way in as JSON, without the keys unless they were asked for; people are shown it."""
    way_in, may_show, as_json = result.way_in, arguments["show_link"], arguments["as_json"]
    if way_in is None:
        if not as_json:
            say(f"{STATES[result.state.value]}, and nobody can go into it: read it.")
        return None
    keys = {"link": way_in.link, "token": way_in.token}
    texts = {name: secret.reveal() for name, secret in keys.items() if secret is not None}
    if not as_json and (may_show or os.isatty(1)):
        for name, text in {**texts, **way_in.page}.items():
            click.echo(f"{clean(name)}: {clean(text)}")
        if way_in.expires_at is not None:
            say(f"until {way_in.expires_at:%Y-%m-%d %H:%M} UTC")
    elif not as_json:
        say(
            "The session is open. Link and token are keys, so only a terminal shows them: here "
            "`facematch session read --way-in --show-link` does, with this --record."
        )
    shown = texts if may_show else dict.fromkeys(texts)
    expires = way_in.expires_at and way_in.expires_at.isoformat()
    return {**shown, "page": {**way_in.page}, "expires_at": expires}


@command.command("read")
@_record_options
@options.file_option(
    "--portrait", "Write a picture of the person to this new file, if the face is live."
)
@click.option("--way-in", is_flag=True, help="Show where the person goes, for one who comes back.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0, min_open=True),
    is_flag=False,
    flag_value=600.0,
    metavar="[SECONDS]",
    help="Read until there is a verdict; for 600 seconds if no number follows.",
)
@options.json_option
@_show_option
def read(
    path: Path, portrait: Path | None, way_in: bool, wait_s: float | None, **arguments: Any
) -> int:
    """Read how far a session has come, and its verdict. Charges nothing."""
    if portrait is not None:
        check_target("--portrait", portrait, force=False)
    sessions, record = _open_record(path, arguments)
    with sessions:
        look = functools.partial(
            sessions.read, record, with_portrait=portrait is not None, with_way_in=way_in
        )
        result = look() if wait_s is None else _wait(look, sessions.clock, wait_s)
    if portrait is not None and result.portrait is not None:
        write_bytes(portrait, result.portrait.data, private=True)
    reasons = result.why_not(
        record.subject_ref, purpose=record.purpose, about=record.about, max_age_s=MAX_AGE_S
    )
    if not arguments["as_json"]:
        _show_result(result, reasons, portrait)
    way = {"way_in": _lay_open(result, arguments)} if way_in else {}
    if arguments["as_json"]:
        print_json({**result.to_dict(), "is_verified": not reasons, **way})
    if not reasons:
        return Exit.OK
    if result.state != "decided":
        return Exit.LOOK if result.state in OPEN else Exit.NO
    codes = {DECISIONS[part.decision.value] for part in (result.match, result.liveness)}
    return Exit.NO if Exit.NO in codes else Exit.LOOK


def _show_result(result: SessionResult, reasons: tuple[str, ...], portrait: Path | None) -> None:
    from ._results import warning_words

    say(f"{'not verified' if reasons else 'verified'}: {STATES[result.state.value]}")
    for name, part in (("match", result.match), ("live face", result.liveness)):
        say(f"  {name}: {part}")
    for reason in reasons:
        say(f"  no: {reason}")
    if result.compared_with is not None:
        say(f"  compared with: {result.compared_with}")
    for warning in (*result.match.warnings, *result.liveness.warnings, *result.warnings):
        say(f"  {warning_words(warning)}")
    if portrait is not None:
        written = f"portrait: written to {portrait}, a face: delete it when you are done"
        say(f"  {written if result.portrait else 'no portrait: none of a live face came'}")


@command.command("delete")
@_record_options
@options.json_option
def delete(path: Path, **arguments: Any) -> int:
    """Delete a session at the vendor. The record stays: it says what was deleted."""
    sessions, record = _open_record(path, arguments)
    with sessions:
        deletion = sessions.delete(record)
    if arguments["as_json"]:
        print_json({"state": deletion.state, "face_kept": deletion.face_kept})
        return Exit.OK
    say(deletion.state.value.replace("_", " "))
    verb = {True: "keeps the face", False: "keeps no face", None: "does not say if it keeps a face"}
    say(f"  {record.backend} {verb[deletion.face_kept]}")
    return Exit.OK


def _open(target: options.Target, **expected: Any) -> Sessions:
    """What starts and reads sessions, after stderr has shown who else gets the faces."""
    from facematch_core.config.opening import open_sessions

    target.announce_plan()
    profile = target.profile_name()
    if profile is None:
        return open_sessions(target.backend or options.FALLBACK, **expected)
    return open_sessions(profile=profile, config=target.config, **expected)


def _open_record(path: Path, arguments: Mapping[str, Any]) -> tuple[Sessions, SessionRecord]:
    """The record in a file, and what it was started by, unless a profile is named."""
    record = _read_record(path)
    profile, config = arguments["profile"] or record.profile, arguments["config"]
    backend = record.backend if profile is None and config is None else None
    compared_with = record.compared_with or "given"
    sessions = _open(
        options.Target(backend, profile, config),
        expects=record.expects,
        compared_with=compared_with,
    )
    return sessions, record


def _read_record(path: Path) -> SessionRecord:
    try:
        return _parse_record(path, read_regular(path, MAX_RECORD_BYTES))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequest(f"The record {path} cannot be read: {reason}.") from None


def _parse_record(path: Path, content: bytes) -> SessionRecord:
    from facematch_core.backend.session_types import SessionRecord

    try:
        return SessionRecord.from_dict(json.loads(content))
    except (ValueError, RecursionError) as error:
        # What json says of a file quotes it; a file of brackets alone is too deep for it.
        is_json = not isinstance(error, (json.JSONDecodeError, RecursionError))
        reason = str(error) if is_json else "it is not JSON."
        raise InvalidRequest(f"{path} is no record of a session: {reason}") from None


def _make_record(path: Path, record: SessionRecord) -> None:
    """Write a first record. Of two starts at once one has the file: no session is without one."""
    make_folder(path)
    with named(path):
        place = os.path.realpath(path)  # of a link that leads nowhere its target is made
        try:
            new = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        except FileExistsError:
            raise click.UsageError(
                f"Another start has just made {path}: nothing was sent."
            ) from None
        try:
            # By its descriptor: the name could be another file's meanwhile.
            with os.fdopen(new, "wb") as file:
                file.write(_record_bytes(record))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            Path(place).unlink(missing_ok=True)
            raise


def _record_bytes(record: SessionRecord) -> bytes:
    return (json.dumps(record.to_dict(), indent=2) + "\n").encode()


def _wait(look: Callable[..., SessionResult], clock: Clock, for_s: float) -> SessionResult:
    """Read until nothing more comes by itself or the time is over, and say each new state."""
    deadline, pause_s, shown = Deadline.after(for_s, clock), 2.0, ""
    while True:
        failure: VendorError | None = None
        least_s = 0.0
        try:
            result = look(deadline_s=max(1.0, deadline.left_s()))
        except (RateLimited, VendorUnavailable, OutcomeUnknown) as error:
            failure, least_s = error, error.retry_after_s or 0.0
        else:
            if result.state.value != shown:
                shown = result.state.value
                say(f"{STATES[shown]} ...", err=True)
            if result.read_again_s is None:
                return result
        left_s = deadline.left_s()
        if left_s <= least_s:
            if failure is not None:
                raise failure
            return result
        # The last reading is at the end of the time, if the vendor may be asked by then.
        clock.sleep(min(max(least_s, pause_s), left_s))
        pause_s = min(1.5 * pause_s, 10.0)
