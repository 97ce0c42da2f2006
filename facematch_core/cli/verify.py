"""`facematch verify`: compare a pair of pictures, or every pair in a file."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import attrs
import click

from facematch_core.base.files import is_stream, named
from facematch_core.errors import FATAL, FaceMatchError, OutcomeUnknown
from facematch_core.models import Billing, Charged, Ids, Operation, Retention

from . import options
from .files import check_target, csv_cell, form_of, make_folder, read_csv, refuse_file, write_error
from .text import (
    Exit,
    Stopping,
    charge_of,
    clean,
    code_of,
    error_document,
    error_sentence,
    print_json,
    progress_bar,
    quantity,
    say,
)

if TYPE_CHECKING:
    from facematch_core.call.events import CallEvent
    from facematch_core.verifier.verifier import PairOutcome, PairOutcomes

    from ._results import Answer

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
    help="With --live: score at which a live face begins.",
)
@options.call_options
@options.file_option(
    "--pairs",
    "Compare every pair in a CSV file with the columns probe,reference[,key].",
    metavar="CSV",
)
@options.file_option("--out", "With --pairs: file for the results, .jsonl or .csv.")
@click.option("--force", is_flag=True, help="With --pairs: overwrite an existing --out file.")
@click.option(
    "--workers",
    callback=options.parse_workers,
    metavar="1-256",
    show_default=str(WORKERS),
    help="With --pairs: maximum number of concurrent calls.",
)
def command(probe: str | None, reference: str | None, **arguments: Any) -> int:
    """Check whether PROBE (the selfie) and REFERENCE (the document) show the same person.

    \b
    facematch verify selfie.jpg id.jpg --threshold 50
    facematch verify --pairs pairs.csv --out results.jsonl

    A mismatch is not an error; its exit code is 1. `facematch -h` lists all exit codes.
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
            raise click.UsageError("--pairs needs --out: the file for the results.")
        return _compare_pairs(arguments)
    for name in ("out", "force", "workers"):
        if arguments[name]:
            raise click.UsageError(f"--{name} needs --pairs.")
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


#: Columns of a .csv file with results.
_COLUMNS = (
    *("line", "key", "probe", "reference", "decision", "score", "scale", "threshold"),
    *("charged", "warnings", "error", "message"),
)


#: A line of the --pairs file: its number, key, probe and reference.
Pair: TypeAlias = dict[str, Any]


def _compare_pairs(arguments: Mapping[str, Any]) -> int:
    """Compare every pair in a file; return the exit code for the whole batch."""
    from facematch_core.call.verdict import CallOptions

    target, source = arguments["out"], arguments["pairs"]
    form = form_of("--out", target, ".jsonl", ".csv")
    check_target("--out", target, force=arguments["force"])
    if target.exists() and source.exists() and target.samefile(source):
        raise click.UsageError("--out would overwrite the file of --pairs.")
    pairs = _read_pairs(source)
    summary = Summary()
    with options.Target.of(arguments).open() as verifier, Stopping() as stopping:
        call = _call_arguments(arguments)
        # Before --out is created, raise any error that every comparison would raise.
        verifier.runner.check_call([], CallOptions(operation=Operation.MATCH, **call))
        until_stopped = itertools.takewhile(lambda _: not stopping.signal, pairs)
        outcomes = verifier.verify_many(
            ((source.parent / p["probe"], source.parent / p["reference"]) for p in until_stopped),
            max_workers=arguments["workers"] or WORKERS,
            **call,
        )
        try:
            make_folder(target)
            mode = "w" if arguments["force"] or is_stream(target) else "x"
            file = target.open(mode, encoding="utf-8", newline="")
        except OSError as error:
            raise write_error("--out", target, error) from None
        with named(target), file:
            _write_outcomes(outcomes, pairs, file, form, summary)
    document = {**summary.to_dict(len(pairs), stopping.signal), "out": str(target)}
    if arguments["as_json"]:
        print_json(document)
    else:
        _show_summary(document)
    for kind, (line, problem) in summary.first.items():
        others = summary.errors[kind] - 1
        again = f" (and {others} more {kind}: see {target})" if others else ""
        say(f"error: line {line}: {error_sentence(problem)}{again}", err=True)
    if summary.fatal is not None:
        kind = type(summary.fatal).__name__
        say(f"stopped early: every further pair would fail with {kind}", err=True)
    return 128 + stopping.signal if stopping.signal else summary.code


