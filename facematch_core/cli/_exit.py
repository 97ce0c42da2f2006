"""What the command line exits with, and how it says what went wrong. One table, here."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

import click

from facematch_core import errors
from facematch_core._enums import Billed

from ._text import clean

OK: Final = 0
NO: Final = 1
USAGE: Final = 2
LOOK: Final = 3
CONFIGURATION: Final = 4
VENDOR: Final = 5
UNKNOWN: Final = 6
BROKEN: Final = 7
DRIFT: Final = 8
BUG: Final = 70
STOPPED: Final = 130
PIPE: Final = 141

#: Exit code to meaning, as `facematch --help` shows it.
MEANING: dict[int, str] = {
    OK: "match, live, verified; or all that was asked is done",
    NO: "no match, or not live; or a gate that fails",
    USAGE: "wrong usage, or a file that was named and cannot be used",
    LOOK: "review, inconclusive, or a rule or a gate left open: a person should look",
    CONFIGURATION: "configuration, a missing package, or writing failed (disk full)",
    VENDOR: "the vendor or the network failed, or the budget is spent",
    UNKNOWN: "outcome unknown: the call may have been charged",
    BROKEN: "a rule of the contract is broken",
    DRIFT: "the vendor no longer does what its documents say",
    BUG: "a bug in facematch or in a plug-in",
    STOPPED: "stopped by Ctrl-C",
    PIPE: "whoever read the output has ended",
}

#: Decision to exit code, for every kind of result.
DECISIONS: dict[str, int] = {
    "match": OK,
    "live": OK,
    "verified": OK,
    "no_match": NO,
    "not_live": NO,
    "review": LOOK,
    "inconclusive": LOOK,
}

#: Verdict of a card to exit code.
CARDS: dict[str, int] = {"conforms": OK, "open": LOOK, "fails": BROKEN}

#: Error to exit code; the first line that fits counts.
ERRORS: tuple[tuple[type[BaseException], int], ...] = (
    (errors.InvalidImage, USAGE),
    (errors.InvalidRequest, USAGE),
    (errors.UnsupportedOption, USAGE),
    (errors.ConfigurationError, CONFIGURATION),
    (errors.UnsupportedCapability, CONFIGURATION),
    (errors.OutcomeUnknown, UNKNOWN),
    (errors.VendorError, VENDOR),
    (errors.BudgetExceeded, VENDOR),
    (click.ClickException, USAGE),
    (OSError, CONFIGURATION),
    (KeyboardInterrupt, STOPPED),
)


def code_of(error: BaseException) -> int:
    """The exit code of an error; 70 for one that nobody expected."""
    return next((code for kind, code in ERRORS if isinstance(error, kind)), BUG)


def sentence(error: BaseException) -> str:
    """What went wrong, for people, and what it cost."""
    if isinstance(error, errors.FaceMatchError):
        return " ".join([error.message, *_cost(error)])
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, OSError):
        of = f": {error.filename}" if error.filename else ""
        return f"{error.strerror or type(error).__name__}{of}."
    return (
        f"{type(error).__name__} was not expected here: a bug. Run it again as "
        "`facematch --debug ...` to see where, and report it."
    )


def _cost(error: errors.FaceMatchError) -> list[str]:
    words = []
    billed = getattr(error, "billed", None)
    attempt_id = getattr(error, "attempt_id", None)
    attempt = f" (attempt {attempt_id})" if attempt_id else ""
    if billed is Billed.UNKNOWN:
        words.append(f"This call may have been charged{attempt}: it was not repeated.")
    elif billed is Billed.YES:
        words.append(f"This call was charged{attempt}.")
    elif isinstance(error, errors.VendorError):
        words.append("This call was not charged.")
    if error.liveness is not None:
        words.append(
            f"The liveness check before it was answered: {error.liveness.decision.value}, "
            f"charged: {error.liveness.billed.value}."
        )
    if error.skipped:
        members = ", ".join(f"{one.backend} ({one.reason})" for one in error.skipped)
        words.append(f"Members of the failover that were tried: {members}.")
    return words


#: What an error can tell beside its message; None in the JSON form where it does not.
_TOLD = ("backend", "billed", "attempt_id", "request_id", "status_code", "retryable")


def as_document(error: BaseException) -> dict[str, Any]:
    """The JSON form of an error; what an error does not know is None."""
    document: dict[str, Any] = {
        "class": type(error).__name__,
        "message": sentence(error),
        "exit_code": code_of(error),
        **dict.fromkeys(_TOLD),
    }
    if isinstance(error, errors.FaceMatchError):
        document["message"] = error.message
        document |= {name: getattr(error, name, None) for name in _TOLD}
        if error.liveness is not None:
            document["liveness"] = error.liveness.to_dict()
        if error.skipped:
            document["skipped"] = [
                {"backend": one.backend, "reason": one.reason, "message": one.message}
                for one in error.skipped
            ]
    return document


def _print(error: BaseException) -> None:
    click.echo(json.dumps({"error": as_document(error)}, indent=2))


#: A group that was given no verb; before click 8.2 it is no error.
_NO_VERB: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())


def report(error: BaseException, *, as_json: bool) -> int:
    """Tell an error: one sentence on stderr and, if asked, JSON on stdout. Returns its code."""
    if isinstance(error, _NO_VERB):
        # Its message is the whole help, which is no sentence.
        click.echo(error.format_message(), err=True)
        return code_of(error)
    if as_json:
        _print(error)
    elif isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nMore: {error.ctx.command_path} -h", err=True)
    click.echo(f"error: {clean(sentence(error))}", err=True)
    return code_of(error)


def ended(call: Callable[[], Any], *, debug: bool, as_json: bool) -> int:
    """Make a call and tell what it ended with, as an exit code.

    Args:
        call: Its whole number, if it answers with one, is the code.
        debug: Show the traceback on stderr before the error is told; wrong usage has none.
        as_json: Errors are JSON on stdout as well.
    """
    try:
        answer = call()
    except (click.Abort, KeyboardInterrupt):
        if as_json:
            _print(KeyboardInterrupt())
        click.echo("stopped", err=True)
        return STOPPED
    # A plug-in that leaves by sys.exit() has not said that anybody may be let in.
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is: people get a sentence, not a traceback
        if debug and not isinstance(error, click.ClickException):
            click.echo(clean("".join(traceback.format_exception(error))), err=True, nl=False)
        return report(error, as_json=as_json)
    return answer if type(answer) is int else OK


def reader_gone() -> int:
    """Whoever read our output has ended, as `head` does: end quietly as well."""
    # Python would else complain on its way out, when it flushes what nobody reads.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE
