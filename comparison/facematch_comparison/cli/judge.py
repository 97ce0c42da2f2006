"""`facematch compare plan`, `report`, `gate`: from answers to decisions."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from facematch_core.base.files import named, read_regular
from facematch_core.cli.files import (
    check_target,
    form_of,
    make_folder,
    write_bytes,
    write_json,
)
from facematch_core.cli.options import file_option, json_option, parse_pairs
from facematch_core.cli.text import Exit, format_number, print_json, print_table, quantity, say
from facematch_core.errors import InvalidRequest

from . import common

if TYPE_CHECKING:
    from facematch_comparison.gate import Verdict
    from facematch_comparison.model import Costs, Evaluation, Rate, WrongPair
    from facematch_comparison.plan import PairCounts
    from facematch_comparison.requirements import Requirements
    from facematch_comparison.study import Study

#: The largest report that is read, in bytes.
MAX_REPORT_BYTES: Final = 1 << 26

#: What --out may write; the first one if its name says nothing.
_OUT_FORMS: Final = (".html", ".json")

#: A rate above it needs no proof: a budget that shows no less is no advice.
MOST_OF_LESS: Final = 0.5


@click.command("plan")
@click.option(
    "--fmr", type=common.RATE, required=True, help="False match rate (FMR) to show, such as 1e-4."
)
@click.option(
    "--frr", type=common.RATE, required=True, help="False rejection rate (FRR) to show, as 0.01."
)
@common.price_option("What one comparison by a vendor costs.")
@common.repeated(
    "--budget",
    "budgets",
    "Also: what this much money for each vendor can show.",
    type=common.amount,
    show_default="parts of the full cost",
)
@click.option(
    "--confidence", type=common.CONFIDENCE, default="0.95", help="Of each claim, one-sided."
)
@common.split
@click.option(
    "--difference",
    nargs=2,
    type=common.RATE,
    metavar="FRR FRR",
    help="Also: how many pairs it takes to show that systems with these FRRs differ.",
)
@click.option(
    "--power", type=common.CONFIDENCE, default="0.8", help="Chance of finding the difference."
)
@common.count_option("--systems", "Systems that are compared, two at a time.", least=2, default=2)
@json_option
def plan(*, budgets: Sequence[Decimal], as_json: bool, **options: Any) -> int:
    """How many pairs it takes to show an FMR and an FRR, what they cost, and what less money shows.

    \b
    facematch compare plan --fmr 1e-4 --frr 0.01 --price didit=0.05
    facematch compare plan --fmr 1e-3 --frr 0.01 --difference 0.02 0.04

    The numbers hold for pairs that are independent of each other. Pairs that share a person are
    worth less; the report says how much less.
    """
    if budgets and not options["prices"]:
        raise click.UsageError("--budget needs prices: say --price NAME=AMOUNT for each vendor.")
    from facematch_comparison.plan import DifferencePlan, plan_study

    difference = None
    if options["difference"]:
        first, second = options["difference"]
        difference = DifferencePlan(
            first=first, second=second, power=options["power"], systems=options["systems"]
        )
    study_plan = plan_study(
        budgets=budgets,
        difference=difference,
        **{name: options[name] for name in ("fmr", "frr", "prices", "confidence", "split")},
    )
    currency = options["currency"] or common.CURRENCY
    if as_json:
        print_json({**study_plan.to_dict(), "currency": currency})
        return Exit.OK
    say(f"To show, with {100 * study_plan.confidence:g} % confidence (one-sided),")
    say(f"  an FMR of at most {study_plan.fmr:g} (1 in {1 / study_plan.fmr:,.0f}) and")
    say(f"  an FRR of at most {study_plan.frr:g} (1 in {1 / study_plan.frr:,.0f}):")
    say()
    kinds = ["mated", "non-mated"]
    draw = [f"draw: {kind}" for kind in kinds] if study_plan.split else []
    header = [
        *kinds,
        *draw,
        "in all",
        *(f"{name}, {currency}" for name in study_plan.needs[0].cost),
    ]

    def cells(need: PairCounts) -> list[str]:
        numbers = [need.mated, need.non_mated]
        numbers += [need.draw_mated, need.draw_non_mated] if study_plan.split else []
        numbers += [need.draw_mated + need.draw_non_mated]
        return [*(f"{number:,}" for number in numbers), *map(_money, need.cost.values())]

    rows = [
        [f"up to {need.errors}" if need.errors else "none", *cells(need)]
        for need in study_plan.needs
    ]
    print_table(["errors of each kind", *header], rows)
    say()
    say(
        "The first row allows no error at all. Even a vendor eight times better than your limits "
        "fails it about half the time; choose a lower row. Each row has as many non-mated pairs as "
        "place a threshold. Use pairs of as many people as you can."
    )
    if study_plan.split:
        say(
            "Thresholds are chosen on half of the people and judged on the other half: half of the "
            "pairs of `compare draw --split` are judged, and fewer of any others."
        )
    rows = [
        [less.vendor, _money(less.budget), f"{less.mated:,}", f"{less.non_mated:,}"]
        + ["nothing" if rate is None else f"{rate:.2g}" for rate in (less.fmr, less.frr)]
        for less in study_plan.less
        # A budget that somebody named is answered, whatever it buys.
        if budgets or max(less.fmr or 1, less.frr or 1) <= MOST_OF_LESS
    ]
    if rows:
        say()
        say("What less money shows at best, without one error:")
        say()
        print_table(["vendor", currency, *(draw or kinds), "FMR at most", "FRR at most"], rows)
    if study_plan.difference is not None:
        of = study_plan.difference.of
        several = f", one of {of.systems}" if of.systems > 2 else ""
        say()
        say(
            f"To find, with a chance of {100 * of.power:g} %, that systems{several} with an FRR of "
            f"{of.first:g} and {of.second:g} at that FMR differ:"
        )
        say()
        print_table(header, [cells(study_plan.difference)])
    return Exit.OK


def _money(value: Decimal) -> str:
    text = f"{value:,f}"
    whole, point, part = text.partition(".")
    return whole + point + part.rstrip("0").ljust(2, "0") if point else text


def _thresholds(context: click.Context, option: click.Parameter, words: Any) -> dict[str, float]:
    values = parse_pairs(context, option, words)
    try:
        return {name: float(text) for name, text in values.items()}
    except ValueError as error:
        raise click.BadParameter(f"{error}: say SYSTEM=NUMBER, such as didit=48.68.") from None


@click.command("report", cls=common.SourceCommand)
@common.source
@file_option("--pairs", "The file of pairs that was run: it has the names of people and pictures.")
@click.option(
    "--fmr",
    type=common.RATE,
    show_default="the strictest of 1e-2, 1e-3 and 1e-4 that the pairs bear",
    help="False match rate to compare all systems at.",
)
@click.option(
    "--confidence", type=common.CONFIDENCE, default="0.95", help="Confidence of every interval."
)
@common.repeated(
    "--at-threshold",
    "at_thresholds",
    "Judge this system at a threshold that is fixed, such as that of production, in place of one "
    "chosen for --fmr.",
    callback=_thresholds,
    metavar="SYSTEM=NUMBER",
)
@common.count_option(
    "--attempts",
    "Attempts that a transaction may take; the best of them counts.",
    least=1,
    show_default="the most there are",
)
@common.split
@common.seed
@click.option("--cost-false-match", type=common.COST, help="Cost of a stranger who gets in.")
@click.option(
    "--cost-false-reject",
    type=common.COST,
    help="Cost of a genuine person who is turned away.",
)
@click.option("--cost-review", type=common.COST, default="0", help="Cost of a review by a person.")
@click.option("--impostors", type=common.SHARE, help="Share of strangers' attempts, as 0.01.")
@common.price_option("What one call to a system costs.")
@file_option(
    "--out",
    "Write the page (.html) or the same as JSON (.json). May be repeated.",
    to="outs",
    multiple=True,
)
@click.option(
    "--gallery",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Put up to N wrong pairs of each system and kind into the page: it then holds faces.",
)
@file_option("--wrong", "Write every pair that a system got wrong (.csv or .json).")
@file_option("--answers", "Write every answer to every pair (.csv or .parquet).")
@file_option(
    "--calibration", "Write the thresholds of --system, for verifiers: for --fmr and usual rates."
)
@click.option("--system", metavar="NAME", help="With --calibration: whose, of several.")
@common.valid_days
@common.allow_mock
@common.force
@json_option
def report(*, outs: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """Judge what systems answered: how many genuine people each turns away, and how sure that is.

    \b
    facematch compare report --store study.sqlite3 --out report.html \\
      --out report.json
    facematch compare report --scores scores.csv --fmr 1e-4 --out report.html
    facematch compare report --scores next-quarter.csv --at-threshold didit=48.68
    facematch compare report --cost-false-match 500 --cost-false-reject 2 \\
      --impostors 0.01
    facematch compare report --pairs pairs.csv --gallery 20 --out report.html
    facematch compare report --fmr 1e-3 --system didit --calibration didit.json

    Prints the verdict in one sentence, one table, and what cannot be concluded. The page loads
    nothing, and holds no picture unless --gallery asks for it. The exit code is 3 if no system can
    be judged.

    Look at what went wrong before you believe a rate: a wrong label in the test set counts as an
    error too. In --wrong and --answers, pairs are numbered from 0, and people and pictures are
    numbers unless a file of scores or --pairs names them; --scores reads --answers again. A profile
    that names the file of --calibration takes a false match rate in place of a threshold.
    """
    _check_files(outs, options)
    costs = _costs_of(options)
    source = common.answers_from(options)
    evaluation = source.evaluated(options, costs)
    gallery = None
    if options["gallery"] or options["wrong"] or options["answers"]:
        gallery = _write_pairs(source, evaluation, options)
    calibration: Path | None = options["calibration"]
    if calibration is not None:
        name = source.system(options["system"]).name
        _write_calibration(calibration, evaluation, name, options)
    for path in outs:
        if _is_page(path):
            from facematch_comparison.report import report_html

            page = report_html(evaluation, gallery=gallery).encode()
            write_bytes(path, page, private=bool(gallery))
        else:
            write_json(path, evaluation.to_dict())
    if as_json:
        print_json(evaluation.to_dict())
    else:
        _show_evaluation(evaluation)
    for path in (*outs, options["wrong"], options["answers"], calibration):
        if path is not None:
            say(f"written to {path}", err=as_json)
    if gallery:
        files = " and ".join(str(path) for path in outs if _is_page(path))
        holds = "holds photographs of people: give it to nobody who may not see them"
        say(f"warning: {files} {holds}", err=True)
    return Exit.OK if any(system.point for system in evaluation.systems) else Exit.LOOK


def _costs_of(options: Mapping[str, Any]) -> Costs | None:
    """What the options of costs say; None if they say nothing."""
    needed = ("cost_false_match", "cost_false_reject", "impostors")
    missing = [f"--{name.replace('_', '-')}" for name in needed if options[name] is None]
    if len(missing) == len(needed) and not options["cost_review"]:
        return None
    if missing:
        raise click.UsageError(
            f"An expected cost needs {' and '.join(missing)} too: what a false match and a false "
            "reject cost, and the share of impostors."
        )
    from facematch_comparison.model import Costs

    costs = {name: options[f"cost_{name}"] for name in ("false_match", "false_reject", "review")}
    return Costs(impostors=options["impostors"], currency=options["currency"], **costs)


def _write_pairs(
    source: common.Source, evaluation: Evaluation, options: Mapping[str, Any]
) -> list[WrongPair] | None:
    """Write answers and wrong pairs; those with pictures for the page, if it shows any."""
    from facematch_comparison import writing

    study = _study_of(source, options["pairs"])
    wrong = [
        pair
        for answers, system in zip(source.answers, evaluation.systems, strict=True)
        if system.point is not None and (options["gallery"] or options["wrong"])
        # Without a threshold of ours it is judged by its own decisions.
        for pair in writing.wrong_pairs(
            answers, None if system.at_required is None else system.at_required.threshold, study
        )
    ]
    for path, content in ((options["wrong"], wrong), (options["answers"], source.answers)):
        if path is not None and path.suffix.lower() == ".json":
            pairs = [attrs.asdict(pair) for pair in wrong]
            write_json(path, {"schema": 0, "kind": "wrong pairs", "pairs": pairs})
        elif path is not None:
            make_folder(path)
            with named(path):
                writing.export(content, path, study)
    if not options["gallery"]:
        return None
    return _gallery_of(source, wrong, options["gallery"], are_whole=study is not None)


def _study_of(source: common.Source, file: Path | None) -> Study | None:
    """The pairs that were run, with names and pictures; None without --pairs."""
    if file is None:
        return None
    from facematch_core.images.image import MAX_FILE_BYTES

    study = common.read_pairs(file)
    of_picture = {
        path: hashlib.sha256(read_regular(path, MAX_FILE_BYTES)).hexdigest()
        for path in study.pictures
    }
    if source.digest not in (None, study.digest(of_picture)):
        raise InvalidRequest(
            f"--pairs: {file} is not what was run as {source.name[:60]!r}: pairs, pictures or "
            "groups are others. Name the file that was run, as it was."
        )
    return study


def _gallery_of(
    source: common.Source, pairs: Sequence[WrongPair], most: int, *, are_whole: bool
) -> list[WrongPair]:
    """The first wrong pairs of each system and kind, with the places of their pictures."""
    shown = []
    for _, same in itertools.groupby(pairs, key=lambda pair: (pair.system, pair.kind)):
        for pair in itertools.islice(same, most):
            if pair.probe is None or pair.reference is None:
                raise click.UsageError("Nothing says which pictures these are: add --pairs FILE.")
            folder = Path() if are_whole else source.folder
            probe, reference = folder / pair.probe, folder / pair.reference
            shown.append(attrs.evolve(pair, probe=str(probe), reference=str(reference)))
    return shown


def _is_page(path: Path) -> bool:
    """Whether --out writes HTML to it."""
    return form_of("--out", path, *_OUT_FORMS) == ".html"


def _check_files(outs: Sequence[Path], options: Mapping[str, Any]) -> None:
    """Refuse what could not be written, before anything is read."""
    if len({path.absolute() for path in outs}) < len(outs):
        raise click.UsageError("Two --out name the same file.")
    forms_of = {"wrong": (".csv", ".json"), "answers": (".parquet", ".csv"), "calibration": ()}
    files: list[tuple[str, Path | None, tuple[str, ...]]]
    files = [("--out", path, _OUT_FORMS) for path in outs]
    files += [(f"--{name}", options[name], forms) for name, forms in forms_of.items()]
    for name, path, forms in files:
        if path is not None and forms:
            form_of(name, path, *forms)
        if path is not None:
            check_target(name, path, force=options["force"])
    if options["gallery"] and not any(map(_is_page, outs)):
        raise click.UsageError("--gallery goes with a page: name one with --out FILE.html.")


def _write_calibration(
    path: Path, evaluation: Evaluation, system: str, options: Mapping[str, Any], **more: Any
) -> None:
    from facematch_comparison.calibration import calibration_of

    limits = {name: options[name] for name in ("valid_days", "allow_mock")}
    write_json(path, calibration_of(evaluation, system, **limits, **more).to_dict())


def _show_evaluation(evaluation: Evaluation) -> None:
    """Print the verdict, then one line for each system."""
    from facematch_comparison.numbers import money

    _say_headline(evaluation)
    say()
    systems, sure = evaluation.systems, f"{100 * evaluation.confidence:g} %"
    points = [system.point for system in systems]
    services = [system.service for system in systems]
    thresholds = (None if point is None else point.threshold for point in points)
    table = {
        "system": [system.name for system in systems],
        "threshold": ["-" if value is None else format_number(value) for value in thresholds],
    }
    for name in ("FMR", "FRR"):
        shares = [_shares(point.shown(name.lower()) if point else None) for point in points]
        table[name] = [value for value, _ in shares]
        table[f"{name}, {sure}"] = [interval for _, interval in shares]
    if any(service.acquisition.errors for service in services):
        table["FTA"] = [_shares(service.acquisition)[0] for service in services]
    if any(service.answered.errors for service in services):
        table["answered"] = [
            f"{service.calls - service.answered.errors:,} of {service.calls:,}"
            for service in services
        ]
    # At the operating point that is judged first.
    costs = [
        system.cost and (system.cost.at_required or system.cost.at_default) for system in systems
    ]
    if any(costs):
        expected = [cost and cost.expected for cost in costs]
        table["an attempt costs"] = [
            money(cost.value, cost.interval.high - cost.interval.low) if cost else "-"
            for cost in expected
        ]
    print_table([*table], zip(*table.values(), strict=True))
    for system in systems:
        best = system.transactions
        if best and (at := best.at_required or best.at_default):
            fmr, frr = (" (".join(_shares(rate)) + ")" for rate in (at.fmr, at.frr))
            attempts = quantity(best.attempts, "attempt")
            say(f"{system.name}, transactions of up to {attempts}: FMR {fmr}, FRR {frr}")
    say()
    say("What this comparison cannot show:")
    for caveat in evaluation.caveats:
        if caveat.code != "not_the_vendor":  # said before the verdict
            say(f"note: {caveat.text}")


def _say_headline(evaluation: Evaluation) -> None:
    """Print the verdict, and first of all that it is about no vendor if it is not."""
    caveats = [caveat for caveat in evaluation.caveats if caveat.code == "not_the_vendor"]
    if caveats:
        names = ", ".join(name for caveat in caveats for name in caveat.systems)
        say(f"note: practice only: {names} answered from a mock or sandbox")
    for line in filter(None, (evaluation.headline, evaluation.limit, evaluation.on_cost)):
        say(line)


def _shares(rate: Rate | None) -> tuple[str, str]:
    """A rate and its interval, in percent."""
    from facematch_comparison.numbers import percent

    if rate is None or rate.value is None:
        return "-", "-"
    if rate.interval is None:
        return f"{percent(rate.value)} %", "-"
    low, high = rate.interval.low, rate.interval.high
    value, least, most = (f"{percent(share, high - low)} %" for share in (rate.value, low, high))
    return value, f"{least} to {most}"


@click.command("gate", cls=common.SourceCommand)
@common.source
@file_option(
    "--report",
    "Instead: the JSON of `compare report`, for the FMR that the requirements need.",
    to="written",
    metavar="JSON",
)
@click.option(
    "--requirements", required=True, metavar="NAME|FILE", help="sp800-63a, or your own (.toml)."
)
@common.repeated(
    "--system",
    "systems",
    "Judge this system alone; else all, and all must pass.",
    metavar="NAME",
)
@common.split
@common.seed
@common.allow_mock
@file_option(
    "--calibration",
    "If one system passes: write the threshold that was judged, for verifiers.",
)
@common.valid_days
@common.force
@json_option
def gate(*, requirements: str, as_json: bool, **options: Any) -> int:
    """Judge systems by your requirements.

    \b
    facematch compare gate --store study.sqlite3 --requirements sp800-63a
    facematch compare gate --scores scores.csv --requirements our-door.toml \\
      --calibration a.json

    PASS (exit code 0): the upper bounds of FMR and FRR are within the limits at one threshold, and
    those of every group within the limits by group. FAIL (1): a lower bound is beyond, and no other
    threshold would do. INCONCLUSIVE (3): these data cannot show it; `compare plan` says how many
    pairs can. Failures to acquire count as errors.
    """
    from facematch_comparison.requirements import read_requirements

    calibration: Path | None = options["calibration"]
    if calibration is not None:
        check_target("--calibration", calibration, force=options["force"])
    # A name that is wrong is said before the statistics are loaded.
    rules = read_requirements(requirements)
    from facematch_comparison.gate import Conclusion, judge

    evaluation = _evaluate(options, rules)
    verdict = judge(evaluation, rules, systems=options["systems"], allow_mock=options["allow_mock"])
    if as_json:
        print_json(verdict.to_dict())
    else:
        for judged in verdict.systems:
            say(f"{judged.outcome.upper()}  {judged.sentence}")
            if judged.plan is not None:
                say("to see how many pairs it takes:", err=True)
                click.echo(f"  {judged.plan}", err=True)
        if len(verdict.systems) > 1:
            more = ": all must pass; name the one that you want with --system"
            more = "" if verdict.outcome is Conclusion.PASS else more
            say(f"{verdict.outcome.upper()}  overall, by {rules.title}{more}")
        for text in filter(None, (rules.source, rules.leaves_out)):
            say(text, err=True)
    if calibration is not None:
        _calibrate(calibration, evaluation, verdict, options)
        passed = verdict.outcome is Conclusion.PASS
        words = f"written to {calibration}"
        words = words if passed else f"{calibration} was not written: nothing passed."
        say(words, err=as_json or not passed)
    codes = {Conclusion.PASS: Exit.OK, Conclusion.FAIL: Exit.NO}
    return codes.get(verdict.outcome, Exit.LOOK)


def _evaluate(options: Mapping[str, Any], requirements: Requirements) -> Evaluation:
    file: Path | None = options["written"]
    if file is None:
        return common.answers_from(options).evaluated(
            options,
            required_fmr=requirements.required_fmr,
            confidence=requirements.evaluation_confidence,
            attempts=requirements.attempts,
        )
    if any(options[name] is not None for name in ("store", "study", "scores")):
        raise click.UsageError("--report goes without --store, --study and --scores.")
    if options["split"]:
        raise click.UsageError("--split goes without --report, which was split or not when made.")
    from facematch_comparison.model import Evaluation

    try:
        document = json.loads(read_regular(file, MAX_REPORT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON"
        raise click.UsageError(f"--report: {file} cannot be read: {reason}.") from None
    return Evaluation.from_dict(document)


def _calibrate(
    path: Path, evaluation: Evaluation, verdict: Verdict, options: Mapping[str, Any]
) -> None:
    """Write the threshold that was judged, as a calibration, if its system passes."""
    from facematch_comparison.requirements import JudgedAt

    requirements = verdict.requirements
    if len(verdict.systems) > 1:
        raise click.UsageError(
            "--calibration is for one system: name it with --system, of "
            f"{', '.join(judged.system for judged in verdict.systems)}."
        )
    if requirements.at is not JudgedAt.REQUIRED_FMR:
        raise click.UsageError(
            f"{requirements.name} judges the threshold that systems were asked with: there is "
            "none of ours to write with --calibration."
        )
    if verdict.outcome == "pass":
        limits = {"max_fmr": requirements.max_fmr, "confidence": requirements.confidence}
        _write_calibration(path, evaluation, verdict.systems[0].system, options, **limits)
