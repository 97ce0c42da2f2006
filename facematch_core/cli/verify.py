"""`facematch verify`: compare a pair of pictures, or every pair in a file."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import click

from facematch_core.base.files import is_stream
from facematch_core.base.tables import place, refuse
from facematch_core.errors import FATAL, FaceMatchError, OutcomeUnknown
from facematch_core.models import (
    Billing,
    Charged,
    Environment,
    Ids,
    MatchResult,
    Operation,
    Retention,
)

from . import options
from .files import check_target, form_of, read_csv, refuse_file
from .text import (
    Exit,
    Stopping,
    charge_of,
    clean,
    code_of,
    confirm,
    error_document,
    error_sentence,
    print_json,
    print_table,
    progress_bar,
    quantity,
    say,
)

if TYPE_CHECKING:
    from facematch_core.call.events import CallEvent
    from facematch_core.verifier.verifier import FaceVerifier, PairOutcome, Verifier

    from ._results import Answer
    from .pair_results import ResultFile

#: Default number of concurrent calls.
WORKERS = 4


@click.command("verify")
@click.argument("probe", required=False)
@click.argument("reference", required=False)
@click.option("--live", is_flag=True, help="First check PROBE for a live face, in an extra call.")
@click.option(
    "--liveness-threshold",
    type=float,
    metavar="0-100",
    help="With --live: minimum liveness score.",
)
@options.call_options
@options.file_option(
    "--pairs",
    "Compare every pair in a CSV file with the columns probe,reference[,key].",
    metavar="CSV",
)
@options.file_option(
    "--out", "With --pairs: file for the results, .jsonl or .csv; - for standard output."
)
@click.option(
    "--force",
    is_flag=True,
    help="With --pairs: ask every pair again; replace an existing --out file at the end.",
)
@click.option(
    "--repeat-unknown",
    is_flag=True,
    help="With --pairs: repeat calls without a result that may have been charged.",
)
@click.option(
    "--workers",
    callback=options.parse_workers,
    metavar="1-256",
    show_default=str(WORKERS),
    help="With --pairs: maximum number of concurrent calls.",
)
@click.option("--yes", is_flag=True, help="With --pairs: do not ask before spending money.")
def command(probe: str | None, reference: str | None, **arguments: Any) -> int:
    """Check whether PROBE (the selfie) and REFERENCE (the document) show the same person.

    \b
    facematch verify selfie.jpg id.jpg --threshold 50
    facematch verify --pairs pairs.csv --out results.jsonl

    A mismatch is not an error; its exit code is 1. `facematch -h` lists all exit codes.

    With --pairs the command asks before it spends money. Stop or kill it at any time: the same
    command continues, and no answer is paid for twice. Calls are recorded in FILE.calls beside the
    --out file: keep both. With --force or --out - every pair is asked.
    """
    if arguments["pairs"] is not None:
        for name, value in {
            "PROBE and REFERENCE": probe,
            "--live": arguments["live"],
            "--liveness-threshold": arguments["liveness_threshold"],
        }.items():
            if value:
                raise click.UsageError(f"{name} cannot be combined with --pairs.")
        if arguments["out"] is None:
            raise click.UsageError("--pairs requires --out FILE.")
        return _compare_pairs(arguments)
    for name in ("out", "force", "repeat_unknown", "workers", "yes"):
        if arguments[name]:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --pairs.")
    if probe is None or reference is None:
        raise click.UsageError("Give two pictures, PROBE and REFERENCE, or --pairs.")
    if arguments["liveness_threshold"] is not None and not arguments["live"]:
        raise click.UsageError("--liveness-threshold needs --live.")
    return ask("verify_live" if arguments["live"] else "verify", [probe, reference], arguments)


def ask(call: str, pictures: Sequence[str], arguments: Mapping[str, Any]) -> int:
    """Make one call and print its result.

    Raises:
        OutcomeUnknown: Ctrl-C ended the call after it began to send.
    """
    from facematch_core.images.image import Image

    from ._results import VERDICTS, show

    images = [Image.read(path) for path in pictures]
    operations = (Operation.LIVENESS,) if call in ("check_liveness", "verify_live") else ()
    events: list[CallEvent] = []
    try:
        target = options.Target.of(arguments)
        with target.open(*operations, on_event=events.append) as verifier:
            result: Answer = getattr(verifier, call)(*images, **_call_arguments(arguments))
    except KeyboardInterrupt:
        lost = next((event for event in events if event.kind == "unknown"), None)
        if lost is None:
            raise
        raise OutcomeUnknown(
            "Stopped during the call.",
            backend=lost.backend,
            ids=Ids(call=lost.call_id),
            billing=Billing(Charged.UNKNOWN),
            reconcilable=bool(lost.reconcilable),
        ) from None
    if arguments["as_json"]:
        print_json(result.to_dict())
    else:
        show(result)
    return VERDICTS[result.decision.value].code


def _call_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a call. The verifier checks the thresholds."""
    names = ("threshold", "liveness_threshold")
    thresholds = {name: arguments[name] for name in names if arguments.get(name) is not None}
    return {**thresholds, "retention": Retention.KEEP if arguments["keep"] else Retention.MINIMAL}