def _read_pairs(path: Path) -> list[Pair]:
    """Read a --pairs file. Raises one `InvalidRequest` with all problems and missing pictures."""
    sides = ("probe", "reference")
    pairs, problems = [], []
    for row in read_csv(path, needed=sides, optional=("key",)):
        names = {side: row.cells[side] for side in sides}
        pairs.append({"line": row.line, "key": row.cells.get("key") or None, **names})
        for side, name in names.items():
            if not os.path.isfile(path.parent / name):  # noqa: PTH113 - no error for a name that is too long
                problems.append(f"line {row.line}: {side}: there is no file {name[:200]!r}")
    refuse_file(path, problems)
    return pairs


def _write_outcomes(
    outcomes: PairOutcomes, pairs: Sequence[Pair], file: IO[str], form: str, summary: Summary
) -> None:
    """Write and count each outcome. If the file cannot be written, print the rest on stderr."""

    def line(outcome: PairOutcome) -> str:
        return _line(pairs[outcome.index], outcome, form)

    if form == ".csv":
        file.write(_csv_line(dict(zip(_COLUMNS, _COLUMNS, strict=True))))
        file.flush()  # detect a full disk before the first call is charged
    with progress_bar("compared") as progress:
        task = progress.add_task("", total=len(pairs))
        for outcome in outcomes:
            try:
                file.write(line(outcome))
                # Flush each line, so that no paid result is lost if the process is killed.
                file.flush()
            except OSError:
                outcomes.stop()
                say("The results cannot be written. Lines missing from the file:", err=True)
                missing = Summary()
                for each in itertools.chain([outcome], outcomes):
                    missing.add(0, each)
                    click.echo(clean(line(each).rstrip()), err=True)
                yes, unknown = (missing.charged[word] for word in (Charged.YES, Charged.UNKNOWN))
                say(f"of these calls: {yes} charged, {unknown} perhaps charged", err=True)
                raise
            progress.advance(task)
            summary.add(pairs[outcome.index]["line"], outcome)


def _line(pair: Pair, outcome: PairOutcome, form: str) -> str:
    """Format an outcome as a line of JSON Lines or CSV."""
    result, error = outcome.result, outcome.error
    if form == ".jsonl":
        answers = {
            "result": None if result is None else result.to_dict(),
            "error": None if error is None else error_document(error),
        }
        return json.dumps({"index": outcome.index, **pair, **answers}) + "\n"
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
    return _csv_line(pair | cells)


def _csv_line(cells: Mapping[str, object]) -> str:
    line = io.StringIO()
    csv.DictWriter(line, _COLUMNS).writerow({name: csv_cell(cells[name]) for name in cells})
    return line.getvalue()


@attrs.define
class Summary:
    """Counts of the decisions, errors and charges in a batch."""

    decisions: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    charged: Counter[Charged] = attrs.field(factory=Counter)
    #: The first error of each class, with its line.
    first: dict[str, tuple[int, FaceMatchError]] = attrs.field(factory=dict)
    code: Exit = Exit.OK

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
            self.code = max(self.code, code_of(outcome.error))

    @property
    def fatal(self) -> FaceMatchError | None:
        """The first error that every remaining pair would raise, or None."""
        return next((error for _, error in self.first.values() if isinstance(error, FATAL)), None)

    def to_dict(self, pairs: int, number: int) -> dict[str, Any]:
        """Return the JSON summary; `number` is the signal that stopped the batch, or 0."""
        stopped: Any = None if self.fatal is None else error_document(self.fatal)
        return {
            "pairs": pairs,
            "answered": self.decisions.total(),
            "not_asked": pairs - self.decisions.total() - self.errors.total(),
            "decisions": dict(self.decisions.most_common()),
            "errors": dict(self.errors.most_common()),
            "charged": self.charged[Charged.YES],
            "charge_unknown": self.charged[Charged.UNKNOWN],
            "stopped_by": signal.Signals(number).name if number else stopped,
        }


def _show_summary(document: Mapping[str, Any]) -> None:
    failed = sum(document["errors"].values())
    rest = f", {document['not_asked']} not compared" if document["not_asked"] else ""
    pairs = quantity(document["pairs"], "pair")
    say(f"{pairs}: {document['answered']} answered, {failed} failed{rest}")
    charges = {"charged": document["charged"]}
    if document["charge_unknown"]:
        charges["perhaps charged"] = document["charge_unknown"]
    for counts in (document["decisions"], document["errors"], charges):
        if counts:
            words = (f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            say(f"  {', '.join(words)}")
    say(f"  written to {document['out']}")
