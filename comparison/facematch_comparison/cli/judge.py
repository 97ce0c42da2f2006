"""The commands `facematch compare plan`, `report` and `gate`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facematch_core.base.files import os_errors_naming
from facematch_core.cli.files import (
    form_of,
    make_folder,
    refuse_unwritable,
    write_json,
)
from facematch_core.cli.options import FILE, file_option, json_option
from facematch_core.cli.text import Exit, print_json, print_table, say
from facematch_core.errors import InvalidRequest

from . import common

if TYPE_CHECKING:
    from facematch_comparison.scores.answers import Answers, Parts
    from facematch_comparison.study.reading import Study
    from facematch_comparison.values.model import Evaluation, Rate, Traffic


@click.command("plan")
@click.option(
    "--fmr", type=common.RATE, required=True, help="False match rate (FMR) to show, such as 1e-4."
)
@click.option(
    "--frr", type=common.RATE, required=True, help="False rejection rate (FRR) to show, e.g. 0.01."
)
@click.option("--confidence", type=common.CONFIDENCE, default="0.95", help="One-sided confidence.")
def plan(**options: Any) -> int:
    """Compute how many pairs you need to show an FMR and an FRR.

    \b
    facematch compare plan --fmr 1e-4 --frr 0.01

    The numbers assume independent pairs. Pairs that share a person carry less information; the
    report shows how much less.
    """
    from facematch_comparison.judging.gate import plan_study

    study_plan = plan_study(**options)
    say(f"To show, with {100 * study_plan.confidence:g} % confidence (one-sided),")
    say(f"  an FMR of at most {study_plan.fmr:g} (1 in {1 / study_plan.fmr:,.0f}) and")
    say(f"  an FRR of at most {study_plan.frr:g} (1 in {1 / study_plan.frr:,.0f}):")
    say()
    rows = []
    for need in study_plan.needs:
        errors = f"up to {need.errors}" if need.errors else "none"
        total = need.mated + need.non_mated
        rows.append((errors, f"{need.mated:,}", f"{need.non_mated:,}", f"{total:,}"))
    print_table(["errors of each kind", "mated", "non-mated", "total"], rows)
    say()
    say(
        "The first row allows no errors at all. Even a vendor eight times better than your limits "
        "fails it about half the time; choose a lower row. Each row has enough non-mated pairs to "
        "choose a threshold. Use pairs of as many people as you can."
    )
    return Exit.OK


_at_threshold = common.repeated(
    "--at-threshold",
    "at_thresholds",
    "SYSTEM=NUMBER",
    "Judge this system at a fixed threshold, such as the one in production, instead of a chosen "
    "one.",
    callback=common.parse_numbers,
)


@click.command("report", cls=common.SourceCommand)
@common.source
@file_option("--pairs", "The file of pairs that was run, for names of people and pictures.")
@click.option(
    "--fmr",
    type=common.RATE,
    show_default="the strictest of 1e-2, 1e-3 and 1e-4 that the pairs support, or else the "
    "strictest 1/N",
    help="False match rate at which to compare all systems, such as 1e-3 or 1/77.",
)
@_at_threshold
@common.text_option(
    "--calls-per-year",
    "N",
    "Expect the errors of so many calls; with --impostors.",
    type=click.IntRange(1),
)
@common.text_option(
    "--impostors",
    "SHARE",
    "Share of these calls that impostors make, such as 0.001.",
    type=common.SHARE,
)
@common.cost_options(None)
@common.repeated(
    "--out", "outs", "FILE", "Write the report as a page (.html) or as JSON (.json).", type=FILE
)
@file_option("--csv", "Write all numbers of the report as one table (.csv or .parquet).")
@file_option("--wrong", "Write every pair that a system got wrong (.csv or .json).")
@file_option("--answers", "Write every answer to every pair (.csv or .parquet).")
@json_option
def report(*, outs: tuple[Path, ...], as_json: bool, **options: Any) -> int:
    """Evaluate answers: a verdict, and the error rates of each system with their intervals.

    \b
    facematch compare report --store study.sqlite3 --out report.html \\
      --out report.json
    facematch compare report --scores aws.csv --scores azure.csv \\
      --scores labels.csv --fmr 1e-3 --out report.html
    facematch compare report --scores next-quarter.csv --at-threshold didit=48.68
    facematch compare report --calls-per-year 1000000 --impostors 0.001 \\
      --cost-false-match 200 --cost-false-reject 3 --out report.html

    Prints the verdict in one sentence, one table, and the caveats. The page makes no requests and
    contains no pictures. If the scores or --pairs name people, a report may name the person in most
    false matches, and the files of --wrong and --answers contain all names, also of pictures.
    --scores can read a file written by --answers. --csv has one row for each rate, with its
    interval and counts, and for each other number of the JSON. Existing files are overwritten.
    """
    targets = _targets_of(outs, options)
    _check_year(options)
    answers, about = common.answers_from(options)
    import pandas as pd

    from facematch_comparison.judging.evaluation import evaluate
    from facematch_comparison.report.page import report_html

    evaluation = evaluate(
        answers,
        required_fmr=options["fmr"],
        at_thresholds=options["at_thresholds"],
        traffic=_traffic_of(options, answers),
        **about,
    )
    wrong = options["wrong"]
    written = options["answers"]
    study = None
    if options["pairs"] and (wrong or written):
        # With --scores, --column is about the scores.
        columns = {} if options["scores"] else options["columns"]
        study = _study_that_was_run(options["pairs"], columns, about, answers[0].parts)
    common.write_outs(outs, lambda: report_html(evaluation), evaluation.to_dict())
    if wrong:
        _write_wrong(wrong, evaluation, answers, study)
    if written:
        _export(answers, written, study)
    if options["csv"]:
        _export(pd.DataFrame(evaluation.to_rows()), options["csv"], None)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        _show_evaluation(evaluation)
    for path in targets:
        say(f"written to {path}", err=as_json)
    return Exit.OK if any(system.point for system in evaluation.systems) else Exit.LOOK


def _targets_of(outs: Iterable[Path], options: Mapping[str, Any]) -> list[Path]:
    """Return the files to write; raise `click.UsageError` if one cannot be, or is named twice.

    Only --out may have no suffix; its first form is the default.
    """
    forms_of = {
        "csv": (".csv", ".parquet"),
        "wrong": (".csv", ".json"),
        "answers": (".parquet", ".csv"),
    }
    targets = [("--out", path, common.OUT_FORMS) for path in outs]
    for name, forms in forms_of.items():
        path = options[name]
        if path is not None:
            if not path.suffix:
                examples = " or ".join(f"{path}{form}" for form in forms)
                raise click.UsageError(f"--{name} has no suffix: write {examples}.")
            targets.append((f"--{name}", path, forms))
    use_of = dict.fromkeys(filter(None, (*options["scores"], options["pairs"])), "is read")
    for option, path, forms in targets:
        form_of(option, path, *forms)
        refuse_unwritable(option, path, may_exist=True)
        for file, use in use_of.items():
            is_same = path.exists() and file.exists() and path.samefile(file)
            if is_same or os.path.realpath(path) == os.path.realpath(file):
                raise click.UsageError(f"{option} would overwrite {path}, which {use}.")
        use_of[path] = f"{option} writes"
    return [path for _, path, _ in targets]


def _check_year(options: Mapping[str, Any]) -> None:
    """Raise `click.UsageError` if options of a year lack another one."""
    calls = options["calls_per_year"]
    if (calls is None) is not (options["impostors"] is None):
        raise click.UsageError("--calls-per-year and --impostors go together.")
    for name in ("cost_false_match", "cost_false_reject", "currency"):
        if calls is None and options[name] is not None:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option}: only with --calls-per-year and --impostors.")
    if options["currency"] is not None and options["cost_false_match"] is None:
        raise click.UsageError("--currency: only with --cost-false-match and --cost-false-reject.")


def _traffic_of(options: Mapping[str, Any], answers: Sequence[Answers]) -> Traffic | None:
    """Return the calls of a year and what errors cost; None without --calls-per-year."""
    from facematch_comparison.values.model import Traffic

    if options["calls_per_year"] is None:
        return None
    # The currency of the errors' costs; a price in another one is not added to them.
    currencies = {system.currency for system in answers if system.currency is not None}
    currency = options["currency"]
    if currency is None:
        currency = currencies.pop() if len(currencies) == 1 else "USD"
    return Traffic(
        calls_per_year=options["calls_per_year"],
        impostors=options["impostors"],
        costs=common.costs_of(options, currency),
    )


def _write_wrong(
    path: Path, evaluation: Evaluation, answers: Sequence[Answers], study: Study | None
) -> None:
    """Write the pairs that each system got wrong, as JSON or as a table by the suffix of `path`.

    They are those at the chosen threshold, or by the system's own decisions if none was chosen. A
    system without rates has none. A file without a wrong pair still has its header.
    """
    import pandas as pd

    from facematch_comparison.report.writing import WRONG_COLUMNS, wrong_pairs

    frames = []
    for system_answers, system in zip(answers, evaluation.systems, strict=True):
        if system.point is not None:
            # A system without a chosen threshold is judged by its own decisions.
            threshold = system.at_required.threshold if system.at_required else None
            frames.append(wrong_pairs(system_answers, threshold, study))
    pairs = pd.DataFrame(columns=WRONG_COLUMNS)
    if frames:
        pairs = pd.concat(frames, ignore_index=True)
    if path.suffix.lower() == ".json":
        rows = pairs.astype(object).where(pairs.notna(), None).to_dict("records")
        write_json(path, {"schema": 0, "kind": "wrong pairs", "pairs": rows}, private=True)
    else:
        _export(pairs, path, study)


def _export(table: Any, path: Path, study: Study | None) -> None:
    from facematch_comparison.report.writing import export

    make_folder(path)
    with os_errors_naming(path):
        export(table, path, study)


def _study_that_was_run(
    file: Path,
    columns: Mapping[str, Sequence[str]],
    about: Mapping[str, Any],
    parts: Parts | None,
) -> Study:
    """Read the pairs that were run, or parts of which were, with names and pictures."""
    from facematch_comparison.run.study_run import digest_of_run
    from facematch_comparison.study.reading import read_study

    with common.completing_columns():
        study = read_study(file, columns=columns, note=common.note)
    recorded = about["digest"]  # None for a file of scores, which names no pictures
    if recorded is not None and recorded != digest_of_run(study, parts):
        raise InvalidRequest(
            f"--pairs: {file} is not the test set {about['name'][:60]!r} that was run: its pairs, "
            "pictures or groups differ. Pass the unchanged file that was run."
        )
    return study


def _show_evaluation(evaluation: Evaluation) -> None:
    """Print the verdict, one line for each system, and the caveats."""
    not_real = [caveat for caveat in evaluation.caveats if caveat.code == "not_the_vendor"]
    names = [name for caveat in not_real for name in caveat.systems]
    if names:
        say(f"note: practice only: {', '.join(names)} answered from a mock or sandbox")
    for line in filter(None, (evaluation.headline, evaluation.limit)):
        say(line)
    say()
    _show_table(evaluation)
    years = [system.year for system in evaluation.systems if system.year is not None]
    if years:
        say()
    for year in years:
        say(year.sentence)
    say()
    say("What this comparison cannot show:")
    for caveat in evaluation.caveats:
        if caveat not in not_real:
            say(f"note: {caveat.text}")


def _show_table(evaluation: Evaluation) -> None:
    """Print a row for each system; a system that cannot be judged has `-` for its threshold.

    FTA and the answered calls have columns only if any system failed to acquire or to answer.
    """
    from facematch_comparison.values.numbers import score

    systems = evaluation.systems
    confidence = f"{100 * evaluation.confidence:g} %"
    has_failures_to_acquire = any(system.service.acquisition.errors for system in systems)
    has_unanswered = any(system.service.answered.errors for system in systems)
    rows = []
    for system in systems:
        point = system.point
        service = system.service
        threshold = None if point is None else point.threshold
        row = {"system": system.name}
        row["threshold"] = "-" if threshold is None else score(threshold)
        for name in ("FMR", "FRR"):
            share, interval = _percentages(point.shown(name.lower()) if point else None)
            row[name] = share
            row[f"{name}, {confidence}"] = interval
        if has_failures_to_acquire:
            row["FTA"], _ = _percentages(service.acquisition)
        if has_unanswered:
            row["answered"] = f"{service.calls - service.answered.errors:,} of {service.calls:,}"
        rows.append(row)
    print_table(list(rows[0]), [list(row.values()) for row in rows])


def _percentages(rate: Rate | None) -> tuple[str, str]:
    """Return a rate and its interval, in percent."""
    from facematch_comparison.values.numbers import percent

    if rate is None or rate.value is None:
        return "-", "-"
    ends = rate.interval
    if ends is None:
        return f"{percent(rate.value, None)} %", "-"
    width = ends.width
    interval = f"{percent(ends.low, width)} % to {percent(ends.high, width)} %"
    return f"{percent(rate.value, width)} %", interval


@click.command("gate", cls=common.SourceCommand)
@common.source
@common.text_option(
    "--requirements",
    "NAME|FILE",
    "sp800-63a (its FMR and FNMR alone), or a .toml file.",
    required=True,
)
@_at_threshold
@common.repeated(
    "--system", "systems", "NAME", "Check only this system; by default, all must pass."
)
@common.flag("--allow-mock", "Accept a mock or sandbox, which proves nothing about a vendor.")
@json_option
def gate(*, requirements: str, as_json: bool, **options: Any) -> int:
    """Check systems against your requirements.

    \b
    facematch compare gate --store study.sqlite3 --requirements sp800-63a
    facematch compare gate --scores this-week.csv --requirements our-door.toml \\
      --at-threshold this-week=48.68

    PASS (exit code 0): at one threshold, the upper bounds of FMR and FRR are within the limits.
    FAIL (1): a lower bound exceeds a limit, and no other threshold would pass. INCONCLUSIVE (3):
    there are too few data; `compare plan` computes how many pairs you need. Failures to acquire
    count as errors.
    """
    from facematch_comparison.judging.requirements import read_requirements

    # Report an invalid name before loading the statistics.
    rules = read_requirements(requirements)
    from facematch_comparison.judging.evaluation import evaluate
    from facematch_comparison.judging.gate import Conclusion, judge

    answers, about = common.answers_from(options)
    evaluation = evaluate(
        answers,
        required_fmr=rules.required_fmr,
        confidence=rules.evaluation_confidence,
        at_thresholds=options["at_thresholds"],
        **about,
    )
    verdict = judge(evaluation, rules, systems=options["systems"], allow_mock=options["allow_mock"])
    if as_json:
        print_json(verdict.to_dict())
    else:
        for judged in verdict.systems:
            say(f"{judged.outcome.upper()}  {judged.sentence}")
            if judged.plan is not None:
                say("to see how many pairs are needed:", err=True)
                click.echo(f"  {judged.plan}", err=True)
        if len(verdict.systems) > 1:
            advice = ": all must pass; use --system to judge one alone"
            if verdict.outcome is Conclusion.PASS:
                advice = ""
            say(f"{verdict.outcome.upper()}  overall, by {rules.title}{advice}")
        for caveat in verdict.caveats:
            common.note(caveat.text)
        for text in filter(None, (rules.source, rules.leaves_out)):
            say(text, err=True)
    codes = {Conclusion.PASS: Exit.OK, Conclusion.FAIL: Exit.NO}
    return codes.get(verdict.outcome, Exit.LOOK)
