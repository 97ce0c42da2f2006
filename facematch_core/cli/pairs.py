"""`facematch verify --pairs`: compare every pair in a file, and continue a stopped batch."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core.base.files import is_stream
from facematch_core.base.tables import format_places, raise_problems
from facematch_core.call.run import load_images
from facematch_core.call.verdict import CallOptions
from facematch_core.errors import FATAL, FaceMatchError
from facematch_core.images.image import Image
from facematch_core.models import Charged, Environment, MatchResult, Operation
from facematch_core.resilience.budget import Budget, format_amount
from facematch_core.verifier import verifier as verifiers

from . import text
from .files import form_of, read_csv, refuse_file, refuse_unwritable
from .options import REPEAT_ALL, Target, members_of
from .pair_results import ResultFile, csv_row, journal_path, open_results
from .text import Exit, charge_of, clean, quantity, say


@attrs.frozen
class Pair:
    """A line of the --pairs file.

    Attributes:
        index: Its position among the pairs, from 0.
        line: Its number in the file, from 1 for the header.
        key: The user's name for it, or None.
        probe: The path of the picture, relative to the folder of the file. Likewise `reference`.
    """

    index: int
    line: int
    key: str | None
    probe: str
    reference: str


def compare_pairs(
    arguments: Mapping[str, Any], call_options: Mapping[str, Any], *, workers: int
) -> int:
    """Compare every pair in a file; return the exit code for the whole batch.

    Args:
        arguments: The options of the command.
        call_options: The keyword arguments of each comparison.
        workers: Maximum number of concurrent calls.
    """
    out: Path = arguments["out"]
    source: Path = arguments["pairs"]
    suffix = form_of("--out", out, ".jsonl", ".csv")
    repeats_all = arguments["repeat"] == REPEAT_ALL
    path = _choose_file(out, suffix, source, repeats_all=repeats_all, as_json=arguments["as_json"])
    pairs = _read_pairs(source)
    target = Target.of(arguments)
    with target.open() as verifier:
        # Before --out is created, raise any error that every comparison would raise.
        verifier.runner.check_call([], CallOptions(operation=Operation.MATCH, **call_options))
        settings = _describe_settings(verifier, target.profile_or_default(), call_options)
        billed_members = [
            member
            for member in members_of(verifier)
            if Operation.MATCH in member.backend.capabilities.billed_operations
        ]
        with open_results(path, suffix, workers=workers) as results:
            unknown_lines = set[int]()
            if billed_members and arguments["repeat"] is None:
                unknown_lines = results.maybe_charged_calls.keys() - results.answered_lines
            finished_lines = results.answered_lines | unknown_lines
            finished = [pair for pair in pairs if pair.line in finished_lines]
            _check_unchanged(out, finished, results, settings, folder=source.parent)
            pairs_to_ask = [pair for pair in pairs if pair.line not in finished_lines]
            if pairs_to_ask:
                _confirm_bill(billed_members, len(pairs_to_ask), settings, yes=arguments["yes"])
            results.open_for_rows(finished_lines, settings)
            summary = Summary(
                pairs=len(pairs),
                pairs_to_ask=len(pairs_to_ask),
                unknown=[pair.line for pair in finished if pair.line in unknown_lines],
            )
            run = RecordedRun(verifier.verify, verifier.runner, workers, FATAL, call_options)
            run.pairs = pairs_to_ask
            run.results = results
            _make_calls(run, summary, source.parent)
    if path != out and not (summary.not_asked or summary.errors or summary.failure):
        journal_path(path).replace(journal_path(out))
        path = path.replace(out)
    document = {**summary.to_dict(), "out": str(path)}
    if arguments["as_json"]:
        text.print_json(document)
    else:
        _show_counts(document, err=str(out) == "-")
    _show_problems(summary, results.unwritten_rows, path)
    if path != out:
        say(f"{out} is unchanged; to continue, use --out {path} without --repeat", err=True)
    elif results.is_resumable and summary.not_asked:
        say("to continue, run the same command again", err=True)
    if summary.failure is not None:
        raise summary.failure
    if summary.signal:
        return 128 + summary.signal
    return summary.code


def _choose_file(out: Path, suffix: str, source: Path, *, repeats_all: bool, as_json: bool) -> Path:
    """Return the file to write: --out or, while all pairs are repeated, another beside it."""
    if str(out) == "-":
        if as_json:
            raise click.UsageError("--json cannot be combined with --out -.")
        return out
    if out.exists() and source.exists() and out.samefile(source):
        raise click.UsageError("--out would overwrite the file of --pairs.")
    has_journal = journal_path(out).exists()
    refuse_unwritable(
        "--out", out, may_exist=repeats_all or has_journal, overwrite_option="--repeat all"
    )
    if not repeats_all or is_stream(out) or not (has_journal or out.exists()):
        return out
    # The old results may have been paid for: keep them until the new ones are complete.
    new = out.with_name(f"{out.stem}.new{suffix}")
    if new.exists() or journal_path(new).exists():
        raise click.UsageError(
            f"{new} has the results of a --repeat all that was stopped: continue with --out {new} "
            "without --repeat, or delete it and its .calls file."
        )
    return new


def _read_pairs(path: Path) -> list[Pair]:
    """Read a --pairs file. Raises one `InvalidRequest` with all problems and missing pictures."""
    pairs: list[Pair] = []
    problems = []
    for row in read_csv(path, needed=("probe", "reference"), optional=("key",)):
        pair = Pair(
            index=len(pairs),
            line=row.line,
            key=row.cells.get("key") or None,
            probe=row.cells["probe"],
            reference=row.cells["reference"],
        )
        pairs.append(pair)
        for column in ("probe", "reference"):
            name = row.cells[column]
            if not os.path.isfile(path.parent / name):  # noqa: PTH113 - no error for a name that is too long
                problems.append(f"line {row.line}: {column}: there is no file {name[:200]!r}")
    refuse_file(path, problems)
    return pairs


def _describe_settings(
    verifier: verifiers.Verifier, profile: str | None, call_options: Mapping[str, Any]
) -> dict[str, str]:
    """Return the settings that all results of a file share, by name."""
    members = members_of(verifier)
    limits = []
    for member in members:
        defaults = member.thresholds(Operation.MATCH)
        for name in ("threshold", "review_threshold"):
            default = getattr(defaults, name)
            limits.append(call_options.get(name, default and default.value))
    return {
        "profile": profile or "none",
        "backend": ", ".join(member.backend.name for member in members),
        "environment": ", ".join(str(member.backend.environment) for member in members),
        "threshold (and review threshold)": ", ".join(map(str, limits)),
        "retention": str(call_options["retention"]),
    }


def _check_unchanged(
    out: Path,
    finished: Iterable[Pair],
    results: ResultFile,
    settings: Mapping[str, str],
    *,
    folder: Path,
) -> None:
    """Raise if a finished pair was asked with other settings or pictures than it has now."""
    problems = []
    for pair in finished:
        earlier = results.maybe_charged_calls.get(pair.line)
        if earlier is None:
            continue  # its entry in the journal was lost
        for name, value in settings.items():
            if value != earlier.settings[name]:
                problems.append(f"{name}: {earlier.settings[name]} before, now {value}")
        pictures = {"probe": pair.probe, "reference": pair.reference}
        for (column, name), digest in zip(pictures.items(), earlier.digests, strict=True):
            if Image.read(folder / name).digest != digest:
                problems.append(f"line {pair.line}: {column}: this picture has changed")
    raise_problems(
        clean(str(out)),
        problems,
        so="it was begun with other settings or pictures. Restore them, name another file with "
        "--out, or ask every pair again with --repeat all",
    )


def _confirm_bill(
    billed_members: Iterable[verifiers.FaceVerifier],
    count: int,
    settings: Mapping[str, str],
    *,
    yes: bool,
) -> None:
    """Show what the calls would cost; ask before calls that a real vendor charges for."""
    rows = []
    is_paid = False
    for member in billed_members:
        environment = member.backend.environment or Environment.PRODUCTION
        is_real = environment is Environment.PRODUCTION
        is_paid = is_paid or is_real
        cost = "not known" if is_real else "nothing"
        for policy in member.policies:
            price = policy.price(Operation.MATCH) if isinstance(policy, Budget) else None
            if price is not None:
                amount, currency = price
                cost = f"{format_amount(amount * count)} {currency}"
                if not is_real:
                    cost = f"nothing; {cost} if it were real"
        rows.append((member.backend.name, environment, settings["retention"], str(count), cost))
    if rows:
        text.print_table(("backend", "where", "retention", "calls left", "cost"), rows, err=True)
    if is_paid:
        text.confirm(f"Make {quantity(count, 'call')} that may be charged?", yes=yes)


class RecordedRun(verifiers.PairRun):
    """Compares pairs: records each call before it is sent, and writes its row when it ends."""

    pairs: Sequence[Pair]
    results: ResultFile

    def compare(self, index: int, probe: object, reference: object) -> MatchResult:
        images = load_images([probe, reference])
        self.results.begin(self.pairs[index].line, [image.digest for image in images])
        return super().compare(index, *images)

    def make_outcome(
        self, index: int, pair: object, compare: Callable[[int, Any, Any], MatchResult]
    ) -> verifiers.PairOutcome | None:
        outcome = super().make_outcome(index, pair, compare)
        if outcome is not None:
            # In the thread of the call: an outcome that waits for an earlier pair is saved, too.
            is_free = outcome.error is not None and charge_of(outcome.error) is Charged.NO
            row = _row_text(self.pairs[index], outcome, self.results.suffix)
            self.results.add(self.pairs[index].line, row, is_certainly_free=is_free)
            if self.results.failure is not None:
                self.is_stopped = True
        return outcome


def _make_calls(run: RecordedRun, summary: Summary, folder: Path) -> None:
    """Compare the pairs of a run, until a signal or an error stops it."""

    def pictures() -> Iterator[tuple[Path, Path]]:
        for pair in run.pairs:
            if stopping.signal:
                return
            yield folder / pair.probe, folder / pair.reference

    bars = text.progress_bars("compared", {"": len(run.pairs)})
    with text.Stopping() as stopping, bars as advance:
        try:
            for outcome in verifiers.PairOutcomes(run, pictures()):
                advance("")
                summary.add(run.pairs[outcome.index].line, outcome)
        except OSError as error:  # a call could not be recorded, and was not sent
            summary.failure = error
    summary.failure = run.results.failure or summary.failure
    summary.signal = stopping.signal


def _row_text(pair: Pair, outcome: verifiers.PairOutcome, suffix: str) -> str:
    """Return the row of an outcome, in JSON Lines or CSV."""
    result = outcome.result
    error = outcome.error
    cells = attrs.asdict(pair)
    if suffix == ".jsonl":
        cells["result"] = None if result is None else result.to_dict()
        cells["error"] = None if error is None else text.error_document(error)
        return json.dumps(cells) + "\n"
    if error is not None:
        cells["charged"] = charge_of(error).value
        cells["error"] = type(error).__name__
        cells["message"] = clean(error.message)
    if result is not None:
        cells["decision"] = result.decision.value
        cells["charged"] = result.billing.charged.value
        cells["model"] = result.model
        cells["environment"] = result.environment and result.environment.value
        cells["warnings"] = "; ".join(warning.code.value for warning in result.warnings)
        if result.score is not None:
            cells["score"] = result.score.value
            cells["scale"] = result.score.scale
        if result.threshold is not None:
            cells["threshold"] = result.threshold.value
    return csv_row(cells)


@attrs.define
class Summary:
    """Counts of the decisions, errors and charges in a batch."""

    #: Number of all pairs, and of the pairs that this run was to ask.
    pairs: int
    pairs_to_ask: int
    #: Lines that may have been charged in an earlier run, have no result and are not repeated.
    unknown: list[int]
    decisions: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    charged: Counter[Charged] = attrs.field(factory=Counter)
    #: The first error of each class, by its name.
    first_errors: dict[str, FaceMatchError] = attrs.field(factory=dict)
    #: The line of each first error.
    first_lines: dict[str, int] = attrs.field(factory=dict)
    #: The signal that stopped the batch, or 0.
    signal: int = 0
    #: The error of a file that could not be written, or None.
    failure: OSError | None = None

    def add(self, line: int, outcome: verifiers.PairOutcome) -> None:
        """Count the outcome of the pair on this line."""
        if outcome.result is not None:
            self.decisions[outcome.result.decision.value] += 1
            self.charged[outcome.result.billing.charged] += 1
        if outcome.error is not None:
            class_name = type(outcome.error).__name__
            self.errors[class_name] += 1
            self.charged[charge_of(outcome.error)] += 1
            self.first_errors.setdefault(class_name, outcome.error)
            self.first_lines.setdefault(class_name, line)

    @property
    def code(self) -> Exit:
        """The highest exit code of the errors and of the unknown lines."""
        codes = [text.code_of(error) for error in self.first_errors.values()]
        if self.unknown:
            codes.append(Exit.UNKNOWN)
        return max(codes, default=Exit.OK)

    @property
    def not_asked(self) -> int:
        return self.pairs_to_ask - self.decisions.total() - self.errors.total()

    @property
    def fatal(self) -> FaceMatchError | None:
        """The first error that every remaining pair would raise, or None."""
        for error in self.first_errors.values():
            if isinstance(error, FATAL):
                return error
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON summary."""
        stopped_by: Any = None
        if self.signal:
            stopped_by = signal.Signals(self.signal).name
        elif self.fatal is not None:
            stopped_by = text.error_document(self.fatal)
        return {
            "pairs": self.pairs,
            "answered": self.decisions.total(),
            "answered_before": self.pairs - self.pairs_to_ask - len(self.unknown),
            "unknown": self.unknown,
            "not_asked": self.not_asked,
            "decisions": dict(self.decisions.most_common()),
            "errors": dict(self.errors.most_common()),
            "charged": self.charged[Charged.YES],
            "charge_unknown": self.charged[Charged.UNKNOWN],
            "stopped_by": stopped_by,
        }


