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
import shutil
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

import attrs
import click

from facematch_core import errors
from facematch_core.addresses import is_among
from facematch_core.errors import ConfigurationError, FaceMatchError, InvalidRequest
from facematch_core.files import is_stream, named, read_regular, write_file
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
    Exit.VENDOR: "the vendor or the network failed, or the budget is spent or its store away",
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


def say(text: str = "", *, word: str = "", colour: str = "", err: bool = False) -> None:
    """Print one line, cleaned, and on a terminal wrapped between words.

    A `word` before it is bold and coloured, unless NO_COLOR is set.
    """
    line = clean(word + text)
    if (sys.stderr if err else sys.stdout).isatty() or "COLUMNS" in os.environ:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        line = textwrap.fill(
            line,
            shutil.get_terminal_size().columns,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
    if word and not os.environ.get("NO_COLOR"):
        line = click.style(word, fg=colour or None, bold=True) + line[len(word) :]
    click.echo(line, err=err)


def print_json(document: Any) -> None:
    """Print a document for programs."""
    click.echo(json.dumps(document, indent=2))


def console(*, err: bool = False) -> Console:
    """For tables and bars: without any escape under NO_COLOR, and without a width in a pipe."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            """Left to the group: rich would exit with 1, which means no match here."""
            raise BrokenPipeError

    to = Piped(
        stderr=err,
        force_terminal=False if os.environ.get("NO_COLOR") else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    if not to.file.isatty() and "COLUMNS" not in os.environ:
        to.width = 10_000
    return to


def print_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    prose: Collection[str] = (),
    err: bool = False,
) -> None:
    """A table: wrapped are the columns of `prose`, between words; no other cell is broken."""
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table

    to = console(err=err)
    # A line below the header has a column of its own between two others.
    line, between = (box.SIMPLE_HEAD, 1) if to.is_terminal else (None, 2)
    table = Table(box=line, show_edge=False, pad_edge=False, padding=(0, between, 0, 0))
    lines = [[clean(cell) for cell in row] for row in rows]
    for title, *cells in zip(header, *lines, strict=True):
        width = None if title in prose else max(map(len, (title, *cells)))
        table.add_column(title, min_width=width, no_wrap=width is not None)
    for row in lines:
        table.add_row(*row)
    # Where there is no room for it, the terminal breaks the lines, not the cells.
    needed = Measurement.get(to, to.options.update_width(10_000), table).minimum
    to.width = max(to.width, needed)
    with to.capture() as drawn:
        to.print(table)
    for text in drawn.get().splitlines():
        click.echo(text.rstrip(), err=err)


@contextlib.contextmanager
def progress(verb: str) -> Iterator[Progress]:
    """A bar on stderr that counts things as ``3/9 compared``, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    to = console(err=True)
    columns = (BarColumn(), MofNCompleteColumn(), f"{verb},", TimeRemainingColumn(), "left")
    with Progress(*columns, console=to, disable=not to.is_terminal, transient=True) as bar:
        yield bar


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so, or `yes` does."""
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
    """An option that names a file or a folder; `to` is its argument, if that has another name."""
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
    kind: Callable[[str], float], fits: Callable[[float], bool], is_: str
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that reads such a number."""

    def read(_context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
        if typed is None:
            return None
        with contextlib.suppress(ValueError):
            value = kind(typed)
            if fits(value):
                return value
        raise click.UsageError(f"{option.opts[0]} must be {is_}, not {typed[:60]!r}.")

    return read


rate = _number(float, lambda value: 0 < value <= 1, "a rate above 0 and at most 1, such as 1e-3")
workers = _number(int, lambda value: 1 <= value <= 256, "a whole number from 1 to 256")
_of_hundred = _number(float, lambda value: 0 <= value <= 100, "a number from 0 to 100")


def percentage(context: click.Context, option: click.Parameter, typed: str | None) -> float | None:
    """Read a number from 0 to 100, and refuse one that looks like a share of 1."""
    value: float | None = _of_hundred(context, option, typed)
    if value is not None and 0 < value <= 1 and not context.resilient_parsing:
        raise click.UsageError(
            f"{option.opts[0]} is on a scale from 0 to 100, where nearly everybody passes "
            f"{number(value)}: write {number(100 * value)}."
        )
    return value


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
    help="Configuration file; $FACEMATCH_CONFIG or your own if left out.",
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
        help="Your own data, kept with the result. May be repeated.",
    ),
    click.option(
        "-o",
        "vendor",
        multiple=True,
        callback=name_values,
        metavar="NAME=VALUE",
        help="An option that only this backend has. May be repeated.",
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
    """Read the name of a picture's file; what cannot be one is refused in a shell's words."""
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
        """The configuration file, found and read once; None if there is none."""
        from facematch_core.config import load

        return None if self.backend is not None else load(self.config)

    def profile_names(self) -> tuple[str, ...]:
        """The profiles of the file."""
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
        """What would be opened, before anything is."""
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
        """The plan, after stderr has shown who else gets the faces."""
        planned = self.plan()
        if self.backend is None and self.profile is None:
            self.tell_of_unread()
        for single in single_plans(planned):
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
def open_target(where: Target, *operations: Operation) -> Iterator[Verifier]:
    """A verifier, closed at the end.

    Raises:
        Unsupported: no backend of it can do one of `operations`. None is opened to find out: to
            open one may need packages, which would not help.
    """
    planned = where.announced()
    backends = [single.backend for single in single_plans(planned)]
    for operation in operations:
        if not any(operation in one.capabilities.operations for one in backends):
            raise errors.Unsupported.of_operation(backends[0].name, operation)
    with planned.open() as verifier:
        yield verifier


def members_of(verifier: Verifier) -> list[Any]:
    """The verifiers of a failover, or the one itself."""
    return [*getattr(verifier, "members", {"": verifier}).values()]


def option_names(cls: type | None) -> tuple[str, ...]:
    """The names that a backend's class of options takes."""
    if cls is None:
        return ()
    return tuple(field.alias or field.name for field in attrs.fields(cls) if field.init)


# --- Files: written whole or not at all, and never over another one by accident -------------------


def form_of(option: str, path: Path, *forms: str) -> str:
    """Which of `forms` a file is to have, by its suffix; the first one if it has none."""
    suffix = path.suffix.lower()
    if suffix in ("", *forms):
        return suffix or forms[0]
    words = " or ".join(forms)
    raise click.UsageError(
        f"{option} writes {words}: give the file such a suffix, not that of {clean(path.name)}."
    )


def check_target(option: str, path: Path, *, force: bool) -> None:
    """Refuse a file that could not be written, or exists without `force`. Nothing is created."""
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
    from facematch_core.tables import escaped

    return escaped(value) if isinstance(value, str) else "" if value is None else str(value)


#: The largest table of pairs that is read, in bytes: some 300,000 lines.
MAX_TABLE_BYTES: Final = 1 << 25


class Row(NamedTuple):
    """One line of a CSV file: its number, from 1, and its cells by column, stripped."""

    line: int
    cells: dict[str, str]


def read_csv(path: Path, *, needed: Sequence[str], known: Sequence[str] = ()) -> list[Row]:
    """Read a CSV file with a header; `InvalidRequest` names every faulty place with its line.

    Each line has something in the columns that are `needed`. Columns that are not `known` either
    are passed by, unless one looks misspelt.
    """
    import difflib

    from facematch_core.tables import place, read_table

    try:
        table = read_table(read_regular(path, MAX_TABLE_BYTES))
    except (OSError, ValueError, InvalidRequest) as error:
        why = str(error) if isinstance(error, InvalidRequest) else getattr(error, "strerror", error)
        why = why if isinstance(error, InvalidRequest) else f"cannot be read: {why}."
        raise InvalidRequest(f"The file {path} {why}") from None
    for note in table.notes:
        say(f"note: {path} {note}", err=True)
    header = table.header
    absent = [name for name in known if name not in header]
    problems = [f"line 1: the column {name} is missing" for name in needed if name not in header]
    for name in header:
        close = difflib.get_close_matches(name.lower(), absent, n=1)
        if name not in (*needed, *known) and close:
            problems.append(f"line 1: the column {name[:60]!r}: did you mean {close[0]}?")
        elif header.count(name) > 1 and name in (*needed, *known):
            problems.append(f"line 1: the column {name} appears twice")
    refuse(path, problems)
    rows = [
        Row(line, dict(zip(header, cells, strict=True)))
        for line, cells in zip(table.lines, table.rows, strict=True)
    ]
    problems = [
        f"{place([table.lines[at] for at in places])}{problem}"
        for problem, places in table.problems.items()
    ]
    for name in needed:
        if empty := [row.line for row in rows if not row.cells[name]]:
            problems.append(f"{place(empty)}{name} is empty")
    refuse(path, problems or ([] if rows else ["there are no lines below its header"]))
    return rows


def refuse(path: Path, problems: Iterable[str]) -> None:
    """Raise `InvalidRequest` with every problem of a file, if there is one."""
    from facematch_core import tables

    tables.refuse(clean(str(path)), problems)


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
