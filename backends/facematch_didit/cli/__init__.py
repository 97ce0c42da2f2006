"""The command `facematch didit`: an account at Didit from the command line.

The modules of the commands are imported when one is used.
"""

from __future__ import annotations

import importlib

import click

#: Name of a command to what the list says of it.
COMMANDS = {
    "setup": "Open an account, or take its key, and write a profile.",
    "register": "Open an account; a code comes by e-mail.",
    "verify-email": "Hand in the code; the answer is the key, kept in a file.",
    "resend-code": "Have another code sent.",
    "login": "Check an e-mail address and a password.",
    "balance": "Show the credit.",
    "top-up": "Have a payment page made.",
    "sessions": "List what was kept.",
    "decision": "Show a session and its results; or wait for its review.",
    "update-status": "Approve, decline or send back a session.",
    "reviews": "List the notes about a session.",
    "add-review": "Note something about a session.",
    "delete": "Delete sessions, their pictures and faces, for good.",
    "destinations": "Where Didit reports what happens: list, create, delete.",
    "webhook": "Verify a delivery that Didit sent.",
}


#: Module to the commands that are its functions.
_HOMES = {
    "accounts": ("setup", "register", "verify-email", "resend-code", "login", "balance", "top-up"),
    "sessions": ("sessions", "decision", "update-status", "reviews", "add-review", "delete"),
    "webhooks": ("destinations", "webhook"),
}


class LazyGroup(click.Group):
    """Imports a command only to run it or to show its own help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; None if there is none of that name."""
        home = next((home for home, names in _HOMES.items() if cmd_name in names), None)
        if home is None:
            return None
        module = importlib.import_module(f"{__name__}.{home}")
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.command(
    "didit",
    cls=LazyGroup,
    short_help="An account at Didit: registration, credit, sessions, webhooks.",
)
def command() -> None:
    """An account at Didit: registration, credit, sessions, webhooks.

    \b
    facematch didit setup                      begin here: an account, a key file, a profile
    facematch didit balance                    what credit is left
    facematch didit sessions --status declined
    facematch didit decision SESSION_ID

    None of these commands has a price. The key is that of --profile; else of the default profile,
    if it is Didit's, or of the only one that is; else $DIDIT_API_KEY.
    """


__all__ = ["COMMANDS", "command"]
