"""`facematch budget`: what is spent, reserved and unknown; and what became of the unknown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from . import _exit, _options

Command = TypeVar("Command", bound=Callable[..., Any])


def _place(command: Command) -> Command:
    """Where the budgets are."""
    options = (
        click.option(
            "--store",
            metavar="URL",
            help="Where attempts are remembered: sqlite:///FILE, postgresql+psycopg://..., or the "
            "name of an SQLite file.",
        ),
        click.option(
            "--profile",
            metavar="NAME",
            help="A profile: who is asked by `reconcile` and, without --store, whose store. By "
            "default the default profile.",
        ),
        click.option(
            "--config",
            metavar="FILE",
            type=click.Path(),
            help="The configuration file; by default ./facematch.toml or the user's own.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _given(context: click.Context, own: dict[str, Any]) -> dict[str, Any]:
    """Options of a subcommand over those that stand before its name."""
    before: dict[str, Any] = context.obj or {}
    return {name: before.get(name) if value is None else value for name, value in own.items()}


@click.group(
    "budget",
    invoke_without_command=True,
    short_help="Show what is spent, reserved and unknown; settle what is unknown.",
)
@_place
@click.option("--all", "everything", is_flag=True, help="Also days and runs that are over.")
@_options.as_json
@click.pass_context
def command(
    context: click.Context, /, everything: bool, as_json: bool, store: str | None, **where: Any
) -> int | None:
    """Show what is spent, reserved and unknown of each budget, and what is free.

    Unknown is what may have been charged: answers that were lost, and what a process left behind
    that ended in the middle. It stays set aside until `reconcile` or `settle` says what became of
    it. Nothing is sent.
    """
    context.obj = {"store": store, **where}
    if context.invoked_subcommand is not None:
        return None
    from facematch_core._clock import SystemClock

    from ._budget import Found, stores_of
    from ._budget_text import entry_document, show_entries, show_sums, sum_document
    from ._opening import Where

    now = SystemClock().now()
    with stores_of(store, Where(**where)) as stores:
        found = Found.of(stores, now)
    sums = [one for _, one in found.sums] if everything else found.current(now)
    entries = [entry for _, entry in found.entries]
    if as_json:
        told = {
            "budgets": [sum_document(one) for one in sums],
            "open": [entry_document(entry) for entry in entries],
        }
        click.echo(json.dumps(told, indent=2))
    elif sums:
        show_sums(sums)
        if entries:
            click.echo("")
            show_entries(entries)
    else:
        click.echo("no budget was used yet")
    return _exit.OK


@command.command("reconcile", short_help="Look for what is unknown in the vendor's records.")
@_place
@_options.as_json
@click.pass_context
def reconcile(context: click.Context, /, as_json: bool, **own: Any) -> int:
    """Look for each unknown attempt in its vendor's records, and settle what is found.

    Only calls that the vendor was asked to keep can be found. Looking charges nothing. The exit
    code is 3 if something stays unknown.
    """
    from facematch_core._clock import SystemClock

    from ._budget import Found, store_at, stores_in
    from ._budget_settling import ending, look, show_looked
    from ._opening import Where, opened

    given = _given(context, own)
    store = given.pop("store")
    now = SystemClock().now()
    with opened(Where(**given)) as verifier:
        stores = stores_in(verifier) if store is None else [store_at(store)]
        try:
            looked = look(Found.of(stores, now), verifier, now)
        finally:
            for one in stores:
                one.close()
    if as_json:
        click.echo(json.dumps({"attempts": [one.document() for one in looked]}, indent=2))
    else:
        show_looked(looked)
    return ending(looked)


@command.command("settle", short_help="Say yourself whether an attempt was charged.")
@click.argument("attempt_id", metavar="ATTEMPT")
@click.option("--charged", is_flag=True, help="The vendor's invoice has it.")
@click.option("--not-charged", "free", is_flag=True, help="It has not. One of the two is needed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_place
@_options.as_json
@click.pass_context
def settle(
    context: click.Context,
    /,
    *,
    attempt_id: str,
    charged: bool,
    free: bool,
    yes: bool,
    as_json: bool,
    **own: Any,
) -> int:
    """Say whether an unknown attempt was charged, as the vendor's invoice or support told you.

    It asks first. What is settled is settled for good.
    """
    from facematch_core._clock import SystemClock
    from facematch_core._enums import Billed

    from ._budget import Found, stores_of
    from ._budget_settling import chosen, confirm
    from ._budget_text import entry_document
    from ._opening import Where

    if charged is free:
        raise click.UsageError("Say --charged or --not-charged, one of the two.")
    given = _given(context, own)
    store = given.pop("store")
    now = SystemClock().now()
    word, billed = ("charged", Billed.YES) if charged else ("not charged", Billed.NO)
    with stores_of(store, Where(**given)) as stores:
        entries = chosen(Found.of(stores, now), attempt_id)
        confirm(f"Settle attempt {attempt_id} as {word}, for good?", yes=yes)
        for place, entry in entries:
            place.settle(entry, billed, at=now)
    if as_json:
        told = [{**entry_document(entry), "charged": charged} for _, entry in entries]
        click.echo(json.dumps({"attempts": told}, indent=2))
    else:
        click.echo(f"{attempt_id}: {word}")
    return _exit.OK
