"""What the commands share: exit codes, text, options, opening, files and signals.

Nothing here imports what a help text does not need: rich, the engines, a vendor's package and the
configuration come in when they are used.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import attrs
import click

from facematch_core import errors
from facematch_core.addresses import is_among
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.files import is_stream, write_file
from facematch_core.models import Charged, Operation, written

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import Console
    from rich.progress import Progress

    from facematch_core.config import Config, FailoverPlan, Plan
    from facematch_core.verifier import Verifier

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

# --- Exit codes -----------------------------------------------------------------------------------


class Exit(enum.IntEnum):
    """What a command ends with; `MEANING` explains each."""

    OK = 0
    NO = 1
    USAGE = 2
    LOOK = 3
    CONFIGURATION = 4
    VENDOR = 5
    UNKNOWN = 6
    BROKEN = 7
    BUG = 70
    STOPPED = 130
    PIPE = 141


#: As `facematch -h` and the reference show it.
MEANING: dict[Exit, str] = {
    Exit.OK: "match, live, verified; or everything you asked for is done",
    Exit.NO: "no match, or not live; or a gate fails",
    Exit.USAGE: "wrong usage, or a file that you named cannot be used",
    Exit.LOOK: "review, inconclusive, or a rule or gate is left open: a person should look",
    Exit.CONFIGURATION: "wrong configuration, a missing package, or a write failed (disk full)",
    Exit.VENDOR: "the vendor or the network failed, or the budget is spent",
    Exit.UNKNOWN: "outcome unknown: the call may have been charged",
    Exit.BROKEN: "a rule of the contract is broken",
    Exit.BUG: "a bug in facematch or in a plug-in",
    Exit.STOPPED: "stopped by Ctrl-C",
    Exit.PIPE: "the program that read the output closed it",
}

#: Decision to exit code, for every kind of result.
DECISIONS: dict[str, Exit] = {
    "match": Exit.OK,
    "live": Exit.OK,
    "verified": Exit.OK,
    "no_match": Exit.NO,
    "not_live": Exit.NO,
    "review": Exit.LOOK,
    "inconclusive": Exit.LOOK,
}

#: Error to exit code; the first line that fits counts.
ERRORS: tuple[tuple[type[BaseException], Exit], ...] = (
    (errors.InvalidImage, Exit.USAGE),
    (errors.InvalidRequest, Exit.USAGE),
    (errors.Unsupported, Exit.USAGE),
    (errors.ConfigurationError, Exit.CONFIGURATION),
    (errors.EnvironmentMismatch, Exit.CONFIGURATION),
    (errors.OutcomeUnknown, Exit.UNKNOWN),
    (errors.VendorError, Exit.VENDOR),
    (errors.BudgetExceeded, Exit.VENDOR),
    (errors.StoreUnavailable, Exit.VENDOR),
    (click.ClickException, Exit.USAGE),
    (OSError, Exit.CONFIGURATION),
    (KeyboardInterrupt, Exit.STOPPED),
)


def code_of(error: BaseException) -> Exit:
    """The exit code of an error; 70 for one that nobody expected."""
    if isinstance(error, errors.Unsupported) and error.what in tuple(Operation):
        return Exit.CONFIGURATION  # another backend is needed, not another option
    return next((code for kind, code in ERRORS if isinstance(error, kind)), Exit.BUG)


def sentence(error: BaseException) -> str:
    """What went wrong and what it cost, for people: one line, or a list of a file's problems."""
    if isinstance(error, FaceMatchError):
        # Only our own lists have lines: in a vendor's words a newline could forge a line of ours.
        own = isinstance(error, InvalidRequest)
        lines = error.message.split("\n") if own else [error.message]
        return " ".join(["\n".join(map(clean, lines)), *map(clean, _cost(error))])
    if isinstance(error, click.ClickException):
        return clean(error.format_message())
    if isinstance(error, KeyboardInterrupt):
        return "stopped"
    if isinstance(error, OSError):
        of = f": {error.filename}" if error.filename else ""
        return clean(f"{error.strerror or type(error).__name__}{of}.")
    return (
        f"{type(error).__name__} was not expected here: a bug. Run it again as "
        "`facematch --debug ...` to see where, and report it."
    )


