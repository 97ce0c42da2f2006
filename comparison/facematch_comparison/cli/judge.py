"""`facematch compare plan`, `report`, `gate`, `threshold`: from answers to decisions.

They read what was answered before; nobody is asked anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from facematch_core.cli.common import (
    Exit,
    check_target,
    file_option,
    number,
    print_json,
    print_table,
    say,
    write_json,
)

from . import common

if TYPE_CHECKING:
    from facematch_comparison.gate import Requirements, Verdict
    from facematch_comparison.model import Evaluation, Rate, System
    from facematch_comparison.plan import DifferenceNeed, Less, Need, StudyPlan
    from facematch_core.calibration import Calibration, CalibrationPoint

#: What less money is shown with: no rate that it can show is higher, for that shows nothing.
MOST_OF_LESS: Final = 0.5

# --- plan -----------------------------------------------------------------------------------------


@click.command("plan")
@common.rate_option(
    "--fmr",
    "The false match rate (FMR) to show, such as 1e-4: how often strangers pass.",
    required=True,
)
@common.rate_option(
    "--frr",
    "The false rejection rate (FRR) to show, such as 0.01: how often genuine people fail.",
    required=True,
)
@common.price_option("What one comparison by a vendor costs; may be repeated.")
@common.currency
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="AMOUNT",
    help="Also: what this much money for each vendor can show. May be repeated; by default, "
    "fractions of the full cost.",
)
@common.rate_option(
    "--confidence",
    "Confidence of the claims, one-sided; 0.95 by default.",
    read=common.confidence,
    default="0.95",
)
@common.split
@click.option(
    "--difference",
    nargs=2,
    callback=common.rate,
    metavar="FRR FRR",
    help="Also: how many mated pairs it takes to show that systems with these FRRs differ.",
)
@common.rate_option(
    "--power", "With --difference: the chance of finding it; 0.8 by default.", default="0.8"
)
@common.count_option(
    "--systems",
    "With --difference: how many systems are compared, two at a time; 2 by default.",
    least=2,
    default=2,
)
@common.json_flag
def plan(*, budgets: Iterable[str], as_json: bool, **given: Any) -> int:
    """How many pairs it takes to show an FMR and an FRR, what they cost, and what less money shows.

    \b
    facematch compare plan --fmr 1e-4 --frr 0.01 --price didit=0.05
    facematch compare plan --fmr 1e-3 --frr 0.01 --difference 0.02 0.04

    The numbers hold for pairs that are independent of each other. Pairs that share a person are
    worth less; the report says how much less.
    """
    prices = given["prices"]
    if budgets and not prices:
        raise click.UsageError("--budget needs prices: say --price NAME=AMOUNT for each vendor.")
    from facematch_comparison.plan import DifferencePlan, plan_study

    difference = None
    if given["difference"]:
        first, second = given["difference"]
        difference = DifferencePlan(
            first=first, second=second, power=given["power"], systems=given["systems"]
        )
    made = plan_study(
        fmr=given["fmr"],
        frr=given["frr"],
        prices=prices,
        budgets=[common.amount("--budget", text) for text in budgets],
        confidence=given["confidence"],
        split=given["split"],
        difference=difference,
    )
    currency = given["currency"] or common.CURRENCY
    if as_json:
        print_json({**made.to_dict(), "currency": currency})
    else:
        # A budget that somebody named is answered, whatever it buys.
        _show_plan(made, currency, every=bool(budgets))
    return Exit.OK


def _show_plan(made: StudyPlan, currency: str, *, every: bool) -> None:
    sure = f"{100 * made.confidence:g} %"
    say(f"To show, with {sure} confidence (one-sided),")
    say(f"  an FMR of at most {made.fmr:g} (1 in {1 / made.fmr:,.0f}) and")
    say(f"  an FRR of at most {made.frr:g} (1 in {1 / made.frr:,.0f}):")
    say()
    prices = [f"{vendor}, {currency}" for vendor in made.needs[0].cost]
    draw = ["draw: mated", "draw: non-mated"] if made.split else []
    rows = [
        ["none" if not need.errors else f"up to {need.errors}", *_needed(need, split=made.split)]
        for need in made.needs
    ]
    print_table(["errors of each kind", "mated", "non-mated", *draw, "in all", *prices], rows)
    say()
    say(
        "The first row allows no error at all. Even a vendor eight times better than your limits "
        "fails it about half the time; choose a lower row. Use pairs of as many people as you can.",
    )
    if made.split:
        say(
            "Thresholds are chosen on half of the people and judged on the other half: half of the "
            "pairs of `compare draw --split` are judged, and fewer of any others.",
        )
    less = [one for one in made.less if every or _shows_something(one)]
    if less:
        say()
        say("What less money shows at best, without one error:")
        say()
        rows = [
            [one.vendor, _money(one.budget), f"{one.mated:,}", f"{one.non_mated:,}"]
            + ["nothing" if rate is None else f"{rate:.2g}" for rate in (one.fmr, one.frr)]
            for one in less
        ]
        kinds = draw or ["mated", "non-mated"]
        print_table(["vendor", currency, *kinds, "FMR at most", "FRR at most"], rows)
    if made.difference is not None:
        _show_difference(made, made.difference, [*draw, "in all", *prices])


def _shows_something(less: Less) -> bool:
    """Whether so little money shows anything: of a rate above a half nobody needs a proof."""
    return all(rate is not None and rate <= MOST_OF_LESS for rate in (less.fmr, less.frr))


def _show_difference(made: StudyPlan, need: DifferenceNeed, more: list[str]) -> None:
    of = need.of
    several = f", one of {of.systems}" if of.systems > 2 else ""
    say()
    say(
        f"To find, with a chance of {100 * of.power:g} %, that systems{several} with an FRR of "
        f"{of.first:g} and {of.second:g} at that FMR differ:",
    )
    say()
    row = [f"{need.people:,}", *_needed(need, split=made.split)]
    print_table(["people, at least", "mated", "non-mated", *more], [row])


def _needed(need: Need | DifferenceNeed, *, split: bool) -> list[str]:
    numbers = [need.mated, need.non_mated]
    numbers += [need.draw_mated, need.draw_non_mated] if split else []
    numbers += [need.draw_mated + need.draw_non_mated]
    return [*(f"{number:,}" for number in numbers), *map(_money, need.cost.values())]


def _money(value: Decimal) -> str:
    text = f"{value:,f}"
    whole, point, part = text.partition(".")
    return whole + point + part.rstrip("0").ljust(2, "0") if point else text


# --- report ---------------------------------------------------------------------------------------


@click.command("report")
@common.source
@common.out_option("Write the page (.html) or the same as JSON (.json); may be repeated.")
@common.aims
@common.split
@common.seed
@common.costs
@common.price_option("What one call to a system costs; may be repeated.")
@common.currency
@click.option(
    "--gallery",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Put up to N wrong pairs of each system and kind into the page, with their pictures: the "
    "file then holds faces.",
)
@common.pairs("pictures")
@common.force
@common.json_flag
def report(*, outs: tuple[Path, ...], as_json: bool, **given: Any) -> int:
    """Judge what systems answered: how many genuine people each turns away, and how sure that is.

    \b
    facematch compare report --store study.sqlite3 --out report.html \\
      --out report.json
    facematch compare report --scores scores.csv --fmr 1e-4 --out report.html
    facematch compare report --cost-false-match 500 --cost-false-reject 2 \\
      --impostors 0.01

    Prints the verdict in one sentence and one table. The page loads nothing, and holds no picture
    unless --gallery asks for it.
    """
    common.check_outs(outs, overwrite=given["force"])
    if given["gallery"] and not any(common.is_page(path) for path in outs):
        raise click.UsageError("--gallery goes with a page: name one with --out FILE.html.")
    costs = common.costs_of(given)
    source = common.answers_from(given)
    evaluation = source.evaluated(
        required_fmr=given["fmr"],
        confidence=given["confidence"],
        split=given["split"],
        seed=given["seed"],
        costs=costs,
    )
    gallery = None
    if given["gallery"]:
        study = common.study_of(source, given["pairs"])
        gallery = [
            pair
            for one, system in zip(source.answers, evaluation.systems, strict=True)
            if system.point is not None
            for pair in common.wrong_pairs(
                source, one, system.point.threshold, study, most=given["gallery"], pictures=True
            )
        ]
    common.write_outs(outs, evaluation, gallery=gallery)
    if as_json:
        print_json(evaluation.to_dict())
        return Exit.OK
    show_evaluation(evaluation)
    for path in outs:
        say(f"written to {path}")
    if gallery:
        common.warn_of_faces(outs)
    return Exit.OK


def show_evaluation(evaluation: Evaluation) -> None:
    """Print the verdict, then one line for each system."""
    common.say_headline(evaluation)
    say()
    sure = f"{100 * evaluation.confidence:g} %"
    header = ["system", "threshold", "FRR", f"FRR, {sure}", "FMR", f"FMR, {sure}", "answered"]
    cost = any(_cost(one) is not None for one in evaluation.systems)
    if cost:
        header.append("an attempt costs")
    rows = []
    for one in evaluation.systems:
        at = one.point
        row = [one.name, "-" if at is None or at.threshold is None else number(at.threshold)]
        row += [*_shares(None if at is None else at.frr), *_shares(None if at is None else at.fmr)]
        row.append(f"{one.service.calls - one.service.answered.errors:,}")
        rows.append([*row, _cost(one) or "-"] if cost else row)
    print_table(header, rows)
    for one in evaluation.systems:
        if one.at_required is None and one.why_not:
            say(f"{one.name}: {one.why_not}")
    for caveat in evaluation.caveats:
        if caveat.code == "no_price":
            say(caveat.text)


def _shares(rate: Rate | None) -> tuple[str, str]:
    """A rate and its interval, in percent."""
    from facematch_comparison.numbers import percent

    if rate is None or rate.value is None or rate.interval is None:
        return "-", "-"
    low, high = rate.interval.low, rate.interval.high
    value, least, most = (f"{percent(one, high - low)} %" for one in (rate.value, low, high))
    return value, f"{least} to {most}"


def _cost(one: System) -> str | None:
    """What an attempt costs at the operating point that is judged first."""
    from facematch_comparison.numbers import money

    at = one.cost and (one.cost.at_required or one.cost.at_default)
    if not at:
        return None
    return money(at.expected.value, at.expected.interval.high - at.expected.interval.low)


# --- gate -----------------------------------------------------------------------------------------


def _no_profile(_context: click.Context, _option: click.Parameter, given: str | None) -> None:
    if given is not None:
        raise click.UsageError(
            f"Requirements are named with --requirements {given[:60]}: a profile is how a backend "
            "is set up."
        )


@click.command("gate")
@common.source
@file_option(
    "--report",
    "Instead: what `compare report` wrote as JSON, for the FMR that the requirements need.",
    to="written",
    metavar="JSON",
)
@click.option(
    "--requirements",
    required=True,
    metavar="NAME|FILE",
    help="The requirements: sp800-63a, or the file (.toml) of your own.",
)
@click.option("--profile", hidden=True, expose_value=False, is_eager=True, callback=_no_profile)
@click.option(
    "--system",
    "systems",
    multiple=True,
    metavar="NAME",
    help="Judge this system; may be repeated. By default all, and all must pass.",
)
@file_option(
    "--calibration",
    "If one system passes: write the threshold that was judged to a file that verifiers read.",
)
@common.valid_days
@common.split
@common.seed
@common.price_option("What one call to a system costs; may be repeated.")
@common.currency
@common.allow_mock
@common.force
@common.json_flag
def gate(*, requirements: str, as_json: bool, **given: Any) -> int:
    """Judge systems by your requirements.

    \b
    facematch compare gate --store study.sqlite3 --requirements sp800-63a
    facematch compare gate --scores scores.csv --requirements our-door.toml \\
      --calibration a.json

    PASS (exit code 0): the upper bounds of FMR and FRR are within the limits at one threshold.
    FAIL (1): a lower bound is beyond, and no other threshold would do. INCONCLUSIVE (3): neither;
    it says how many more comparisons would decide, at what price. Failures to acquire count as
    errors.
    """
    from facematch_comparison.gate import Outcome, judge, read_requirements

    calibration: Path | None = given["calibration"]
    if calibration is not None:
        check_target("--calibration", calibration, force=given["force"])
    wanted = read_requirements(requirements)
    evaluation = _gated(given, wanted)
    verdict = judge(evaluation, wanted, systems=given["systems"], allow_mock=given["allow_mock"])
    if as_json:
        print_json(verdict.to_dict())
    else:
        _show_verdict(verdict)
    if calibration is not None:
        shipped = _shipped(evaluation, verdict, given)
        if shipped is None:
            say(f"{calibration} was not written: nothing passed.", err=True)
        else:
            write_json(calibration, shipped.to_dict())
            say(f"written to {calibration}", err=as_json)
    codes = {Outcome.PASS: Exit.OK, Outcome.FAIL: Exit.NO, Outcome.INCONCLUSIVE: Exit.LOOK}
    return codes[verdict.outcome]


def _gated(given: Mapping[str, Any], requirements: Requirements) -> Evaluation:
    written: Path | None = given["written"]
    if written is None:
        return common.answers_from(given).evaluated(
            required_fmr=requirements.required_fmr,
            confidence=requirements.evaluation_confidence,
            split=given["split"],
            seed=given["seed"],
        )
    if any(given[name] is not None for name in ("store", "study", "scores")):
        raise click.UsageError("--report goes without --store, --study and --scores.")
    if given["split"]:
        raise click.UsageError("--split goes without --report, which was split or not when made.")
    evaluation = common.report_from(written)
    systems = evaluation.systems
    prices = common.prices_of(given, {one.name: one.service.currency for one in systems})
    priced = [
        attrs.evolve(one, service=attrs.evolve(one.service, **prices.get(one.name, {})))
        for one in systems
    ]
    return attrs.evolve(evaluation, systems=tuple(priced))


def _shipped(evaluation: Evaluation, verdict: Verdict, given: Mapping[str, Any]) -> Any:
    """The threshold that was judged, as a calibration; None unless its system passes.

    Raises:
        click.UsageError: several systems were judged, or a threshold that is no choice of ours.
    """
    from facematch_comparison.calibration import calibration_of
    from facematch_comparison.gate import At, Outcome

    requirements = verdict.requirements
    if len(verdict.systems) > 1:
        raise click.UsageError(
            "--calibration is for one system: name it with --system, of "
            f"{', '.join(one.system for one in verdict.systems)}."
        )
    if requirements.at is not At.REQUIRED_FMR:
        raise click.UsageError(
            f"{requirements.name} judges the threshold that systems were asked with: there is "
            "none of ours to write with --calibration."
        )
    if verdict.outcome is not Outcome.PASS:
        return None
    return calibration_of(
        evaluation,
        verdict.systems[0].system,
        max_fmr=requirements.max_fmr,
        confidence=requirements.confidence,
        valid_days=given["valid_days"],
        allow_mock=given["allow_mock"],
    )


def _show_verdict(verdict: Verdict) -> None:
    for one in verdict.systems:
        say(f"{one.outcome.upper()}  {one.sentence}")
    requirements = verdict.requirements
    if len(verdict.systems) > 1:
        passed = verdict.outcome.value == "pass"
        more = "" if passed else ": all must pass; name the one that you want with --system"
        say(f"{verdict.outcome.upper()}  overall, by {requirements.title}{more}")
    for text in (requirements.source, requirements.leaves_out):
        if text is not None:
            say(text, err=True)


# --- threshold ------------------------------------------------------------------------------------


@click.command("threshold")
@common.source
@click.option("--system", metavar="NAME", help="The system; needed if there are several.")
@common.rate_option(
    "--fmr",
    "The highest false match rate, such as 1e-3; may be repeated.",
    to="fmrs",
    multiple=True,
    required=True,
)
@click.option(
    "--bounded",
    is_flag=True,
    help="Stricter: also the upper bound of the FMR, not only the FMR seen, must be within it.",
)
@common.valid_days
@file_option("--out", "The file to write.", required=True)
@common.force
@common.allow_mock
@common.json_flag
def threshold(*, out: Path, as_json: bool, **given: Any) -> int:
    """Choose the threshold of a system for a false match rate, and write it to a file.

    \b
    facematch compare threshold --store study.sqlite3 --system didit \\
      --fmr 1e-3 --out didit.json

    A profile names the file (calibration = "didit.json"); then
    `verifier.verify(..., max_fmr=1e-3)` and `facematch verify --max-fmr 1e-3` mean the same for
    every vendor. It is bound to the backend, the scale and the model that answered. The threshold
    is chosen on all people of the test set, as `compare report` does unless it splits them.
    """
    from facematch_comparison.calibration import calibrate

    check_target("--out", out, force=given["force"])
    source = common.answers_from(given)
    calibration = calibrate(
        source.system(given["system"]),
        given["fmrs"],
        name=source.name,
        digest=source.digest,
        bounded=given["bounded"],
        valid_days=given["valid_days"],
        allow_mock=given["allow_mock"],
    )
    write_json(out, calibration.to_dict())
    if as_json:
        print_json(calibration.to_dict())
        return Exit.OK
    for point in calibration.points:
        say(_point_line(calibration, point))
    say(f"written to {out}")
    return Exit.OK


def _point_line(calibration: Calibration, point: CalibrationPoint) -> str:
    from facematch_comparison.numbers import setting, upper_percent

    return (
        f"FMR {setting(point.max_fmr)} %: threshold {number(point.threshold)} "
        f"({calibration.scale}); {point.errors:,} of {point.trials:,} pairs of different people "
        "pass, so the true FMR is "
        f"below {upper_percent(point.upper, point.max_fmr)} % with "
        f"{setting(calibration.confidence)} % confidence"
    )
