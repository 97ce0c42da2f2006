"""`facematch didit login`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options


@click.command("login", short_help="Check an e-mail address and a password.")
@_options.email
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option(
    "--token-file",
    type=_options.FILE,
    metavar="FILE",
    help="Write the access token there, for calls of your own; only you can read it.",
)
@_options.force
@_options.address
@_options.as_json
def command(
    email: str,
    password_stdin: bool,
    token_file: Path | None,
    force: bool,
    as_json: bool,
    **address: Any,
) -> None:
    """Check that EMAIL and its password are accepted.

    The other commands need the key and not this. After five failures Didit closes the account for
    15 minutes.
    """
    import contextlib

    from facematch_didit.account import DiditAccount

    from . import _asking
    from ._printing import document, say
    from ._private_file import private_file

    with contextlib.ExitStack() as opened:
        keep = None
        if token_file is not None:
            replace = _asking.may_replace(token_file, force=force)
            keep = opened.enter_context(private_file(token_file, replace=replace))
        password = _asking.secret_of("password", stdin=password_stdin)
        account = opened.enter_context(DiditAccount(**_options.of_account(address)))
        tokens = account.login(email, password)
        if keep is not None:
            keep(tokens.access_token)
    if as_json:
        path = None if token_file is None else str(token_file)
        document({"expires_in_s": tokens.expires_in_s, "token_file": path})
        return
    say("E-mail address and password are accepted.")
    if token_file is not None:
        lifetime = "" if tokens.expires_in_s is None else f", good for {tokens.expires_in_s:g} s"
        say(f"The access token is in {token_file}{lifetime}; only you can read it.")
