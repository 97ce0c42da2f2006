"""`facematch compare plan`: how many comparisons a claim needs, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import click

from facematch_core.cli import common
from facematch_core.cli.common import Exit, print_table, say
from facematch_core.comparison._plan import Less, Need, StudyPlan, plan_study
from facematch_core.resilience.budget import format_amount

from ._amounts import amount, price_options, prices_of


@click.command("plan", short_help="How many comparisons a claim needs, and what they cost.")
@click.option(
    "--fmr",
    required=True,
    callback=common.rate,
    metavar="RATE",
    help="The FMR that is to be shown, such as 1e-4: two people taken for one.",
)
@click.option(
    "--fnmr",
    required=True,
    callback=common.rate,
    metavar="RATE",
    help="The FNMR that is to be shown, such as 0.01: one person taken for two.",
)
@price_options("What one comparison of a vendor costs; may be repeated.")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="AMOUNT",
    help="Money for each vendor: what it can still show. May be repeated; by default parts of what "
    "the whole costs.",
)
@click.option(
    "--confidence",
    default="0.95",
    callback=common.rate,
    metavar="RATE",
    help="Confidence of the claims, one-sided; 0.95 by default.",
)
@click.option(
    "--no-split",
    is_flag=True,
    help="For `compare report --no-split`, which judges thresholds on the pairs that chose them.",
)
@common.as_json
def command(
    *,
    fmr: float,
    fnmr: float,
    prices: Mapping[str, str],
    currency: str,
    budgets: Iterable[str],
    confidence: float,
    no_split: bool,
    as_json: bool,
) -> int:
    """How many comparisons two claims need, what they cost, and what less money can show.

    \b
    facematch compare plan --fmr 1e-4 --fnmr 0.01 --price didit=0.05

    Half of the people choose the thresholds and the other half judges them: twice as many pairs are
    drawn as are judged. The numbers hold for pairs that are independent of each other. Pairs that
    share a person are worth less; the report of a study says how much less its own were.
    """
    if budgets and not prices:
        raise click.UsageError("--budget needs prices: say --price NAME=AMOUNT for each vendor.")
    made = plan_study(
        fmr=fmr,
        fnmr=fnmr,
        prices=prices_of(prices, currency),
        budgets=[amount("--budget", text) for text in budgets],
        confidence=confidence,
        split=not no_split,
    )
    if as_json:
        common.print_json(_document(made, currency))
    else:
        _show(made, currency)
    return Exit.OK


def _show(made: StudyPlan, currency: str) -> None:
    say(f"To show, with {100 * made.confidence:g} % confidence (one-sided),")
    say(f"  an FMR of at most {made.fmr:g} (1 in {1 / made.fmr:,.0f}) and")
    say(f"  an FNMR of at most {made.fnmr:g} (1 in {1 / made.fnmr:,.0f}):")
    say()
    vendors = [*made.needs[0].cost]
    header = ["errors of each kind", "mated", "non-mated"]
    header += ["draw: mated", "draw: non-mated"] if made.split else []
    header += ["in all", *(f"{vendor}, {currency}" for vendor in vendors)]
    print_table(header, [_row(need, split=made.split) for need in made.needs])
    say()
    say(
        "The first line is the floor: one error of a kind, and that claim is not shown. Take a "
        "lower line: a threshold is chosen on other people, so that even a perfect vendor is seen "
        "with an error in about half of the studies on the first line. All pairs of different "
        "people, as far as possible.",
        hang=0,
    )
    if made.split:
        say(
            "Half of the people choose the thresholds, the other half judges them: of pairs drawn "
            "with `compare draw --split` half is judged, of others even fewer.",
            hang=0,
        )
    if not made.less:
        return
    say()
    say("What less money shows at best, without one error:")
    say()
    rows = [
        (
            one.vendor,
            _money(one.budget),
            f"{one.mated:,}",
            f"{one.non_mated:,}",
            _rate(one.fmr),
            _rate(one.fnmr),
        )
        for one in made.less
    ]
    kinds = ["draw: mated", "draw: non-mated"] if made.split else ["mated", "non-mated"]
    header = ["vendor", currency, *kinds, "FMR at most", "FNMR at most"]
    print_table(header, rows)


def _row(need: Need, *, split: bool) -> list[str]:
    numbers = [need.mated, need.non_mated]
    numbers += [need.draw_mated, need.draw_non_mated] if split else []
    numbers += [need.draw_mated + need.draw_non_mated]
    errors = "none" if not need.errors else f"up to {need.errors}"
    return [errors, *(f"{number:,}" for number in numbers), *map(_money, need.cost.values())]


def _money(value: Decimal) -> str:
    text = f"{value:,f}"
    whole, point, part = text.partition(".")
    return whole + point + part.rstrip("0").ljust(2, "0") if point else text


def _rate(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.2g}"


def _document(made: StudyPlan, currency: str) -> dict[str, Any]:
    return {
        "fmr": made.fmr,
        "fnmr": made.fnmr,
        "confidence": made.confidence,
        "split": made.split,
        "currency": currency,
        "needs": [_need(need) for need in made.needs],
        "less": [_less(one) for one in made.less],
    }


def _need(need: Need) -> dict[str, Any]:
    return {
        "errors": need.errors,
        "mated": need.mated,
        "non_mated": need.non_mated,
        "draw_mated": need.draw_mated,
        "draw_non_mated": need.draw_non_mated,
        # As text, so that amounts stay exact.
        "cost": {vendor: format_amount(cost) for vendor, cost in need.cost.items()},
    }


def _less(one: Less) -> dict[str, Any]:
    return {
        "vendor": one.vendor,
        "budget": format_amount(one.budget),
        "mated": one.mated,
        "non_mated": one.non_mated,
        "fmr": one.fmr,
        "fnmr": one.fnmr,
    }
