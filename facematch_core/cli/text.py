"""Exit codes, error texts, tables, a progress bar and signal handling for the commands."""

from __future__ import annotations

import contextlib
import enum
import itertools
import json
import os
import re
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Self, TextIO

import click

from facematch_core import errors
from facematch_core.batch.errors import RecordInUse
from facematch_core.documents import written
from facematch_core.errors import FaceMatchError, InvalidRequest
from facematch_core.models import Charged, Operation

if TYPE_CHECKING:
    from types import FrameType


class Exit(enum.IntEnum):
    """The exit codes. The `meaning` is shown by `facematch -h`."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    OK = 0, "match, live or verified; or the command succeeded"
    NO = 1, "no match or not live; a gate failed; or no page was found"
    USAGE = 2, "wrong usage, or an input file cannot be used"
    LOOK = 3, "review or inconclusive; or a gate, a check or a call is undecided"
    CONFIGURATION = 4, "wrong configuration, a missing package, or a failed write (disk full)"
    VENDOR = 5, "the vendor or network failed, the budget is spent, or its store is unavailable"
    UNKNOWN = 6, "outcome unknown: the call may have been charged"
    BUG = 70, "a bug in facematch or in a plug-in"
    STOPPED = 130, "stopped by Ctrl-C"
    PIPE = 141, "the program that read the output closed it"


#: Exit codes of errors. The first matching row is used.
ERRORS: tuple[tuple[tuple[type[BaseException], ...], Exit], ...] = (
    ((errors.InvalidImage, errors.InvalidRequest, errors.Unsupported), Exit.USAGE),
    ((errors.WebhookRefused, click.ClickException), Exit.USAGE),
    ((RecordInUse,), Exit.LOOK),  # another process uses the record of calls, and will finish it
    ((errors.ConfigurationError, errors.EnvironmentMismatch), Exit.CONFIGURATION),
    ((errors.OutcomeUnknown,), Exit.UNKNOWN),
    ((errors.VendorError, errors.BudgetExceeded, errors.StoreUnavailable), Exit.VENDOR),
    # Not raised by a command: another process is starting the session, or making the check, or the
    # matter was used, or a person decides on it.
    ((errors.SessionStarting, errors.CheckUnderWay), Exit.VENDOR),
    ((errors.AlreadyUsed, errors.UnderReview, errors.VerdictChanged), Exit.USAGE),
    # Must follow OutcomeUnknown: DeadlineExceeded is also a TimeoutError and so an OSError.
    ((OSError,), Exit.CONFIGURATION),
    ((KeyboardInterrupt,), Exit.STOPPED),
)


#: What a text is not, by click's words for our types of numbers and times.
_NO_VALUE: Final = {
    r"does not match the formats .*[.]$": "is not a time, such as 2026-11-28 or "
    "2026-11-28T17:30:00.",
    r"is not a valid integer( range)?[.]$": "is not a whole number, such as 1000.",
    r"is not a valid (float|float range|rate)[.]$": "is not a number, such as 0.05.",
}


def code_of(error: BaseException) -> Exit:
    """Return the exit code for an error; 70 for an unexpected error."""
    if isinstance(error, errors.Unsupported) and error.what in tuple(Operation):
        return Exit.CONFIGURATION  # the user needs another backend, not another option
    for classes, code in ERRORS:
        if isinstance(error, classes):
            return code
    return Exit.BUG


def error_sentence(error: BaseException) -> str:
    """Return an error's text and charge, on one line unless the text lists a file's problems."""
    if isinstance(error, FaceMatchError):
        message = clean(error.message)
        if isinstance(error, InvalidRequest):
            # Not in a vendor's text, whose newlines could imitate our output.
            message = "\n".join(map(clean, error.message.split("\n")))
        return " ".join([message, *map(clean, _describe_cost(error))])
    if isinstance(error, click.ClickException):
        message = error.format_message()
        for click_words, words in _NO_VALUE.items():
            message = re.sub(click_words, words, message)
        return clean(message)
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return clean(f"{reason}: {error.filename}." if error.filename else f"{reason}.")
    return (
        f"Unexpected {type(error).__name__}: a bug. Run `facematch --debug ...` to see the "
        "traceback, and report it."
    )


def _describe_cost(error: FaceMatchError) -> Iterator[str]:
    """Yield sentences about the charge of a failed call, and about the calls before it."""
    if isinstance(error, errors.VendorError):
        call = f" (call {error.ids.call})" if error.ids.call else ""
        if error.billing.charged is Charged.UNKNOWN:
            yield f"This call may have been charged{call}: it was not retried."
        elif error.billing.charged is Charged.YES:
            yield f"This call was charged{call}."
        else:
            yield "This call was not charged."
    if error.liveness is not None:
        yield (
            f"The preceding liveness check returned {error.liveness.decision.value} (charged: "
            f"{error.liveness.billing.charged.value})."
        )
    if error.route is not None and error.route.skipped:
        members = [f"{member.backend} ({member.reason})" for member in error.route.skipped]
        yield f"Members tried: {', '.join(members)}."


def charge_of(error: BaseException) -> Charged:
    """Return whether the failed call was charged; NO if no vendor was called."""
    return error.billing.charged if isinstance(error, FaceMatchError) else Charged.NO


def error_document(error: BaseException) -> dict[str, Any]:
    """Return the JSON form of an error, with null for missing attributes."""
    document: dict[str, Any] = {
        "class": type(error).__name__,
        "message": error_sentence(error),
        "exit_code": code_of(error),
    }
    for name in ("backend", "billing", "ids", "status_code", "retryable"):
        document[name] = written(getattr(error, name, None))
    if isinstance(error, FaceMatchError):
        document["message"] = error.message
        if error.liveness is not None:
            document["liveness"] = error.liveness.to_dict()
        if error.route is not None:
            document["route"] = written(error.route)
    return document


_SPACES = dict.fromkeys(map(ord, "\n\r\t\v\f"), " ")
_BETWEEN_COLUMNS: Final = "  "


def clean(text: str) -> str:
    """Return `text` on one line, without control characters (vendors' texts may contain them)."""
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.translate(_SPACES)
    )