def _cost(error: FaceMatchError) -> Iterator[str]:
    if isinstance(error, errors.VendorError):
        call = f" (call {error.ids.call})" if error.ids.call else ""
        yield {
            Charged.UNKNOWN: f"This call may have been charged{call}: it was not repeated.",
            Charged.YES: f"This call was charged{call}.",
            Charged.NO: "This call was not charged.",
        }[error.billing.charged]
    if error.liveness is not None:
        yield (
            f"The liveness check before it was answered: {error.liveness.decision.value}, "
            f"charged: {error.liveness.billing.charged.value}."
        )
    if error.route is not None and error.route.skipped:
        members = ", ".join(f"{one.backend} ({one.reason})" for one in error.route.skipped)
        yield f"Members of the failover that were tried: {members}."


def charged(error: BaseException) -> Charged:
    """What an error says of money: NO, unless it comes from a vendor that says more."""
    return error.billing.charged if isinstance(error, errors.VendorError) else Charged.NO


#: What an error may know beside its message.
_FACTS = ("backend", "billing", "ids", "status_code", "retryable")


def error_document(error: BaseException) -> dict[str, Any]:
    """The JSON form of an error; what an error does not know is None."""
    document: dict[str, Any] = {
        "class": type(error).__name__,
        "message": error.message if isinstance(error, FaceMatchError) else sentence(error),
        "exit_code": code_of(error),
        **dict.fromkeys(_FACTS),
    }
    if isinstance(error, errors.VendorError):
        document |= {name: getattr(error, name) for name in _FACTS}
        document |= {"billing": written(error.billing), "ids": written(error.ids)}
    elif isinstance(error, errors.Unsupported):
        document["backend"] = error.backend
    if isinstance(error, FaceMatchError):
        if error.liveness is not None:
            document["liveness"] = error.liveness.to_dict()
        if error.route is not None:
            document["route"] = written(error.route)
    return document


# --- Text for terminals and pipes -----------------------------------------------------------------

_SPACES = dict.fromkeys(map(ord, "\n\r\t\v\f"), " ")


def clean(text: str) -> str:
    """`text` on one line, without what steers a terminal: names and vendors' words are not ours."""
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.translate(_SPACES)
    )


def number(value: float) -> str:
    """A score or a threshold. Enough digits that 49.999 never reads as 50."""
    return f"{value:.10g}"