#: A line of the --pairs file: its index, line number, key, probe and reference.
Pair: TypeAlias = dict[str, Any]


def _compare_pairs(arguments: Mapping[str, Any]) -> int:
    """Compare every pair in a file; return the exit code for the whole batch."""
    from facematch_core.call.verdict import CallOptions

    from .pair_results import ResultFile, calls_path

    out: Path = arguments["out"]
    form = form_of("--out", out, ".jsonl", ".csv")
    target = _choose_target(out, form, arguments)
    pairs = _read_pairs(arguments["pairs"])
    system = options.Target.of(arguments)
    with system.open() as verifier:
        call = _call_arguments(arguments)
        # Before --out is created, raise any error that every comparison would raise.
        verifier.runner.check_call([], CallOptions(operation=Operation.MATCH, **call))
        settings = _describe_settings(system.profile_name(), verifier, call)
        billed = [
            member
            for member in options.members_of(verifier)
            if Operation.MATCH in member.backend.capabilities.billed_operations
        ]
        with ResultFile(target, form, workers=arguments["workers"] or WORKERS) as results:
            unknown = set[int]()
            if billed and not arguments["repeat_unknown"]:
                unknown = results.digests.keys() - results.answered
            finished = results.answered | unknown
            _check_resumed(results, settings, pairs, finished, arguments)
            left = [pair for pair in pairs if pair["line"] not in finished]
            _confirm_bill(billed, len(left), settings, arguments)
            unknown_lines = [pair["line"] for pair in pairs if pair["line"] in unknown]
            summary = Summary(pairs=len(pairs), left=len(left), unknown=unknown_lines)
            _make_calls(verifier, left, results, summary, arguments)
    if target != out and not (summary.not_asked or summary.errors or summary.failure):
        calls_path(target).replace(calls_path(out))
        target = target.replace(out)
    document = {**summary.to_dict(), "out": str(target)}
    if arguments["as_json"]:
        print_json(document)
    else:
        _show_summary(document, err=str(out) == "-")
    _show_problems(summary, results.missing, target)
    if target != out:
        say(f"{out} is unchanged; to continue, use --out {target} without --force", err=True)
    elif results.is_resumable and summary.not_asked:
        say("to continue, run the same command again", err=True)
    if summary.failure is not None:
        raise summary.failure
    return 128 + summary.signal if summary.signal else summary.code


