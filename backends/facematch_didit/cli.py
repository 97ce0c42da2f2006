"""The command `facematch didit`: credit, and the sessions that Didit keeps, from the command line.

What an account brings is imported when a command is run: lists and completion load this module.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from facematch_core import ConfigurationError, MatchResult, Secret

if TYPE_CHECKING:
    from facematch_core import ResultWarning

    from .account import Balance, DiditAccount, Media, SessionDecision
    from .records import SessionResult

NAME = "didit"

# --- Text for people, JSON for programs -----------------------------------------------------------


NOTHING = "-"


def clean(text: object) -> str:
    """`text` without what could steer a terminal: a vendor's texts are not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def say(text: object, *, err: bool = False) -> None:
    """Print one line."""
    click.echo(clean(text), err=err)


def document(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2))


def iso(when: datetime | None) -> str | None:
    """A time for JSON."""
    return None if when is None else when.isoformat()


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so, or `yes` does.

    Raises:
        click.Abort: nobody wants it.
        click.UsageError: there is nobody.
    """
    if yes:
        return
    if not is_terminal():
        raise click.UsageError(
            "This asks first, and there is no terminal to ask on: --yes says yes. Nothing was done."
        )
    if not click.confirm(question, err=True):
        raise click.Abort


def is_terminal() -> bool:
    """Whether somebody can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


# --- Whose account is asked -----------------------------------------------------------------------
#
# Profiles lie in the same places as for every command of `facematch`
# (docs/reference/configuration.md); what is read here is only which there are. Opening one, and
# every complaint about the file, is the core's.


#: Where the backend takes its key from, too.
KEY_VARIABLE = "DIDIT_API_KEY"

NO_KEY = (
    f"There is no key: set the environment variable {KEY_VARIABLE}, or name a --profile of the "
    f"backend {NAME}."
)


@attrs.frozen(kw_only=True)
class Chosen:
    """A profile that is to be opened.

    Attributes:
        config: The file; None for the usual places.
        profile: Its name; None to hear from the core what is wrong with the file.
    """

    config: Path | None
    profile: str | None


def chosen(profile: str | None, config: str | None) -> Chosen | None:
    """The profile to use: named, else the default if it is Didit's, else the only one that is.

    Returns:
        None if no file has one of Didit's: then the key is the environment's.

    Raises:
        ConfigurationError: there are several, or the file that was named has none.
    """
    from facematch_core.config import find_config
    from facematch_core.files import read_toml

    path = find_config(config)
    if profile is not None or path is None:
        return None if profile is None else Chosen(config=path, profile=profile)
    try:
        found = read_toml(path, "configuration file")
    except ConfigurationError:
        return Chosen(config=path, profile=None)
    names = _of_didit(found)
    default = found.get("default_profile")
    if default in names:
        return Chosen(config=path, profile=default)
    if len(names) > 1:
        raise ConfigurationError(
            f"{path} has several profiles of {NAME}: choose one with --profile "
            f"({', '.join(names)})."
        )
    if not names and config is not None:
        raise ConfigurationError(f"{path} has no profile of the backend {NAME}.")
    return Chosen(config=path, profile=names[0]) if names else None


def _of_didit(document: Mapping[str, Any]) -> list[str]:
    profiles = document.get("profiles")
    if not isinstance(profiles, dict):
        return []
    return [
        name
        for name, table in profiles.items()
        if isinstance(table, dict) and table.get("backend") == NAME
    ]


@attrs.frozen(kw_only=True)
class Where:
    """Whose account is asked, and where.

    Attributes:
        profile, config: As for every command.
        base_url, allow_base_url: Over those of the profile, if given.
    """

    profile: str | None = None
    config: str | None = None
    base_url: str | None = None
    allow_base_url: bool = False

    def settings(self) -> dict[str, Any]:
        """What goes over the settings of a profile."""
        given = {"base_url": self.base_url, "allow_base_url": self.allow_base_url or None}
        return {name: value for name, value in given.items() if value is not None}

    def key_from(self) -> str:
        """Whose key it is, for questions: a wrong account cannot be asked back."""
        found = chosen(self.profile, self.config)
        if found is None:
            return f"the key in ${KEY_VARIABLE}"
        return f"the key of the profile {found.profile} in {found.config}"