def _show_counts(document: Mapping[str, Any], *, err: bool) -> None:
    counts = {
        "answered": document["answered"],
        "failed": sum(document["errors"].values()),
        "answered before": document["answered_before"],
        "unknown": len(document["unknown"]),
        "not compared": document["not_asked"],
    }
    texts = []
    for name, count in counts.items():
        if count or name in ("answered", "failed"):
            texts.append(f"{count} {name}")
    say(f"{quantity(document['pairs'], 'pair')}: {', '.join(texts)}", err=err)
    charges = {"charged": document["charged"]}
    if document["charge_unknown"]:
        charges["perhaps charged"] = document["charge_unknown"]
    for totals in (document["decisions"], document["errors"], charges):
        texts = [f"{name.replace('_', ' ')} {count}" for name, count in totals.items()]
        if texts:
            say(f"  {', '.join(texts)}", err=err)
    say(f"  written to {document['out']}", err=err)


def _show_problems(summary: Summary, unwritten_rows: Collection[str], path: Path) -> None:
    """Print the errors, the lines whose charge is unknown, and the rows that were not written."""
    for class_name, error in summary.first_errors.items():
        sentence = f"error: line {summary.first_lines[class_name]}: {text.error_sentence(error)}"
        further = summary.errors[class_name] - 1
        if further:
            sentence += f" (and {further} more {class_name}: see {path})"
        say(sentence, err=True)
    if summary.fatal is not None:
        class_name = type(summary.fatal).__name__
        say(f"stopped early: every further pair would fail with {class_name}", err=True)
    if summary.unknown:
        say(
            f"{format_places(summary.unknown)}an earlier call may have been charged and has no "
            "result: not repeated (--repeat unknown repeats it)",
            err=True,
        )
    if unwritten_rows:
        say("The results cannot be written. Rows missing from the file:", err=True)
        for row in unwritten_rows:
            click.echo(clean(row.rstrip()), err=True)
