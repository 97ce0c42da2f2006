"""The command `facematch didit`: credit, and the sessions that Didit keeps."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

from facematch_core import ConfigurationError, MatchResult, Secret
from facematch_core.cli.options import (
    Target,
    config_option,
    join_options,
    json_option,
    profile_option,
)
from facematch_core.cli.text import (
    DECISIONS,
    Exit,
    confirm,
    format_number,
    print_json,
    say,
    warning_text,
)

if TYPE_CHECKING:
    from .account import DiditAccount, SessionDecision

NAME = "didit"

#: Where the backend takes its key from, too.
KEY_VARIABLE = "DIDIT_API_KEY"

#: Whose account is asked, and where: the arguments of `open_account`.
place_options = join_options(
    profile_option,
    config_option,
    click.option("--base-url", metavar="URL", help="Ask there instead of Didit: a mock, say."),
    click.option(
        "--allow-base-url", is_flag=True, help="Send the key to a host that is not Didit's."
    ),
)


def find_profile(target: Target) -> str | None:
    """The profile: named, else the default if it is Didit's, else the only one; None if none is."""
    if target.profile is not None or target.file is None:
        return target.profile
    path, default = target.file.path, target.file.default_profile
    names = [
        name
        for name, profile in target.file.profiles.items()
        if getattr(profile, "backend", None) == NAME
    ]
    if default in names:
        return default
    if len(names) > 1:
        raise ConfigurationError(
            f"{path} has several profiles of {NAME}: choose one with --profile "
            f"({', '.join(names)})."
        )
    if not names and target.config is not None:
        raise ConfigurationError(f"{path} has no profile of the backend {NAME}.")
    return names[0] if names else None


@contextlib.contextmanager
def open_account(
    profile: str | None, config: str | None, base_url: str | None, allow_base_url: bool
) -> Iterator[tuple[DiditAccount, str]]:
    """An account, closed at the end; and whose key it is: a wrong account cannot be asked back."""
    from facematch_core.config import plan, unread_file

    from .account import DiditAccount
    from .backend import DiditBackend

    values = {"base_url": base_url, "allow_base_url": allow_base_url or None}
    settings: dict[str, Any] = {name: v for name, v in values.items() if v is not None}
    target = Target(profile=profile, config=config)
    name = find_profile(target)
    if name is None:
        if not os.environ.get(KEY_VARIABLE):
            raise ConfigurationError(
                f"There is no key: set the environment variable {KEY_VARIABLE}, or name a "
                f"--profile of the backend {NAME}.{unread_file()}"
            )
        key = Secret.from_environment(KEY_VARIABLE)
        with DiditAccount(api_key=key, **settings) as account:
            yield account, f"the key in ${KEY_VARIABLE}"
        return
    with plan(profile=name, config=config, settings=settings).open() as verifier:
        # A verifier made of verifiers has no backend of its own.
        backend = getattr(verifier, "backend", None)
        if not isinstance(backend, DiditBackend):
            of = "several backends" if backend is None else f"the backend {backend.name}"
            raise ConfigurationError(
                f"The profile {name} is of {of}: name one of the backend {NAME}."
            )
        path = target.file and target.file.path
        with DiditAccount.of(backend) as account:
            yield account, f"the key of the profile {name} in {path}"


@click.group(NAME, short_help="An account at Didit: credit, and the sessions that it keeps.")
def command() -> None:
    """An account at Didit: credit, and the sessions that it keeps.

    \b
    facematch didit balance                    what credit is left
    facematch didit decision SESSION_ID        how a kept call stands

    None of these commands has a price. The key is that of --profile; else of the default profile,
    if it is Didit's, or of the only one that is; else $DIDIT_API_KEY.
    """


#: What is said where nobody can be asked.
NO_TERMINAL = (
    "This asks first, and there is no terminal to ask on: --yes says yes. Nothing was done."
)

yes_option = click.option("--yes", is_flag=True, help="Do not ask first.")


