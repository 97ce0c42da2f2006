"""Questions to whoever sits at the terminal. Without one they are refused, with what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from facematch_core import Secret

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
