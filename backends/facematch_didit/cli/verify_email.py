"""`facematch didit verify-email`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import _options


@click.command(
    "verify-email", short_help="Hand in the code; the answer is the key, kept in a file."
)
@_options.email
@click.option("--code-stdin", is_flag=True, help="Read the code from standard input.")
@click.option(
    "--key-file",
    type=_options.FILE,
    metavar="FILE",
    help="Where the key goes; by default didit.key in the user's folder of configuration.",
)
@_options.force
@click.option("--show-key", is_flag=True, help="Print the key as well.")
@_options.address
@_options.as_json
def command(
    *,
    email: str,
    code_stdin: bool,
    key_file: Path | None,
    force: bool,
    show_key: bool,
    as_json: bool,
    **address: Any,
) -> None:
    """Hand in the code that Didit sent to EMAIL.

    Didit answers with the application's key. It goes into a file that only you can read.
    """
    from facematch_didit.account import DiditAccount

    from . import _accounts, _asking
    from ._printing import document
    from ._private_file import private_file

    path = key_file or _accounts.usual_key_file()
    replace = _asking.may_replace(path, force=force)
    code = _asking.secret_of("code", stdin=code_stdin)
    with (
        private_file(path, replace=replace) as keep,
        DiditAccount(**_options.of_account(address)) as account,
    ):
        verified = account.verify_email(email, code)
        keep(verified.api_key)
    if as_json:
        document(_accounts.verified_document(verified, path, show_key=show_key))
    else:
        _accounts.show_verified(verified, path, show_key=show_key)
