"""`facematch didit register`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("register", short_help="Open an account; a code comes by e-mail.")
@_options.email
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@_options.address
@_options.as_json
def command(email: str, password_stdin: bool, as_json: bool, **address: Any) -> None:
    """Open an account for EMAIL at Didit, who sends a code there.

    `facematch didit verify-email` takes the code. The password is asked for, never an argument: at
    least eight characters, with a capital and a small letter, a digit and a special character.
    """
    from facematch_didit.account import DiditAccount

    from ._asking import secret_of
    from ._printing import document, say

    password = secret_of("password", stdin=password_stdin, twice=True)
    with DiditAccount(**_options.of_account(address)) as account:
        registered = account.register(email, password)
    if as_json:
        document({"email": registered.email, "message": registered.message})
        return
    say(f"Registered. Didit sends a code to {registered.email}, good for 10 to 15 minutes.")
    say(f"Next: facematch didit verify-email {registered.email}")