@command.command("balance", short_help="Show the credit.")
@place_options
@json_option
def balance(as_json: bool, **place: Any) -> None:
    """Show the credit of the organization that the key belongs to, in US dollars."""
    with open_account(**place) as (account, _):
        credit = account.balance()
    names = ("amount", "auto_refill_amount", "auto_refill_threshold")
    # As texts, as exact as they came.
    values = {name: getattr(credit, name) for name in names}
    amounts = {name: None if value is None else f"{value:f}" for name, value in values.items()}
    if as_json:
        order = ("amount", "currency", "auto_refill", "auto_refill_amount", "auto_refill_threshold")
        document = {"currency": "USD", "auto_refill": credit.auto_refill, **amounts}
        print_json({name: document[name] for name in order})
        return
    say(f"{amounts['amount']} USD")
    if credit.auto_refill:
        by, below = (f"{amounts[name]} USD" if amounts[name] else "-" for name in names[1:])
        say(f"  refilled by {by} below {below}")
    elif credit.auto_refill is not None:
        say("  not refilled by itself: `facematch didit top-up` makes a payment page")


def _amount(_context: click.Context, _option: click.Parameter, typed: str) -> Decimal:
    try:
        return Decimal(typed)
    except InvalidOperation:
        raise click.UsageError(
            f"AMOUNT is in US dollars, as 50 or 75.50, not {typed[:60]!r}."
        ) from None


@command.command("top-up", short_help="Have a payment page made.")
@click.argument("amount", callback=_amount)
@click.option("--success-url", metavar="URL", help="Where the page leads after the payment.")
@click.option("--cancel-url", metavar="URL", help="Where it leads if nothing is paid.")
@yes_option
@place_options
@json_option
def top_up(
    amount: Decimal,
    success_url: str | None,
    cancel_url: str | None,
    yes: bool,
    as_json: bool,
    **place: Any,
) -> None:
    """Have a page made on which somebody can pay AMOUNT US dollars, at least 50.

    Nothing is paid, and the balance stays, until somebody pays there. The page's address is
    printed: it shows whose account it is.
    """
    with open_account(**place) as (account, key):
        question = f"Have a payment page for {amount:f} USD made, with {key}?"
        confirm(question, yes=yes, refusal=NO_TERMINAL)
        page = account.top_up(amount, success_url=success_url, cancel_url=cancel_url)
    if as_json:
        print_json({"checkout_id": page.checkout_id, "page": page.page.reveal()})
        return
    say(page.page.reveal())
    say("Nothing is paid until somebody pays there; `facematch didit balance` shows it.", err=True)


@command.command("decision", short_help="Show a session and its results.")
@click.argument("session_id")
@click.option("--show-media", is_flag=True, help="Print the addresses of the pictures.")
@place_options
@json_option
def decision(session_id: str, show_media: bool, as_json: bool, **place: Any) -> int:
    """Show how a session stands, and the results of the calls in it.

    The exit code is 0 only if it is approved and every result in it is a pass; 1 if it is declined
    or a result is not a pass; 3 if somebody is still to look. No review threshold of yours is
    applied: Didit's records do not know it.
    """
    with open_account(**place) as (account, _):
        session = account.decision(session_id)
    if show_media and session.media:
        say("Whoever has these addresses sees the faces, for about an hour.", err=True)
    if as_json:
        print_json(_decision_document(session, show_media=show_media))
        return exit_code(session)
    number = "" if session.session_number is None else f" (number {session.session_number})"
    environment = None if session.environment is None else session.environment.value
    unreal = f", from a {environment}: not real" if environment in ("mock", "sandbox") else ""
    say(f"{session.vendor_status.upper()}  session {session.session_id}{number}{unreal}")
    for line in _details(session, show_media=show_media):
        say(f"  {line}")
    return exit_code(session)


def exit_code(session: SessionDecision) -> Exit:
    """OK only if the session is approved, has results, and each is a pass."""
    codes = [{"approved": Exit.OK, "declined": Exit.NO}.get(session.status.value, Exit.LOOK)]
    if codes == [Exit.OK]:
        results = [DECISIONS[result.decision.value] for result in session.results]
        codes += results or [Exit.LOOK]
    return next((code for code in (Exit.NO, Exit.LOOK) if code in codes), Exit.OK)