def _choose_target(out: Path, form: str, arguments: Mapping[str, Any]) -> Path:
    """Return the file to write: --out or, while --force replaces that file, another beside it."""
    from .pair_results import calls_path

    source: Path = arguments["pairs"]
    if str(out) == "-":
        if arguments["as_json"]:
            raise click.UsageError("--json cannot be combined with --out -.")
        return out
    is_begun = calls_path(out).exists()
    if is_begun and not (arguments["force"] or out.exists()):
        raise click.UsageError(
            f"{out} is missing, but {calls_path(out)} records its calls: restore it, name another "
            "file with --out, or ask every pair again with --force."
        )
    check_target("--out", out, force=arguments["force"] or is_begun)
    if out.exists() and source.exists() and out.samefile(source):
        raise click.UsageError("--out would overwrite the file of --pairs.")
    if not arguments["force"] or is_stream(out) or not (is_begun or out.exists()):
        return out
    # The old results may have been paid for: keep them until the new ones are complete.
    new = out.with_name(f"{out.stem}.new{form}")
    if new.exists() or calls_path(new).exists():
        raise click.UsageError(
            f"{new} has the results of a --force that was stopped: continue with --out {new} "
            "without --force, or delete it and its .calls file."
        )
    return new


def _describe_settings(
    profile: str | None, verifier: Verifier, call: Mapping[str, Any]
) -> dict[str, str]:
    """Return the settings that all results of a file share, by name."""
    members = options.members_of(verifier)
    limits = []
    for member in members:
        own = member.thresholds(Operation.MATCH)
        threshold = call.get("threshold", own.threshold and own.threshold.value)
        limits += [threshold, own.review_threshold and own.review_threshold.value]
    return {
        "profile": profile or "none",
        "backend": ", ".join(member.backend.name for member in members),
        "environment": ", ".join(str(member.backend.environment) for member in members),
        "threshold (and review threshold)": ", ".join(map(str, limits)),
        "retention": str(call["retention"]),
    }


def _check_resumed(
    results: ResultFile,
    settings: Mapping[str, str],
    pairs: Sequence[Pair],
    finished: Collection[int],
    arguments: Mapping[str, Any],
) -> None:
    """Raise if an earlier run had other settings, or other pictures of a finished pair."""
    from facematch_core.images.image import Image

    # Without a finished pair, nothing is mixed, for example after a rejected key.
    before = results.settings if finished else settings
    results.settings = settings
    problems = [
        f"{name}: {before.get(name)} before, now {value}"
        for name, value in settings.items()
        if value != before.get(name)
    ]
    folder = arguments["pairs"].parent
    for pair in pairs:
        line = pair["line"]
        # A result may have no digests only if its record was lost.
        if line not in finished or line not in results.digests:
            continue
        for side, digest in zip(("probe", "reference"), results.digests[line], strict=True):
            if Image.read(folder / pair[side]).digest != digest:
                problems.append(f"line {line}: {side}: this picture has changed")
    refuse(
        clean(str(arguments["out"])),
        problems,
        so="it was begun with other settings or pictures. Restore them, name another file with "
        "--out, or ask every pair again with --force",
    )


def _confirm_bill(
    billed: Iterable[FaceVerifier],
    count: int,
    settings: Mapping[str, str],
    arguments: Mapping[str, Any],
) -> None:
    """Show what the calls would cost; ask before calls that a real vendor charges for."""
    from facematch_core.resilience.budget import Budget, format_amount

    if not count:
        return
    rows = []
    is_paid = False
    for member in billed:
        environment = member.backend.environment or Environment.PRODUCTION
        is_real = environment is Environment.PRODUCTION
        is_paid = is_paid or is_real
        cost = "not known" if is_real else "nothing"
        for policy in member.policies:
            price = policy.price(Operation.MATCH) if isinstance(policy, Budget) else None
            if price is not None:
                amount, currency = price
                total = f"{format_amount(amount * count)} {currency}"
                cost = total if is_real else f"nothing; {total} if it were real"
        rows.append((member.backend.name, environment, settings["retention"], str(count), cost))
    if rows:
        print_table(("backend", "where", "retention", "calls left", "cost"), rows, err=True)
    if is_paid:
        confirm(f"Make {quantity(count, 'call')} that may be charged?", yes=arguments["yes"])