@contextlib.contextmanager
def opened(where: Where) -> Iterator[DiditAccount]:
    """An account, closed at the end.

    Raises:
        ConfigurationError: there is no key, or a file, a profile or a setting is wrong.
    """
    from .account import DiditAccount
    from .backend import DiditBackend

    found = chosen(where.profile, where.config)
    if found is None:
        if not os.environ.get(KEY_VARIABLE):
            from facematch_core.config import unread_file

            raise ConfigurationError(f"{NO_KEY}{unread_file()}")
        key = Secret.from_environment(KEY_VARIABLE)
        with DiditAccount(api_key=key, **where.settings()) as account:
            yield account
        return
    from facematch_core.config import plan

    planned = plan(profile=found.profile, config=where.config, settings=where.settings())
    with planned.open() as verifier:
        # A verifier made of verifiers has no backend of its own.
        backend = getattr(verifier, "backend", None)
        if not isinstance(backend, DiditBackend):
            of = "several backends" if backend is None else f"the backend {backend.name}"
            raise ConfigurationError(
                f"The profile {found.profile} is of {of}: name one of the backend {NAME}."
            )
        with DiditAccount.of(backend) as account:
            yield account


# --- The group, and options that its commands share -----------------------------------------------


Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")
confirmed = click.option("--yes", is_flag=True, help="Do not ask first.")


def located(command: Command) -> Command:
    """Whose account is asked: arguments of `Where`."""
    for option in (
        click.option(
            "--allow-base-url", is_flag=True, help="Send the key to a host that is not Didit's."
        ),
        click.option("--base-url", metavar="URL", help="Ask there instead of Didit: a mock, say."),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(),
            show_default="the user's own",
            help="The configuration file.",
        ),
        click.option("--profile", metavar="NAME", help="A profile of the configuration."),
    ):
        command = option(command)
    return command


@click.group(NAME, short_help="An account at Didit: credit, and the sessions that it keeps.")
def command() -> None:
    """An account at Didit: credit, and the sessions that it keeps.

    \b
    facematch didit balance                    what credit is left
    facematch didit decision SESSION_ID        how a kept call stands

    None of these commands has a price. The key is that of --profile; else of the default profile,
    if it is Didit's, or of the only one that is; else $DIDIT_API_KEY.
    """


# --- balance, top-up ------------------------------------------------------------------------------


@command.command("balance", short_help="Show the credit.")
@located
@as_json
def balance(as_json: bool, **where: Any) -> None:
    """Show the credit of the organization that the key belongs to, in US dollars."""
    with opened(Where(**where)) as account:
        credit = account.balance()
    if as_json:
        document(_balance_document(credit))
        return
    for line in _balance_lines(credit):
        say(line)


def _balance_lines(credit: Balance) -> Iterator[str]:
    yield f"{credit.amount:f} USD"
    if credit.auto_refill:
        amounts = (credit.auto_refill_amount, credit.auto_refill_threshold)
        by, below = (NOTHING if amount is None else f"{amount:f} USD" for amount in amounts)
        yield f"  refilled by {by} below {below}"
    elif credit.auto_refill is not None:
        yield "  not refilled by itself: `facematch didit top-up` makes a payment page"