def format_number(value: float) -> str:
    """Format a score or threshold with up to ten digits, so that 49.999 is not shown as 50."""
    return f"{value:.10g}"


def quantity(count: int, noun: str) -> str:
    """Format a count: ``1 pair``, ``2 pairs``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _terminal_width(*, err: bool) -> int | None:
    """Return the width of the terminal in columns; None if the output is not a terminal."""
    stream: TextIO | None = sys.stderr if err else sys.stdout
    if stream is None:  # with `>&-`, and under pythonw
        return None
    is_terminal = stream.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if is_terminal else None


def say(text: str = "", *, heading: str = "", colour: str = "", err: bool = False) -> None:
    """Print a bold, coloured `heading`, then `text`, without control characters.

    On a terminal, long lines are wrapped, and indented by two more spaces than the first.
    """
    line = clean(heading + text)
    width = _terminal_width(err=err)
    if width:
        line = textwrap.fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_on_hyphens=False,
            break_long_words=False,
        )
    if heading and not os.environ.get("NO_COLOR"):
        line = click.style(heading, fg=colour or None, bold=True) + line[len(heading) :]
    click.echo(line, err=err)


def print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2))


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    prose: Collection[str] = (),
    err: bool = False,
) -> None:
    """Print a table. On a terminal, the columns named in `prose` are wrapped between words."""
    lines = [list(header)]
    for row in rows:
        lines.append([clean(cell) for cell in row])
    widths = [max(1, *map(len, column)) for column in zip(*lines, strict=True)]
    terminal_width = _terminal_width(err=err)
    if terminal_width is not None:
        numbers = [number for number, title in enumerate(header) if title in prose]
        _narrow(widths, numbers, lines, terminal_width)
    for line in lines:
        cells = []
        for cell, width in zip(line, widths, strict=True):
            cells.append(textwrap.wrap(cell, width, break_on_hyphens=False) or [""])
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
            click.echo(_BETWEEN_COLUMNS.join(padded).rstrip(), err=err)


def _narrow(
    widths: list[int], numbers: list[int], lines: Sequence[Sequence[str]], terminal_width: int
) -> None:
    """Reduce the widths of some columns, by number, to the room on a terminal, but to no word's."""
    room = terminal_width - len(_BETWEEN_COLUMNS) * (len(widths) - 1)
    room -= sum(width for number, width in enumerate(widths) if number not in numbers)
    # The narrowest first: what one column does not need is for the others.
    numbers.sort(key=widths.__getitem__)
    for place, number in enumerate(numbers):
        share = room // (len(numbers) - place)
        longest_word = max(len(word) for line in lines for word in line[number].split())
        widths[number] = min(widths[number], max(share, longest_word))
        room -= widths[number]


@contextlib.contextmanager
def progress_bar(verb: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar (``compared  [####----]  3/9``) on stderr if stderr is a terminal.

    Yield a function to call for each finished item, from any thread.
    """
    is_shown = sys.stderr is not None and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    lock = threading.Lock()
    with click.progressbar(
        length=total, label=verb, show_pos=True, file=sys.stderr, hidden=not is_shown
    ) as bar:

        def advance() -> None:
            with lock:
                bar.update(1)

        yield advance


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation, unless `yes` is True; raise `click.Abort` if the answer is no."""
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "This needs a confirmation, but there is no terminal: pass --yes to confirm. Nothing "
            "was done."
        )
    try:
        is_confirmed = click.confirm(clean(question), err=True)
    except click.Abort:
        click.echo(err=True)  # Ctrl-C leaves the cursor behind the question
        raise
    if not is_confirmed:
        raise click.Abort


_WAITING = b"\nstopping: waiting for running calls (a second signal stops immediately)\n"
_AT_ONCE = b"\nstopped: running calls may be charged, and their results are lost\n"
#: A progress bar hides the cursor of a terminal.
_SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """A context manager in which the first SIGINT or SIGTERM ends the batch, not the process.

    Running calls may be charged, so the batch waits for them and writes their results. A second
    signal ends the process immediately, like ``kill -9``.
    """

    def __init__(self) -> None:
        self.signal = 0  # number of the received signal, or 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread can set signal handlers.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        # os.write, because the interrupted code may be in the middle of a write to stderr.
        if self.signal:
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + _AT_ONCE)
            os._exit(128 + number)
        self.signal = number
        os.write(2, _WAITING)