def _details(session: SessionDecision, *, show_media: bool) -> Iterator[str]:
    if session.created_at is not None:
        yield f"created {session.created_at:%Y-%m-%d %H:%M:%S} UTC"
    for result in session.results:
        what = "face match" if isinstance(result, MatchResult) else "liveness"
        score = "no score" if result.score is None else f"score {format_number(result.score.value)}"
        scale = "" if result.score is None else f" ({result.score.scale})"
        yield f"{what}: {result.decision.value.replace('_', ' ')}, {score}{scale}"
        for warning in result.warnings:
            yield f"  warning: {warning_text(warning)}"
    if not session.results:
        features = ", ".join(session.features) or "nothing that is named"
        yield f"no face match and no liveness check in it ({features})"
    if session.caller_ref is not None:
        yield f"caller ref: {session.caller_ref}"
    if session.metadata:
        yield f"metadata: {json.dumps(session.metadata, ensure_ascii=False)}"
    if show_media:
        yield from (f"{picture.name}: {picture.address.reveal()}" for picture in session.media)
    elif session.media:
        names = ", ".join(picture.name for picture in session.media)
        yield f"pictures are kept: {names} (--show-media prints their addresses)"
    if session.is_open:
        yield "somebody is still to decide"


def _decision_document(session: SessionDecision, *, show_media: bool) -> dict[str, Any]:
    """The JSON form; addresses of pictures only if they are asked for."""
    media = [{"name": picture.name, "node_id": picture.node_id} for picture in session.media]
    for document, picture in zip(media if show_media else (), session.media, strict=False):
        document["address"] = picture.address.reveal()
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
        "created_at": _iso(session.created_at),
        "expires_at": _iso(session.expires_at),
        "results": [result.to_dict() for result in session.results],
        "media": media,
    }


def _iso(when: datetime | None) -> str | None:
    return None if when is None else when.isoformat()


@command.command("delete", short_help="Delete sessions, their pictures and faces, for good.")
@click.argument("session_ids", metavar="SESSION_ID...", nargs=-1, required=True)
@yes_option
@place_options
@json_option
def delete(session_ids: tuple[str, ...], yes: bool, as_json: bool, **place: Any) -> int:
    """Delete sessions with their pictures and faces.

    There is no undo, and the credit is not given back. What became of each session is shown one by
    one; the exit code is that of the worst. After an error the rest is not tried.
    """
    from .arguments import check_id

    # Each once, and all of them looked at before anything is deleted.
    ids = [*dict.fromkeys(check_id("SESSION_ID", session_id) for session_id in session_ids)]
    sessions = f"session {ids[0]}" if len(ids) == 1 else f"{len(ids)} sessions"
    with open_account(**place) as (account, key):
        question = f"Delete {sessions} with all pictures and faces, for good, with {key}?"
        confirm(question, yes=yes, refusal=NO_TERMINAL)
        outcomes: dict[str, str] = {}
        error: str | None = None
        for session_id in ids:
            outcome, problem = (NOT_TRIED, None) if error else _delete(account, session_id)
            outcomes[session_id] = outcome
            if not as_json:
                say(f"{outcome.replace('_', ' ')}: session {session_id}", err=outcome != DELETED)
            if problem is not None:
                error = problem
                say(f"error: {error}", err=True)
    if as_json:
        rows = [{"session_id": each, "outcome": outcome} for each, outcome in outcomes.items()]
        print_json({"sessions": rows, "error": error})
    return max(_CODES[outcome] for outcome in outcomes.values())


DELETED, NOT_FOUND, NOT_TRIED = "deleted", "not_found", "not_tried"
FAILED, UNKNOWN = "failed", "unknown"

#: What became of a session to exit code.
_CODES = {
    DELETED: Exit.OK,
    **dict.fromkeys((NOT_FOUND, NOT_TRIED, FAILED), Exit.VENDOR),
    UNKNOWN: Exit.UNKNOWN,
}


def _delete(account: DiditAccount, session_id: str) -> tuple[str, str | None]:
    from facematch_core.errors import OutcomeUnknown, SessionNotFound, VendorError

    try:
        account.delete(session_id)
    except SessionNotFound:
        return NOT_FOUND, None
    except OutcomeUnknown as error:
        return UNKNOWN, error.message
    except VendorError as error:
        return FAILED, error.message
    return DELETED, None