def _balance_document(credit: Balance) -> dict[str, Any]:
    """Amounts as texts, as exact as they came."""
    return {
        "amount": _exact(credit.amount),
        "currency": "USD",
        "auto_refill": credit.auto_refill,
        "auto_refill_amount": _exact(credit.auto_refill_amount),
        "auto_refill_threshold": _exact(credit.auto_refill_threshold),
    }


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


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
@confirmed
@located
@as_json
def top_up(
    amount: Decimal,
    success_url: str | None,
    cancel_url: str | None,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Have a page made on which somebody can pay AMOUNT US dollars, at least 50.

    Nothing is paid, and the balance stays, until somebody pays there. The page's address is
    printed: it shows whose account it is.
    """
    place = Where(**where)
    with opened(place) as account:
        confirm(f"Have a payment page for {amount:f} USD made, with {place.key_from()}?", yes=yes)
        page = account.top_up(amount, success_url=success_url, cancel_url=cancel_url)
    if as_json:
        document({"checkout_id": page.checkout_id, "page": page.page.reveal()})
        return
    say(page.page.reveal())
    say("Nothing is paid until somebody pays there; `facematch didit balance` shows it.", err=True)


# --- decision -------------------------------------------------------------------------------------


@command.command("decision", short_help="Show a session and its results.")
@click.argument("session_id")
@click.option("--show-media", is_flag=True, help="Print the addresses of the pictures.")
@located
@as_json
def decision(session_id: str, show_media: bool, as_json: bool, **where: Any) -> int:
    """Show how a session stands, and the results of the calls in it.

    The exit code is 0 only if it is approved and every result in it is a pass; 1 if it is declined
    or a result is not a pass; 3 if somebody is still to look. No review threshold of yours is
    applied: Didit's records do not know it.
    """
    with opened(Where(**where)) as account:
        session = account.decision(session_id)
    if show_media and session.media:
        say("Whoever has these addresses sees the faces, for about an hour.", err=True)
    if as_json:
        document(_decision_document(session, show_media=show_media))
    else:
        _show_decision(session, show_media=show_media)
    return ending(session)


#: What `facematch -h` says of these codes: a pass; a no; a person should look.
PASS, NO, LOOK = 0, 1, 3

#: Status of a session, and decision of a result, to exit code; every other is LOOK.
_STATUS_CODES = {"approved": PASS, "declined": NO}
_RESULT_CODES = {"match": PASS, "live": PASS, "no_match": NO, "not_live": NO}


def ending(session: SessionDecision) -> int:
    """The exit code: 0 only if the session is approved, has results, and each is a pass."""
    codes = [_STATUS_CODES.get(session.status.value, LOOK)]
    if codes == [PASS]:
        results = [_RESULT_CODES.get(result.decision.value, LOOK) for result in session.results]
        codes += results or [LOOK]
    return next((code for code in (NO, LOOK) if code in codes), PASS)


def _show_decision(session: SessionDecision, *, show_media: bool) -> None:
    number = "" if session.session_number is None else f" (number {session.session_number})"
    environment = None if session.environment is None else session.environment.value
    unreal = f", from a {environment}: not real" if environment in ("mock", "sandbox") else ""
    say(f"{session.vendor_status.upper()}  session {session.session_id}{number}{unreal}")
    for line in _details(session, show_media=show_media):
        say(f"  {line}")


def _details(session: SessionDecision, *, show_media: bool) -> Iterator[str]:
    if session.created_at is not None:
        yield f"created {session.created_at:%Y-%m-%d %H:%M:%S} UTC"
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
    if session.is_open:
        yield "somebody is still to decide"


def _result_lines(result: SessionResult) -> Iterator[str]:
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


def _media_lines(media: Sequence[Media], *, shown: bool) -> Iterator[str]:
    if shown:
        yield from (f"{picture.name}: {picture.address.reveal()}" for picture in media)
    elif media:
        names = ", ".join(picture.name for picture in media)
        yield f"pictures are kept: {names} (--show-media prints their addresses)"


def _decision_document(session: SessionDecision, *, show_media: bool) -> dict[str, Any]:
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
    }


def _media(picture: Media, *, show_media: bool) -> dict[str, Any]:
    shown = {"address": picture.address.reveal()} if show_media else {}
    return {"name": picture.name, "node_id": picture.node_id, **shown}


# --- delete ---------------------------------------------------------------------------------------


@command.command("delete", short_help="Delete sessions, their pictures and faces, for good.")
@click.argument("session_ids", metavar="SESSION_ID...", nargs=-1, required=True)
@confirmed
@located
@as_json
def delete(session_ids: tuple[str, ...], yes: bool, as_json: bool, **where: Any) -> int:
    """Delete sessions with their pictures and faces.

    There is no undo, and the credit is not given back. What became of each session is shown one by
    one; the exit code is that of the worst. After an error the rest is not tried.
    """
    from .arguments import check_id

    # Each once, and all of them looked at before anything is deleted.
    ids = [*dict.fromkeys(check_id("SESSION_ID", session_id) for session_id in session_ids)]
    told = f"session {ids[0]}" if len(ids) == 1 else f"{len(ids)} sessions"
    place = Where(**where)
    with opened(place) as account:
        confirm(
            f"Delete {told} with all pictures and faces, for good, with {place.key_from()}?",
            yes=yes,
        )
        fates = _delete_each(account, ids, tell=not as_json)
    if as_json:
        document(
            {
                "sessions": [{"session_id": one.session_id, "outcome": one.word} for one in fates],
                "error": next((one.error for one in fates if one.error is not None), None),
            }
        )
    return max(_CODES[fate.word] for fate in fates)


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


def _delete_each(account: DiditAccount, session_ids: Iterable[str], *, tell: bool) -> list[Fate]:
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


def _deleted(account: DiditAccount, session_id: str) -> Fate:
    from facematch_core.errors import OutcomeUnknown, VendorError

    from .client import SessionNotFound

    try:
        account.delete(session_id)
    except SessionNotFound:
        return Fate(session_id, NOT_FOUND)
    except OutcomeUnknown as error:
        return Fate(session_id, UNKNOWN, error.message)
    except VendorError as error:
        return Fate(session_id, FAILED, error.message)
    return Fate(session_id, DELETED)
