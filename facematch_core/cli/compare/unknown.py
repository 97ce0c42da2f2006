"""`facematch compare unknown`: what may have been charged without an answer."""

from __future__ import annotations

from typing import Any

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, confirm, say
from facematch_core.models import Charged

from . import _unknown
from ._journals import journal_at, store_option


@click.command(
    "unknown", short_help="List what may have been charged without an answer; settle it."
)
@store_option
@click.option("--study", metavar="NAME", help="Only calls of this study.")
@click.option(
    "--reconcile",
    is_flag=True,
    help="Look for each call in its vendor's records, which charges nothing. Only calls that the "
    "vendor was asked to keep can be found.",
)
@click.option(
    "--settle",
    metavar="ATTEMPT",
    help="Say what became of one call, with --charged or --not-charged.",
)
@click.option("--charged", is_flag=True, help="It is on the vendor's invoice: never asked again.")
@click.option("--not-charged", "free", is_flag=True, help="It is not: the next run asks again.")
@click.option(
    "--config",
    metavar="FILE",
    type=click.Path(),
    help="The configuration file of the contenders' profiles, for --reconcile and --settle.",
)
@click.option("--yes", is_flag=True, help="Do not ask before --settle.")
@common.as_json
def command(*, store: str, study: str | None, as_json: bool, **given: Any) -> int:
    """List the pairs whose call may have been charged, or was, and has no answer.

    They are not asked again by themselves. --reconcile looks for them, --settle says what the
    vendor's invoice or support told you, for good. Budgets are updated, too.
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
            billed = Charged.YES if given["charged"] else Charged.NO
            return _settle(open_ones, given["settle"], billed, yes=given["yes"], as_json=as_json)
        looked = open_ones.reconcile() if given["reconcile"] else ()
        left = open_ones.left()
    if as_json:
        told: dict[str, Any] = {"open": [_unknown.document(one) for one in left]}
        if given["reconcile"]:
            told["looked"] = [_unknown.looked_document(one) for one in looked]
        common.print_json(told)
    else:
        _unknown.show(left, looked, store)
    return _unknown.ending(looked)


def _settle(
    open_ones: _unknown.OpenOnes, attempt_id: str, billed: Charged, *, yes: bool, as_json: bool
) -> int:
    contender, left = open_ones.chosen(attempt_id)
    word = "charged" if billed is Charged.YES else "not charged"
    confirm(f"Settle attempt {attempt_id} of {contender.name} as {word}, for good?", yes=yes)
    open_ones.settle(contender, left, billed)
    if as_json:
        common.print_json({**_unknown.document(left), "charged": billed is Charged.YES})
    else:
        say(f"{attempt_id}: {word}")
    return Exit.OK
