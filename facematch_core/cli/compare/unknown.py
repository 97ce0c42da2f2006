"""`facematch compare unknown`: what may have been charged without an answer."""

from __future__ import annotations

import json
from typing import Any

import click

from facematch_core._enums import Billed
from facematch_core.cli import _exit, _options
from facematch_core.cli._budget_settling import confirm

from . import _unknown
from ._journals import journal_at, store_option


@click.command(
    "unknown", short_help="List what may have been charged without an answer; settle it."
)
@store_option
@click.option("--study", metavar="NAME", help="Of one study only.")
@click.option(
    "--reconcile",
    is_flag=True,
    help="Look for each call in its vendor's records, which charges nothing. Only calls that the "
    "vendor was asked to keep can be found.",
)
@click.option("--settle", metavar="ATTEMPT", help="Say what became of one call; with one of:")
@click.option("--charged", is_flag=True, help="The vendor's invoice has it: never asked again.")
@click.option(
    "--not-charged", "free", is_flag=True, help="It has not: asked again by the next run."
)
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file of the contenders' profiles, for --reconcile and --settle.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --settle.")
@_options.as_json
def command(*, store: str, study: str | None, as_json: bool, **given: Any) -> int:
    """List the pairs whose call may have been charged, or was, and has no answer.

    They are not asked again by themselves. --reconcile looks for them, --settle says what the
    vendor's invoice or support told you, for good. Budgets are told as well.
    """
    if given["settle"] is None and (given["charged"] or given["free"]):
        raise click.UsageError("--charged and --not-charged go with --settle ATTEMPT.")
    if given["settle"] is not None and given["charged"] is given["free"]:
        raise click.UsageError("Say --charged or --not-charged, one of the two.")
    if given["settle"] is not None and given["reconcile"]:
        raise click.UsageError("Either --reconcile or --settle.")
    with journal_at(store) as journal:
        open_ones = _unknown.OpenOnes(journal, study, given["config"])
        open_ones.recover()
        if given["settle"] is not None:
            billed = Billed.YES if given["charged"] else Billed.NO
            return _settle(open_ones, given["settle"], billed, yes=given["yes"], as_json=as_json)
        looked = open_ones.reconcile() if given["reconcile"] else ()
        left = open_ones.left()
    if as_json:
        told: dict[str, Any] = {"open": [_unknown.document(one) for one in left]}
        if given["reconcile"]:
            told["looked"] = [_unknown.looked_document(one) for one in looked]
        click.echo(json.dumps(told, indent=2))
    else:
        _unknown.show(left, looked, store)
    return _unknown.ending(looked)


def _settle(
    open_ones: _unknown.OpenOnes, attempt_id: str, billed: Billed, *, yes: bool, as_json: bool
) -> int:
    contender, left = open_ones.chosen(attempt_id)
    word = "charged" if billed is Billed.YES else "not charged"
    confirm(f"Settle attempt {attempt_id} of {contender.name} as {word}, for good?", yes=yes)
    open_ones.settle(contender, left, billed)
    if as_json:
        click.echo(
            json.dumps({**_unknown.document(left), "charged": billed is Billed.YES}, indent=2)
        )
    else:
        click.echo(f"{attempt_id}: {word}")
    return _exit.OK
