"""What the commands share: text, questions, options, and whose account is asked."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click

from facematch_core import ConfigurationError, Secret
from facematch_core.config import unread_file, user_file
from facematch_didit import DiditBackend
from facematch_didit.account import DiditAccount
from facematch_didit.words import NAME

# --- Text and tables for people, JSON for programs ------------------------------------------------


NOTHING = "-"


def clean(text: object) -> str:
    """`text` without what could steer a terminal: a vendor's texts are not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def say(text: object = "", *, err: bool = False) -> None:
    """Print one line."""
    click.echo(clean(text), err=err)


def document(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2))


def moment(when: datetime | None) -> str:
    """A time in UTC, to the second."""
    return NOTHING if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def iso(when: datetime | None) -> str | None:
    """A time for JSON."""
    return None if when is None else when.isoformat()


def counted(how_many: int, thing: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{how_many} {thing}" if how_many == 1 else f"{how_many} {thing}s"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, whole: str) -> None:
    """Print a table: framed on a terminal, plain columns in a pipe.

    Args:
        header: The titles of the columns.
        rows: The cells; None is shown as a dash.
        whole: The column that is never folded, because people copy it.
    """
    cells = [[NOTHING if cell is None else clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _framed(header, cells, whole)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in (header, *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _framed(header: Sequence[str], cells: Sequence[Sequence[str]], whole: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    framed = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for title in header:
        framed.add_column(title, overflow="fold", no_wrap=title == whole)
    for row in cells:
        framed.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(framed)


# --- Questions to whoever sits at the terminal; without one they are refused, with what to do -----


#: More than any password, code or key has.
_LONGEST = 4096


def is_terminal() -> bool:
    """Whether somebody can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def _need_terminal(what: str, instead: str) -> None:
    if not is_terminal():
        raise click.UsageError(f"{what} is asked for on a terminal, and there is none: {instead}.")


def ask(question: str, *, instead: str, default: str | None = None) -> str:
    """What somebody types.

    Args:
        question: Without a colon.
        instead: What to do without a terminal.
        default: For an empty answer; None to ask again.

    Raises:
        click.UsageError: there is no terminal.
    """
    _need_terminal(question, instead)
    typed: str = click.prompt(question, default=default, err=True)
    return typed.strip()


def ask_secret(question: str, *, instead: str, twice: bool = False) -> Secret:
    """What somebody types without seeing it; as `ask`."""
    _need_terminal(question, instead)
    typed: str = click.prompt(question, hide_input=True, confirmation_prompt=twice, err=True)
    return Secret(typed, origin="the terminal")


def choose(question: str, choices: list[str], *, instead: str) -> str:
    """One of several words, the first if nothing is typed; as `ask`."""
    _need_terminal(question, instead)
    chosen: str = click.prompt(question, type=click.Choice(choices), default=choices[0], err=True)
    return chosen


def agree(question: str, *, default: bool = False, instead: str) -> bool:
    """Yes or no; as `ask`."""
    _need_terminal(question.rstrip("?"), instead)
    return click.confirm(question, default=default, err=True)


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


def may_replace(path: Path, *, force: bool) -> bool:
    """Whether `path` is there and is to be replaced; it is never without somebody's word.

    Raises:
        click.Abort: it is to stay.
        click.UsageError: it is there, and nobody can be asked.
    """
    if force or not path.exists():
        return force
    if not is_terminal():
        raise click.UsageError(f"{path} is there already: overwrite it with --force.")
    if not click.confirm(f"{path} is there already. Overwrite it?", err=True):
        raise click.Abort
    return True


def from_stdin(what: str) -> Secret:
    """The first line of standard input.

    Raises:
        click.UsageError: nothing comes.
    """
    line = sys.stdin.readline(_LONGEST).rstrip("\r\n")
    if not line:
        raise click.UsageError(f"No {what} came on standard input.")
    return Secret(line, origin="standard input")


def secret_of(name: str, *, stdin: bool, twice: bool = False) -> Secret:
    """A password or a code: from standard input if so wanted, else from the terminal."""
    if stdin:
        return from_stdin(name)
    return ask_secret(name.capitalize(), instead=f"pipe it in, with --{name}-stdin", twice=twice)


# --- Where profiles lie, and which of them is Didit's ---------------------------------------------
#
# The same places as for every command of `facematch` (docs/reference/configuration.md); what is
# read here is only which profiles there are. Opening one, and every complaint about the file, is
# the core's.


VARIABLE = "FACEMATCH_CONFIG"


def folder() -> Path:
    """The user's own folder of configuration, whether it exists or not."""
    return user_file().parent


def configuration(named: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that is read: the one that is named, else the user's own, or None."""
    if named is not None:
        return Path(named)
    if environ.get(VARIABLE):
        return Path(environ[VARIABLE])
    own = user_file()
    return own if own.is_file() else None


@attrs.frozen(kw_only=True)
class Chosen:
    """A profile that is to be opened.

    Attributes:
        config: The file; None for the usual places.
        profile: Its name; None for the file's default, or to hear what is wrong with the file.
    """

    config: Path | None
    profile: str | None


def chosen(
    profile: str | None, config: str | None, environ: Mapping[str, str] = os.environ
) -> Chosen | None:
    """The profile to use: named, else the default if it is Didit's, else the only one that is.

    Returns:
        None if no file has one of Didit's: then the key is the environment's.

    Raises:
        ConfigurationError: there are several, or the file that was named has none.
    """
    path = configuration(config, environ)
    if profile is not None or path is None:
        return None if profile is None else Chosen(config=path, profile=profile)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
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
        raise ConfigurationError(
            f"{path} has no profile of {NAME}: `facematch didit setup --config {path}` adds one."
        )
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


# --- From --profile, --config and addresses to an account -----------------------------------------


#: Where the backend takes its key from, too.
KEY_VARIABLE = "DIDIT_API_KEY"

NO_KEY = (
    "There is no key: run `facematch didit setup`, or set the environment variable "
    f"{KEY_VARIABLE}, or name a --profile of the backend {NAME}."
)


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

    found = chosen(where.profile, where.config)
    if found is None:
        if not os.environ.get(KEY_VARIABLE):
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


# --- Options that several commands share ----------------------------------------------------------


Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


def file_option(name: str, help_: str) -> Callable[[Command], Command]:
    """An option that names a file."""
    return click.option(name, type=FILE, metavar="FILE", help=help_)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors included.")
yes = click.option("--yes", is_flag=True, help="Do not ask first.")
force = click.option("--force", is_flag=True, help="Overwrite the file without asking.")
session_id = click.argument("session_id")
email = click.argument("email")

base_url = click.option(
    "--base-url", metavar="URL", help="Ask there instead of Didit: a mock, say."
)
auth_url = click.option(
    "--auth-url", metavar="URL", help="Where accounts are opened, if not below --base-url."
)
allow_base_url = click.option(
    "--allow-base-url", is_flag=True, help="Send the key to a host that is not Didit's."
)
config = click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file; by default the user's own.",
)


def where(command: Command) -> Command:
    """Whose account is asked: arguments of `Where`."""
    return _with(
        command,
        click.option("--profile", metavar="NAME", help="A profile of the configuration."),
        config,
        base_url,
        allow_base_url,
    )


def address(command: Command) -> Command:
    """Where accounts are opened: settings of `DiditAccount`."""
    return _with(command, base_url, auth_url, allow_base_url)


def of_account(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of `DiditAccount` among given options, those left out left out."""
    names = ("base_url", "auth_url", "allow_base_url")
    return {name: given[name] for name in names if given[name]}


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
