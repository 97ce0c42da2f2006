"""`facematch didit balance`."""

from __future__ import annotations

from typing import Any

import click

from . import _options


@click.command("balance", short_help="Show the credit.")
@_options.where
@_options.as_json
def command(as_json: bool, **where: Any) -> None:
    """Show the credit of the organization that the key belongs to, in US dollars."""
    from ._opening import Where, opened
    from ._printing import document, say
    from ._texts import balance_document, balance_lines

    with opened(Where(**where)) as account:
        balance = account.balance()
    if as_json:
        document(balance_document(balance))
        return
    for line in balance_lines(balance):
        say(line)
