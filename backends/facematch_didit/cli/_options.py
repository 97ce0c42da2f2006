"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

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
    help="The configuration file; by default ./facematch.toml or the user's own.",
)


def where(command: Command) -> Command:
    """Whose account is asked: arguments of `_opening.Where`."""
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