def _read_pairs(path: Path) -> list[Pair]:
    """Read a --pairs file. Raises one `InvalidRequest` with all problems and missing pictures."""
    sides = ("probe", "reference")
    pairs: list[Pair] = []
    problems = []
    for row in read_csv(path, needed=sides, optional=("key",)):
        names = {side: row.cells[side] for side in sides}
        key = row.cells.get("key") or None
        pairs.append({"index": len(pairs), "line": row.line, "key": key, **names})
        for side, name in names.items():
            if not os.path.isfile(path.parent / name):  # noqa: PTH113 - no error for a name that is too long
                problems.append(f"line {row.line}: {side}: there is no file {name[:200]!r}")
    refuse_file(path, problems)
    return pairs


def _make_calls(
    verifier: Verifier,
    pairs: Sequence[Pair],
    results: ResultFile,
    summary: Summary,
    arguments: Mapping[str, Any],
) -> None:
    """Compare pairs, and write each row when its call ends, until a signal or an error stops it."""
    from facematch_core.call.run import load_images
    from facematch_core.verifier.verifier import PairOutcomes, PairRun

    class Run(PairRun):
        def compare(self, index: int, probe: Any, reference: Any) -> MatchResult:
            images = load_images([probe, reference])
            results.begin(pairs[index]["line"], images)
            return super().compare(index, *images)

        def verify_pair(self, index: int, pair: Any, **more: Any) -> PairOutcome | None:
            outcome = super().verify_pair(index, pair, **more)
            if outcome is not None:
                row = _row(pairs[index], outcome, results.form)
                error = outcome.error
                may_be_charged = error is None or charge_of(error) is not Charged.NO
                results.add(pairs[index]["line"], row, may_be_charged=may_be_charged)
                if results.failure is not None:
                    self.is_stopped = True
            return outcome

    folder = arguments["pairs"].parent
    workers = arguments["workers"] or WORKERS
    run = Run(verifier.verify, workers, FATAL, _call_arguments(arguments))
    with Stopping() as stopping, progress_bar("compared") as progress:
        task = progress.add_task("", total=len(pairs))
        until_stopped = itertools.takewhile(lambda _: not stopping.signal, pairs)
        paths = ((folder / p["probe"], folder / p["reference"]) for p in until_stopped)
        try:
            for outcome in PairOutcomes(run, paths):
                progress.advance(task)
                summary.add(pairs[outcome.index]["line"], outcome)
        except OSError as error:  # from `results.begin`
            summary.failure = error
    summary.failure = results.failure or summary.failure
    summary.signal = stopping.signal


def _row(pair: Pair, outcome: PairOutcome, form: str) -> str:
    """Return the row of an outcome, in JSON Lines or CSV."""
    from .pair_results import csv_row

    result, error = outcome.result, outcome.error
    if form == ".jsonl":
        answers = {
            "result": None if result is None else result.to_dict(),
            "error": None if error is None else error_document(error),
        }
        return json.dumps({**pair, **answers}) + "\n"
    cells: dict[str, object] = {}
    if error is not None:
        cells |= {"charged": charge_of(error).value, "error": type(error).__name__}
        cells["message"] = clean(error.message)
    if result is not None:
        score, threshold = result.score, result.threshold
        cells |= {
            "decision": result.decision.value,
            "score": None if score is None else score.value,
            "scale": None if score is None else score.scale,
            "threshold": None if threshold is None else threshold.value,
            "charged": result.billing.charged.value,
            "warnings": "; ".join(warning.code.value for warning in result.warnings),
        }
    return csv_row(pair | cells)