def counted(how_many: int, thing: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{how_many} {thing}" if how_many == 1 else f"{how_many} {thing}s"


def width(*, err: bool = False) -> int | None:
    """How long a line may be: $COLUMNS, else what the terminal has; None in a pipe."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def say(
    text: str = "", *, word: str = "", colour: str = "", hang: int = 2, err: bool = False
) -> None:
    """Print one line, wrapped between words where the width is limited.

    Args:
        text: Anything: it is cleaned. Spaces in front set all of it in.
        word: Comes before the text, bold.
        colour: Of the word, on a terminal and unless NO_COLOR is set.
        hang: How much further in the second line begins; 0 for a paragraph.
        err: To stderr instead.
    """
    line, room = clean(word + text), width(err=err)
    if room is not None and len(line) > room:
        import textwrap

        indent = " " * (len(line) - len(line.lstrip()) + hang)
        line = textwrap.fill(line, room, subsequent_indent=indent, break_on_hyphens=False)
    if word and not os.environ.get("NO_COLOR"):
        line = click.style(word, fg=colour or None, bold=True) + line[len(word) :]
    click.echo(line, err=err)


def example(line: str, room: int) -> list[str]:
    """A line that shows a command, perhaps with what it is for, broken so that it can be typed."""
    import re
    import textwrap

    command, _, says = line.partition("   ")
    if len(line) <= room:
        return [line]
    if says:
        return [*example(command, room), *textwrap.wrap(f"    {says.strip()}", room)]
    hang = " " * (len(line) - len(line.lstrip()) + 4)
    # An option and its value stay together.
    glued = re.sub(r"( --?[\w-]+) (?=[^-\s])", "\\1\xa0", line)
    parts = textwrap.wrap(glued, room - 2, subsequent_indent=hang, break_on_hyphens=False)
    return [part.replace("\xa0", " ") + " \\" * (part is not parts[-1]) for part in parts]


def say_command(line: str) -> None:
    """Print a command to type, perhaps with what it is for."""
    for part in example(clean(line), width() or len(line)):
        click.echo(part)


def print_json(document: Any) -> None:
    """Print a document for programs."""

    click.echo(json.dumps(document, indent=2))


def console(*, err: bool = False) -> Console:
    """For tables and bars: as wide as `width` says, and without any escape under NO_COLOR."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            """Left to the group: rich would exit with 1, which means no match here."""
            raise BrokenPipeError

    plain = bool(os.environ.get("NO_COLOR"))
    return Piped(
        stderr=err,
        width=width(err=err) or 10_000,
        color_system=None if plain else "auto",
        force_terminal=False if plain else None,
        highlight=False,
        markup=False,
        emoji=False,
    )


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    prose: Collection[str] = (),
    spare: Sequence[str] = (),
    err: bool = False,
) -> None:
    """A table: framed on a terminal, plain columns in a pipe, records where it is too wide.

    Args:
        header: The titles of the columns.
        rows: The cells.
        prose: Columns that may be wrapped between words; the others stay whole.
        spare: Columns to leave out, in this order, if there is no room for all.
        err: To stderr instead.
    """
    from rich import box
    from rich.table import Table

    to = console(err=err)
    lines = [[clean(cell) for cell in row] for row in rows]
    columns = [list(column) for column in zip(header, *lines, strict=True)]
    for title in spare:
        if table_width(columns, prose) > to.width:
            columns = [column for column in columns if column[0] != title]
    # A frame has a column of its own between two others.
    frame, between = (box.SIMPLE_HEAD, 1) if to.is_terminal else (None, 2)
    table = Table(box=frame, show_edge=False, pad_edge=False, padding=(0, between, 0, 0))
    if table_width(columns, prose) <= to.width:
        for title, *_ in columns:
            table.add_column(title, overflow="fold", no_wrap=title not in prose)
        for row in zip(*(cells for _, *cells in columns), strict=True):
            table.add_row(*row)
    else:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for index, line in enumerate(lines):
            for title, cell in [*([("", "")] if index else []), *zip(header, line, strict=True)]:
                table.add_row(title, cell)
    if to.is_terminal:
        to.print(table)
        return
    with to.capture() as drawn:
        to.print(table)
    for text in drawn.get().splitlines():
        click.echo(text.rstrip(), err=err)


def table_width(columns: Iterable[Sequence[str]], prose: Collection[str]) -> int:
    """How wide a table gets if no word of prose, and no other cell, is broken.

    Args:
        columns: Of each column, its title and its cells.
        prose: Titles of those that may be wrapped between words.
    """
    words = (" ".join(cells).split() if cells[0] in prose else cells for cells in columns)
    return sum(max(map(len, column), default=0) + 2 for column in words) - 2


@contextlib.contextmanager
def progress(verb: str) -> Iterator[Progress]:
    """A bar on stderr that counts things as ``3/9 compared``, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    to = console(err=True)
    columns = (BarColumn(), MofNCompleteColumn(), f"{verb},", TimeRemainingColumn(), "left")
    with Progress(*columns, console=to, disable=not to.is_terminal, transient=True) as bar:
        yield bar


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so, or `yes` does.

    Raises:
        click.Abort: nobody wants it.
        click.UsageError: there is nobody.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError(
            "This needs a confirmation, and there is no terminal to give it on: add --yes to go "
            "ahead. Nothing was done."
        )
    if not click.confirm(clean(question), err=True):
        raise click.Abort


# --- Options, and how their text is read ----------------------------------------------------------

FILE = click.Path(path_type=Path)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")


def file_option(
    name: str, help_: str, *, to: str | None = None, metavar: str = "FILE", **more: Any
) -> Callable[[Command], Command]:
    """An option that names a file or a folder.

    Args:
        name: As it is typed.
        help_: What it is for.
        to: The argument it becomes, if that has another name.
        metavar, more: As for `click.option`.
    """
    names = (name,) if to is None else (name, to)
    return click.option(*names, type=FILE, metavar=metavar, help=help_, **more)


def name_values(
    _context: click.Context, option: click.Parameter, given: Iterable[str]
) -> dict[str, str]:
    """Read ``name=value``, given any number of times."""
    read: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{word[:60]!r} is not name=value.", param=option)
        if name in read:
            raise click.BadParameter(f"{name[:60]!r} is given twice.", param=option)
        read[name] = value
    return read


def _number(
    option: click.Parameter,
    typed: str,
    kind: Callable[[str], T],
    fits: Callable[[T], bool],
    is_: str,
) -> T:
    with contextlib.suppress(ValueError):
        value = kind(typed)
        if fits(value):
            return value
    raise click.UsageError(f"{option.opts[0]} must be {is_}, not {typed[:60]!r}.")


def percentage(context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
    """Read a number from 0 to 100, and ask about one that looks like a share of 1."""
    if typed is None:
        return None
    is_ = "a number from 0 to 100"
    value = _number(option, typed, float, lambda value: 0 <= value <= 100, is_)
    if not context.resilient_parsing:
        warn_of_share(option.opts[0], value)
    return value


def rate(_context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
    """Read a rate: a number above 0 and at most 1."""
    if typed is None:
        return None
    is_ = "a rate above 0 and at most 1, such as 1e-3"
    return _number(option, typed, float, lambda value: 0 < value <= 1, is_)


def workers(_context: click.Context, option: click.Parameter, typed: str | None) -> int | None:
    """Read how many calls are made at a time."""
    if typed is None:
        return None
    is_ = "a whole number from 1 to 256"
    return _number(option, typed, int, lambda value: 1 <= value <= 256, is_)


def warn_of_share(name: str, value: float) -> None:
    """Say on stderr that a threshold above 0 and up to 1 is hardly what was meant."""
    if 0 < value <= 1:
        say(
            f"warning: {name} {number(value)} is on a scale of 0-100; "
            f"did you mean {number(100 * value)}?",
            err=True,
        )


def backend_names(_context: click.Context, _option: click.Parameter, typed: str) -> list[Any]:
    """Completes --backend, from metadata: no plug-in is imported."""
    from click.shell_completion import CompletionItem

    from facematch_core.plugins import available_backends

    infos = {info.name: info for info in available_backends() if info.problem is None}
    return [
        CompletionItem(name, help=f"{info.distribution} {info.version}")
        for name, info in infos.items()
        if name.startswith(typed)
    ]


def profile_names(context: click.Context, _option: click.Parameter, typed: str) -> list[str]:
    """Completes --profile, from the file that would be read; none if it cannot be."""
    with contextlib.suppress(FaceMatchError):
        names = Target(config=context.params.get("config")).profile_names()
        return [name for name in names if name.startswith(typed)]
    return []


backend = click.option(
    "--backend",
    metavar="NAME",
    shell_complete=backend_names,
    help="Backend to use, instead of a profile; `local` if there is neither.",
)
profile = click.option(
    "--profile",
    metavar="NAME",
    shell_complete=profile_names,
    help="Profile of the configuration file; its default profile if left out.",
)
config = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    # First, so that --profile can be completed from it.
    is_eager=True,
    help="Configuration file; your own if left out.",
)
picture = file_option(
    "--picture",
    "Draw the faces, the score, the threshold and the decision into a PNG.",
    metavar="OUT.png",
)


def options(*wanted: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which help shows them."""

    def decorated(command: Command) -> Command:
        for option in reversed(wanted):
            command = option(command)
        return command

    return decorated


#: Who is asked: the arguments of `Target`.
target = options(backend, profile, config)

#: What is asked for, whichever call it is.
call = options(
    click.option(
        "--threshold",
        callback=percentage,
        metavar="0-100",
        help="Score at which a pass begins, on the scale of this backend.",
    ),
    click.option(
        "--review-threshold",
        callback=percentage,
        metavar="0-100",
        help="A pass with a score up to this one becomes REVIEW.",
    ),
    click.option("--rotate", is_flag=True, help="Also try each picture turned by quarter turns."),
    click.option("--keep", is_flag=True, help="Ask the vendor to keep a record of the call."),
    click.option("--caller-ref", metavar="TEXT", help="Your own reference for the call."),
    click.option(
        "--metadata",
        multiple=True,
        callback=name_values,
        metavar="NAME=VALUE",
        help="Your own data, kept with the result; repeatable.",
    ),
    click.option(
        "-o",
        "vendor",
        multiple=True,
        callback=name_values,
        metavar="NAME=VALUE",
        help="An option that only this backend has; repeatable.",
    ),
    as_json,
)

#: What looks like a text that names no file, and what is said of it. The text is never repeated: it
#: may be the picture, or an address with a key in it.
_NO_NAMES = (
    (r"\s*$", "The name of the {of} is empty."),
    (r"file:/", "The {of} is a URL: give the name of the file alone."),
    (
        r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/",
        "The {of} is a URL, which facematch does not fetch: download it first.",
    ),
    (
        r"data:|/9j/|iVBORw0KGgo|UklGR|[A-Za-z0-9+/=\s]{256}",
        "The {of} is not a file name: write the picture into a file, and name that.",
    ),
)


def picture_file(
    _context: click.Context, argument: click.Parameter, typed: str | None
) -> Path | None:
    """Read the name of a picture's file; a text that cannot be one is refused in a shell's words.

    Raises:
        InvalidImage: an empty text, a URL, or a picture in base64; unless there is such a file.
    """
    if typed is None:
        return None
    if not os.path.lexists(typed):
        import re

        of = "picture" if argument.name == "image" else str(argument.name)
        for pattern, says in _NO_NAMES:
            if re.match(pattern, typed, re.IGNORECASE):
                raise errors.InvalidImage(says.format(of=of))
    return Path(typed)


# --- From --backend, --profile and --config to a verifier -----------------------------------------

#: What is opened when nobody says what: no account, and nothing leaves the machine.
FALLBACK = "local"


@attrs.frozen(slots=False)
class Target:
    """Who is asked. Everything that commands ask of the configuration goes through here.

    Attributes:
        backend, profile: Name of a backend, or instead of a profile; both None for the default
            profile of the configuration file, or else the backend `FALLBACK`.
        config: The configuration file; None for the usual places.
    """

    backend: str | None = None
    profile: str | None = None
    config: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The one that the options of a command name; `click.UsageError` if they name two."""
        where = cls(given.get("backend"), given["profile"], given["config"])
        if where.backend is not None and where.profile is not None:
            raise click.UsageError("Name a backend or a profile, not both.")
        if where.backend is not None and where.config is not None:
            raise click.UsageError(
                "--config holds profiles, and --backend uses none: name a profile of it."
            )
        return where

    @functools.cached_property
    def file(self) -> Config | None:
        """The configuration file, found and read once; None if there is none.

        Raises:
            ConfigurationError: it cannot be read, or says something that is not known.
        """
        from facematch_core.config import load

        return None if self.backend is not None else load(self.config)

    def profile_names(self) -> tuple[str, ...]:
        """The profiles of the file; `ConfigurationError` if it cannot be read."""
        return () if self.file is None else tuple(self.file.profiles)

    def profile_name(self) -> str | None:
        """The profile that is used; None if a backend is named, or nothing at all."""
        if self.backend is not None or self.profile is not None or self.file is None:
            return self.profile
        return self.file.default_profile

    def members(self) -> tuple[tuple[str, str], ...]:
        """Name and backend of the profile, or of those of a failover; () without one."""
        name = self.profile_name()
        if self.file is None or name is None:
            return ()
        return tuple((one.name, one.backend) for one in self.file.singles(name))

    def plan(self) -> Plan | FailoverPlan:
        """What would be opened, before anything is.

        Raises:
            ConfigurationError: a plug-in, a file, a profile or a setting; the message says which.
        """
        from facematch_core.config import VARIABLE, Plan, unread_file, user_file

        profile = self.profile_name()
        if profile is None and self.config is None:
            return Plan.of(self.backend or FALLBACK)
        if self.file is None:
            raise ConfigurationError(
                f"There is no configuration file, so no profile {str(profile)[:60]!r} (looked for "
                f"{user_file()}; ${VARIABLE} or --config name another).{unread_file()}"
            )
        # A file that was named is used or refused; without a default profile it is an error.
        return self.file.plan(profile)

    def announced(self) -> Plan | FailoverPlan:
        """The plan, after stderr has shown what looks wrong in it, and who else gets the faces."""
        planned = self.plan()
        if self.backend is None and self.profile is None:
            self.tell_of_unread()
        for single in single_plans(planned):
            said = single.profile.verifier if single.profile else {}
            for name, value in said.items():
                if name.endswith("threshold") and single.profile:
                    warn_of_share(f"{single.profile.where}: {name}", value)
            for note in foreign_hosts(single):
                say(f"note: {note}", err=True)
        return planned

    def tell_of_unread(self) -> None:
        """Say on stderr that a file lies in the current folder and is not read, if so."""
        from facematch_core.config import unread_file

        note = "" if self.config else unread_file(self.file.path if self.file else None)
        if note:
            say(f"note:{note}", err=True)


def single_plans(planned: Plan | FailoverPlan) -> tuple[Plan, ...]:
    """The plan itself, or those of a failover's members, in their order."""
    members: Mapping[str, Plan] | None = getattr(planned, "members", None)
    return (planned,) if members is None else tuple(members.values())  # type: ignore[return-value]


def foreign_hosts(planned: Plan) -> Iterator[str]:
    """Says which hosts get faces and keys without being the vendor's own."""
    from urllib.parse import urlsplit

    for setting in planned.settings:
        if not setting.name.endswith("url") or not isinstance(setting.value, str):
            continue
        with contextlib.suppress(ValueError):
            parts = urlsplit(setting.value)
            own_hosts = planned.backend.allowed_hosts
            if parts.hostname and not is_among(parts.hostname, own_hosts):
                port = f":{parts.port}" if parts.port else ""
                own = ", not the vendor's own host" if own_hosts else ""
                yield f"{planned.backend.name} is asked at {parts.hostname}{port}{own}"


@contextlib.contextmanager
def open_target(where: Target) -> Iterator[Verifier]:
    """A verifier, closed at the end.

    Raises:
        ConfigurationError: as `Target.plan`, or the backend refuses its settings.
    """
    with where.announced().open() as verifier:
        yield verifier


def members_of(verifier: Verifier) -> list[Any]:
    """The verifiers of a failover, or the one itself."""
    return [*getattr(verifier, "members", {"": verifier}).values()]


def option_names(cls: type | None) -> tuple[str, ...]:
    """The names that a backend's class of options takes."""
    import attrs

    if cls is None:
        return ()
    return tuple(field.alias or field.name for field in attrs.fields(cls) if field.init)


# --- Files: written whole or not at all, and never over another one by accident -------------------


def form_of(option: str, path: Path, *forms: str) -> str:
    """Which of `forms` a file is to have, by its suffix; the first one if it has none.

    Raises:
        click.UsageError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix in ("", *forms):
        return suffix or forms[0]
    words = " or ".join(forms)
    raise click.UsageError(
        f"{option} writes {words}: give the file such a suffix, not that of {clean(path.name)}."
    )


def check_target(option: str, path: Path, *, force: bool) -> None:
    """Refuse a file that could not be written. Nothing is created.

    Args:
        option: The option that names it.
        path: The file.
        force: An existing file is to be overwritten; a pipe is written to without it.

    Raises:
        click.UsageError: a folder, an existing file, or a place where nothing can be written.
    """
    try:
        if path.is_dir():
            example = path / "name-of-a-file"
            raise click.UsageError(f"{option} names a folder: name a file, such as {example}.")
        if path.exists():
            if not force and not is_stream(path):
                raise click.UsageError(
                    f"{path} exists: name another file with {option}, or overwrite it with --force."
                )
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "Permission denied")
            return
        import tempfile

        folder = next(place for place in path.absolute().parents if place.exists())
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise refused(option, path, error) from None


def refused(option: str, path: Path, error: OSError) -> click.UsageError:
    """What is said of a file that was named and cannot be written."""
    reason = error.strerror or type(error).__name__
    return click.UsageError(f"{option}: {path} cannot be written: {reason}.")


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Within it, an error of the system names the file that was asked for, and no other one."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FaceMatchError) or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def make_folder(path: Path) -> None:
    """Make the folder of a file that is to be written; OSError names the file."""
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def write(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole or not at all, as `write_file` does. Missing folders are created."""
    make_folder(path)
    write_file(path, content, private=private)


def write_json(path: Path, document: Any) -> None:
    """Write a document for programs."""

    write(path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def cell(value: object) -> str:
    """A cell of a CSV file that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@\t\r" and text else text


class Row(NamedTuple):
    """One line of a CSV file with a header.

    Attributes:
        line: Its number in the file, from 1.
        cells: Column to text, without the spaces around it.
    """

    line: int
    cells: dict[str, str]


def read_csv(path: Path, *, needed: Sequence[str], known: Sequence[str] = ()) -> list[Row]:
    """Read a CSV file with a header, UTF-8 with or without a byte order mark.

    Args:
        path: The file.
        needed: Columns that it must have, with something in each line.
        known: Columns that it may have. Others are passed by, unless one looks misspelt.

    Raises:
        InvalidRequest: it cannot be used; every faulty place is named with its line.
    """
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise InvalidRequest(f"The file {path} is not valid CSV: {error}.") from None
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"The file {path} {_unreadable(path, error)}.") from None
    if not lines:
        raise InvalidRequest(f"The file {path} is empty: its first line names {','.join(needed)}.")
    (number, first), *rest = lines
    header = [name.strip() for name in first]
    refuse(path, (f"line {number}: {wrong}" for wrong in _of_header(header, needed, known)))
    rows = [
        Row(line=line, cells=dict(zip(header, map(str.strip, cells), strict=False)))
        for line, cells in rest
    ]
    problems = [
        f"line {line}: {len(cells)} cells under {len(header)} columns"
        for line, cells in rest
        if len(cells) > len(header)
    ]
    problems += [
        f"line {row.line}: {name} is empty"
        for row in rows
        for name in needed
        if not row.cells.get(name)
    ]
    refuse(path, problems)
    if not rows:
        raise InvalidRequest(f"The file {path} has a header and no lines below it.")
    return rows


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist; check the name"
    if isinstance(error, OSError) and os.path.isdir(path):  # noqa: PTH112 - Path.is_dir may raise
        return "is a folder; name a file in it"
    if isinstance(error, PermissionError):
        return "may not be read by this user; check its permissions"
    if isinstance(error, UnicodeDecodeError):
        return "is not a UTF-8 text file; save it as CSV in UTF-8"
    return f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"


def _of_header(header: list[str], needed: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    import difflib

    one = len(header) == 1 and (";" in header[0] or "\t" in header[0])
    hint = " (separate columns with commas)" if one else ""
    yield from (f"the column {name} is missing{hint}" for name in needed if name not in header)
    absent = [name for name in known if name not in header]
    for name in header:
        meant = difflib.get_close_matches(name.lower(), absent, n=1)
        if name not in (*needed, *known) and meant:
            yield f"the column {name[:60]!r}: did you mean {meant[0]}?"
        elif header.count(name) > 1 and name in (*needed, *known):
            yield f"the column {name} appears twice"


def refuse(path: Path, problems: Iterable[str]) -> None:
    """Raise `InvalidRequest` with every problem of a file, if there is one."""
    found = list(dict.fromkeys(problems))
    if found:
        head = f"{clean(str(path))} has {counted(len(found), 'problem')}; nothing was sent:"
        raise InvalidRequest("\n  ".join([head, *found]))


# --- Signals --------------------------------------------------------------------------------------

_WAITING = b"\nstopping: waiting for the calls that have begun (again: stop at once)\n"
_AT_ONCE = b"\nstopped: calls that had begun may be charged, and their answers are lost\n"
#: A progress bar hides the cursor of a terminal.
_SHOW_CURSOR = b"\x1b[?25h"


class Stopping:
    """While it is entered, the first SIGINT or SIGTERM ends the batch instead of the process.

    What is under way may be paid for, so it is waited for and written. The second signal ends the
    process without waiting: what was answered is on disk, the rest is found as after ``kill -9``.

    Attributes:
        signal: The signal that came; 0 as long as none did.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        import signal
        import threading

        # Python hands signals to the main thread alone; elsewhere somebody else stops the batch.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        # A handler may not use a stream that the interrupted code is just writing to.
        if self.signal:
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else b"") + _AT_ONCE)
            os._exit(128 + number)
        self.signal = number
        os.write(2, _WAITING)

    def until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, up to the signal."""
        for item in items:
            if self.signal:
                return
            yield item
