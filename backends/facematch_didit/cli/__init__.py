"""The command `facematch didit`: an account at Didit from the command line.

One module for each command, imported when it is used.
"""

from __future__ import annotations

import click

from ._lazy import LazyGroup

#: Name of a command to what the list says of it; each is `command` of the module so named.
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


@click.command(
    "didit",
    cls=LazyGroup,
    package=__name__,
    table=COMMANDS,
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
