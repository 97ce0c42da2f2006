"""`facematch didit top-up`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import click

from . import _options


def _amount(_context: click.Context, _option: click.Parameter, typed: str) -> Decimal:
    try:
        return Decimal(typed)
    except InvalidOperation:
        raise click.UsageError(
            f"AMOUNT is in US dollars, as 50 or 75.50, not {typed[:60]!r}."
        ) from None


@click.command("top-up", short_help="Have a payment page made.")
@click.argument("amount", callback=_amount)
@click.option("--success-url", metavar="URL", help="Where the page leads after the payment.")
@click.option("--cancel-url", metavar="URL", help="Where it leads if nothing is paid.")
@_options.yes
@_options.where
@_options.as_json
def command(
    amount: Decimal,
    success_url: str | None,
    cancel_url: str | None,
    yes: bool,
    as_json: bool,
    **where: Any,
) -> None:
    """Have a page made on which somebody can pay AMOUNT US dollars, at least 50.

    Nothing is paid, and the balance stays, until somebody pays there. The page's address is
    printed: it tells whose account it is.
    """
    from . import _asking
    from ._opening import Where, opened
    from ._printing import document, say

    place = Where(**where)
    with opened(place) as account:
        _asking.confirm(
            f"Have a payment page for {amount:f} USD made, with {place.key_from()}?", yes=yes
        )
        page = account.top_up(amount, success_url=success_url, cancel_url=cancel_url)
    if as_json:
        document({"checkout_id": page.checkout_id, "page": page.page.reveal()})
        return
    say(page.page.reveal())
    say("Nothing is paid until somebody pays there; `facematch didit balance` tells.", err=True)