@attrs.define
class Summary:
    """Counts of the decisions, errors and charges in a batch."""

    #: Number of all pairs, and of the pairs that this run was to ask.
    pairs: int
    left: int
    #: Lines that may have been charged in an earlier run, have no result and are not repeated.
    unknown: list[int]
    decisions: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    charged: Counter[Charged] = attrs.field(factory=Counter)
    #: The first error of each class, with its line.
    first: dict[str, tuple[int, FaceMatchError]] = attrs.field(factory=dict)
    #: The signal that stopped the batch, or 0.
    signal: int = 0
    #: The error of a file that could not be written, or None.
    failure: OSError | None = None

    def add(self, line: int, outcome: PairOutcome) -> None:
        """Count the outcome of the pair on this line."""
        if outcome.result is not None:
            self.decisions[outcome.result.decision.value] += 1
            self.charged[outcome.result.billing.charged] += 1
        if outcome.error is not None:
            kind = type(outcome.error).__name__
            self.errors[kind] += 1
            self.charged[charge_of(outcome.error)] += 1
            self.first.setdefault(kind, (line, outcome.error))

    @property
    def code(self) -> Exit:
        """The highest exit code of the errors and of the unknown lines."""
        codes = [code_of(error) for _, error in self.first.values()]
        return max([Exit.LOOK if self.unknown else Exit.OK, *codes])

    @property
    def not_asked(self) -> int:
        return self.left - self.decisions.total() - self.errors.total()

    @property
    def fatal(self) -> FaceMatchError | None:
        """The first error that every remaining pair would raise, or None."""
        return next((error for _, error in self.first.values() if isinstance(error, FATAL)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON summary."""
        stopped: Any = None if self.fatal is None else error_document(self.fatal)
        return {
            "pairs": self.pairs,
            "answered": self.decisions.total(),
            "answered_before": self.pairs - self.left - len(self.unknown),
            "unknown": self.unknown,
            "not_asked": self.not_asked,
            "decisions": dict(self.decisions.most_common()),
            "errors": dict(self.errors.most_common()),
            "charged": self.charged[Charged.YES],
            "charge_unknown": self.charged[Charged.UNKNOWN],
            "stopped_by": signal.Signals(self.signal).name if self.signal else stopped,
        }


def _show_summary(document: Mapping[str, Any], *, err: bool) -> None:
    counts = {
        "answered": document["answered"],
        "failed": sum(document["errors"].values()),
        "answered before": document["answered_before"],
        "unknown": len(document["unknown"]),
        "not compared": document["not_asked"],
    }
    words = [
        f"{count} {name}"
        for name, count in counts.items()
        if count or name in ("answered", "failed")
    ]
    say(f"{quantity(document['pairs'], 'pair')}: {', '.join(words)}", err=err)
    charges = {"charged": document["charged"]}
    if document["charge_unknown"]:
        charges["perhaps charged"] = document["charge_unknown"]
    for totals in (document["decisions"], document["errors"], charges):
        if totals:
            texts = (f"{name.replace('_', ' ')} {count}" for name, count in totals.items())
            say(f"  {', '.join(texts)}", err=err)
    say(f"  written to {document['out']}", err=err)


def _show_problems(summary: Summary, missing: Sequence[str], target: Path) -> None:
    """Print the errors, the lines whose charge is unknown, and the rows that were not written."""
    for kind, (line, problem) in summary.first.items():
        others = summary.errors[kind] - 1
        again = f" (and {others} more {kind}: see {target})" if others else ""
        say(f"error: line {line}: {error_sentence(problem)}{again}", err=True)
    if summary.fatal is not None:
        kind = type(summary.fatal).__name__
        say(f"stopped early: every further pair would fail with {kind}", err=True)
    if summary.unknown:
        say(
            f"{place(summary.unknown)}an earlier call may have been charged and has no result: not "
            "repeated (--repeat-unknown repeats it)",
            err=True,
        )
    if missing:
        say("The results cannot be written. Rows missing from the file:", err=True)
        for row in missing:
            click.echo(clean(row.rstrip()), err=True)
