"""`facematch didit resend-code`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("resend-code", short_help="Have another code sent.")
@_options.email
@_options.address
@_options.as_json
def command(email: str, as_json: bool, **address: Any) -> None:
    """Have another code sent to EMAIL; a minute must pass between two."""
    from facematch_didit.account import DiditAccount

    from ._printing import document, say

    with DiditAccount(**_options.of_account(address)) as account:
        account.resend_code(email)
    if as_json:
        document({"email": email})
        return
    say(f"Didit sends another code to {email}.")
    say(f"Next: facematch didit verify-email {email}")
