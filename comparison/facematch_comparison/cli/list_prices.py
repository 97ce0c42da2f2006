"""`--price NAME=list`: the list price of a vendor, with its source and day."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import click

from facematch_core import available_backends
from facematch_core.cli.text import say
from facematch_core.config.plugins import find_beside

#: Copies of former years are no prices of today.
OLDEST_YEAR: Final = 2025


def read_facts() -> dict[str, dict[str, Any]]:
    """Return the facts about each vendor, by name: `facts.toml` beside its backend."""
    facts = {}
    for backend in available_backends():
        file = find_beside(backend.target.partition(":")[0], "facts.toml")
        if file is not None and backend.problem is None:
            facts[backend.name] = tomllib.loads(file.read_text("utf-8"))
    return facts


def list_price(fact: Mapping[str, Any], what: str) -> Mapping[str, Any] | None:
    """Return the first list price of a check in the facts of a vendor; None if it must be asked.

    What others say, and what was copied before 2025, is no list price.
    """
    for line in fact.get("prices", ()):
        is_known = line["trust"] in ("vendor", "copied") and re.fullmatch(r"[\d.]+", line["price"])
        year = re.search(r"20\d\d", line["dated"])
        is_recent = year is None or int(year[0]) >= OLDEST_YEAR
        if line["what"] == what and line["per"] == 1 and is_known and is_recent:
            found: Mapping[str, Any] = line
            return found
    return None


def with_list_prices(prices: Mapping[str, str], *, currency: str, what: str) -> dict[str, str]:
    """Return the prices by system, with a vendor's list price in place of the word ``list``.

    Each list price is printed with its source and the day on which it was read.

    Raises click.UsageError if there is no list price of that operation in that currency.
    """
    return {
        name: _look_up(name, currency=currency, what=what) if text == "list" else text
        for name, text in prices.items()
    }


def _look_up(name: str, *, currency: str, what: str) -> str:
    """Return the list price of a call as text, and print its source and day.

    Raise UsageError if no list price is known, or if it is in another currency.
    """
    line = list_price(read_facts().get(name, {}), what)
    if line is None:
        raise click.UsageError(
            f"--price {name[:40]}=list: no list price of a {what} is known. Ask the vendor, and "
            f"give the amount: {name[:40]}=0.05."
        )
    if line["currency"] != currency:
        raise click.UsageError(
            f"--price {name}=list: the list price is in {line['currency']}, not in {currency}. "
            "Give the amount."
        )
    say(
        f"note: {name}: {line['currency']} {line['price']} a {what}, {line['source']} (read "
        f"{line['read']})",
        err=True,
    )
    return str(line["price"])
