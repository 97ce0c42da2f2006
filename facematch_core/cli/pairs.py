"""`facematch verify --pairs`: compare every pair in a file, and continue a stopped batch."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from facematch_core.backend.kinds import quote_command
from facematch_core.base.deadline import SystemClock
from facematch_core.base.files import is_stream
from facematch_core.base.tables import format_places, raise_problems
from facematch_core.batch.charges import stores_of
from facematch_core.batch.recorder import Recorder, replace_record
from facematch_core.batch.records import WITHOUT_ANSWER, PairOutcome, PairState, StoredSystem
from facematch_core.batch.system import NotRecorded, RecordedSystem, run_systems
from facematch_core.call.run import call_runners, load_images
from facematch_core.call.verdict import CallOptions
from facematch_core.errors import FATAL, ConfigurationError, FaceMatchError
from facematch_core.images.image import Image
from facematch_core.models import Charged, MatchResult, Operation
from facematch_core.verifier.verifier import Verifier

from . import text
from .bill import confirm_bill
from .files import form_of, make_folder, read_csv, refuse_file, refuse_unwritable
from .options import REPEAT_ALL, Target
from .pair_results import ResultFile, csv_row, record_path
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

    @property
    def number(self) -> int:
        """Its number in the record of calls, which counts from 0 and is shown as the line."""
        return self.line - 1


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
    # With --repeat all, a file beside `out`, which it replaces once it is complete.
    path = _choose_file(out, suffix, source, repeats_all=repeats_all, as_json=arguments["as_json"])
    results = ResultFile(path, suffix, workers=workers)
    summary = _run_batch(results, arguments, call_options, workers=workers)
    if path != out and not (summary.not_asked or summary.error_of_line or summary.failure):
        replace_record(record_path(path), record_path(out))
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
        if arguments["as_json"]:  # the document has it
            return text.code_of(summary.failure)
        raise summary.failure
    if summary.signal:
        return 128 + summary.signal
    return summary.code


def _run_batch(
    results: ResultFile,
    arguments: Mapping[str, Any],
    call_options: Mapping[str, Any],
    *,
    workers: int,
) -> Summary:
    """Compare the pairs of a file that earlier runs did not finish."""
    source: Path = arguments["pairs"]
    pairs = _read_pairs(source)
    target = Target.of(arguments)
    file = record_path(results.path)
    with contextlib.ExitStack() as stack:
        if not results.is_resumable:
            file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "calls")
        recorder = stack.enter_context(contextlib.closing(Recorder(file)))
        batch = PairBatch(recorder, results, pairs, source.parent, call_options)
        verifier = stack.enter_context(target.open(on_event=batch.record))
        # Before --out is created, raise any error that every comparison would raise.
        verifier.runner.check_call([], CallOptions(operation=Operation.MATCH, **call_options))
        batch.enter(verifier, target.profile_or_default())
        make_folder(results.path)
        try:
            recorder.lock()
        except ConfigurationError as error:
            raise click.UsageError(error.message) from None
        batch.read_earlier_runs(repeats_unknown=arguments["repeat"] is not None)
        _check_unchanged(arguments["out"], batch)
        calls = len(batch.pairs_to_ask())
        if calls and batch.is_billed:
            confirm_bill([batch], {batch.name: calls}, pairs=len(pairs), yes=arguments["yes"])
        return _make_calls(batch, workers)


def _choose_file(out: Path, suffix: str, source: Path, *, repeats_all: bool, as_json: bool) -> Path:
    """Return the file to write: --out or, while all pairs are repeated, another beside it."""
    if str(out) == "-":
        if as_json:
            raise click.UsageError("--json cannot be combined with --out -.")
        return out
    if out.exists() and source.exists() and out.samefile(source):
        raise click.UsageError("--out would overwrite the file of --pairs.")
    has_record = record_path(out).exists()
    refuse_unwritable(
        "--out", out, may_exist=repeats_all or has_record, overwrite_option="--repeat all"
    )
    if not repeats_all or is_stream(out) or not (has_record or out.exists()):
        return out
    # The old results may have been paid for: keep them until the new ones are complete.
    new = out.with_name(f"{out.stem}.new{suffix}")
    if new.exists() or record_path(new).exists():
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


class PairBatch(RecordedSystem):
    """The pairs of a file, which one verifier compares.

    Attributes:
        pairs: All pairs, by `Pair.number`.
        finished: The outcomes of the pairs that this run does not ask, by number.
        settings: The settings that all results of a file share, by name.
        earlier: The settings of the earlier runs; equal to `settings` if there is none.
        summary: What this run did.
        advance: Moves the progress bar.
    """

    advance: Callable[[], None]

    # Another picture may take its place before the next run.
    refused_state = PairState.FAILED

    def __init__(
        self,
        recorder: Recorder,
        results: ResultFile,
        pairs: Iterable[Pair],
        folder: Path,
        call_options: Mapping[str, Any],
    ) -> None:
        super().__init__("verify", recorder, SystemClock())
        self.results = results
        self.pairs = {pair.number: pair for pair in pairs}
        self.folder = folder
        self.finished: dict[int, PairOutcome] = {}
        self.retention = call_options["retention"]
        self._call_options = call_options

    def enter(self, verifier: Verifier, profile: str | None) -> None:
        """Take the verifier, before anything is written."""
        self.verifier = verifier
        self.members = members = call_runners(verifier.runner)
        backends = ", ".join(member.backend.name for member in members)
        self.name = profile or backends
        self.is_billed = any(
            Operation.MATCH in member.backend.capabilities.billed_operations for member in members
        )
        policies = [policy for member in members for policy in member.policies]
        self.budget_stores = stores_of(policies)
        limits = []
        for member in members:
            defaults = member.rules.thresholds_for(CallOptions(operation=Operation.MATCH))
            for name in ("threshold", "review_threshold"):
                default = getattr(defaults, name)
                limits.append(self._call_options.get(name, default and default.value))
        self.settings = {
            "profile": profile or "none",
            "backend": backends,
            "environment": ", ".join(str(member.backend.environment) for member in members),
            "threshold (and review threshold)": ", ".join(map(str, limits)),
            "retention": str(self.retention),
        }
        settings = {**self.settings, "billed": self.is_billed}
        self.stored = StoredSystem(number=1, name=self.name, settings=settings)

    def read_earlier_runs(self, *, repeats_unknown: bool) -> None:
        """Find out which pairs are finished. With `repeats_unknown`, only the answered ones are."""
        self.earlier: Mapping[str, Any] = self.settings
        recorded: dict[int, PairOutcome] = {}
        for system in self._recorder.systems():  # one, unless there was no run
            self.earlier = system.settings
            # Earlier calls may be on the invoice, even if no further one will be.
            self.is_billed = self.is_billed or system.is_billed
            settings = {**self.settings, "billed": self.is_billed}
            self.stored = attrs.evolve(self.stored, settings=settings)
            self.recover()
            self.resolve_lost_calls()
            recorded = self._recorder.outcomes(self.stored.number)
        self.results.refuse_changes(outcome.row for outcome in recorded.values())
        final_states = {PairState.ANSWERED}
        if self.is_billed and not repeats_unknown:
            final_states.update(WITHOUT_ANSWER)
        for number, outcome in recorded.items():
            if number in self.pairs and outcome.state in final_states:
                self.finished[number] = outcome

    @property
    def unknown_lines(self) -> list[int]:
        """The lines whose earlier call may have been charged, and which are not repeated."""
        lines = []
        for number, outcome in self.finished.items():
            if outcome.state in WITHOUT_ANSWER:
                lines.append(self.pairs[number].line)
        return lines

    def pairs_to_ask(self) -> list[int]:
        """Return the pairs that are not finished, in the order of the file."""
        return [number for number in self.pairs if number not in self.finished]

    def find_changed_pictures(self) -> Iterator[str]:
        """Yield a sentence for each picture of a finished pair that has changed since."""
        for number, outcome in self.finished.items():
            pair = self.pairs[number]
            pictures = {"probe": pair.probe, "reference": pair.reference}
            digests = (outcome.pictures or "").split()
            for (column, name), digest in zip(pictures.items(), digests, strict=True):
                if Image.read(self.folder / name).digest != digest:
                    yield f"line {pair.line}: {column}: this picture has changed"

    def prepare(self) -> None:
        """Record the settings, and make the pairs free that will be asked."""
        pairs_to_ask = self.pairs_to_ask()
        self._recorder.enter_pairs(self.stored, self.pairs, lambda _stored, new: new)
        self._recorder.release(self.stored.number, pairs_to_ask)
        self.summary = Summary(
            pairs=len(self.pairs), pairs_to_ask=len(pairs_to_ask), unknown=self.unknown_lines
        )

    def load(self, pair: int) -> list[Image]:
        pictures = self.pairs[pair]
        images = load_images([self.folder / pictures.probe, self.folder / pictures.reference])
        try:
            self.results.check_room()
        except OSError as error:
            raise NotRecorded(None, _unwritten(error)) from None
        return images

    def options_of(self, pair: int) -> Mapping[str, Any]:
        return self._call_options

    def complete(
        self,
        pair: int,
        outcome: PairOutcome,
        result: MatchResult | None,
        error: FaceMatchError | None,
    ) -> tuple[PairOutcome, FaceMatchError | None]:
        """Add the row to an outcome, unless the pair is asked again in this run."""
        if outcome.state is PairState.FREE:
            if not isinstance(error, FATAL):
                return outcome, None
            outcome = attrs.evolve(outcome, state=PairState.FAILED)
        with self._lock:
            self.summary.add(self.pairs[pair].line, result, error)
        row = _row_text(self.pairs[pair], result, error, self.results.suffix)
        return attrs.evolve(outcome, row=row), None

    def ended(self, pair: int, outcome: PairOutcome, *, is_stored: bool) -> None:
        """Write a pair's row.

        Stop the batch, without losing the row, if the file cannot be written.
        """
        row = outcome.row or ""
        if is_stored:
            try:
                self.results.add(row)  # or keep it in `unwritten_rows`
            except OSError as failure:
                self.stop_with(_unwritten(failure))
        else:
            self.results.unwritten_rows.append(row)
        self.advance()


def _unwritten(error: OSError) -> ConfigurationError:
    """Return the error of a file that could not be written."""
    return ConfigurationError(text.error_sentence(error))


def _check_unchanged(out: Path, batch: PairBatch) -> None:
    """Raise if a finished pair was asked with other settings or pictures than it has now."""
    if not batch.finished:
        return
    problems = []
    for name, value in batch.settings.items():
        earlier = batch.earlier[name]
        if value != earlier:
            problems.append(f"{name}: {earlier} before, now {value}")
    raise_problems(
        clean(str(out)),
        [*problems, *batch.find_changed_pictures()],
        so="it was begun with other settings or pictures. Restore them, name another file with "
        "--out, or ask every pair again with --repeat all",
    )


def _make_calls(batch: PairBatch, workers: int) -> Summary:
    """Compare the pairs that are left, until a signal or an error stops the batch."""
    pairs = batch.pairs_to_ask()
    with (
        batch.results.open_with(outcome.row for outcome in batch.finished.values()),
        text.Stopping() as stopping,
        text.progress_bar("compared", len(pairs)) as advance,
    ):
        batch.prepare()
        batch.advance = advance
        run_systems([batch], pairs=pairs, workers=workers, stop=lambda: bool(stopping.signal))
    summary = batch.summary
    summary.signal = stopping.signal
    if type(batch.error) is not type(summary.fatal):
        summary.failure = batch.error
    return summary


def _row_text(
    pair: Pair, result: MatchResult | None, error: FaceMatchError | None, suffix: str
) -> str:
    """Return the row of a result or an error, in JSON Lines or CSV."""
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
    #: The decisions and the errors of this run, by line; calls end in any order.
    decision_of_line: dict[int, str] = attrs.field(factory=dict)
    error_of_line: dict[int, FaceMatchError] = attrs.field(factory=dict)
    charged: Counter[Charged] = attrs.field(factory=Counter)
    #: The signal that stopped the batch, or 0.
    signal: int = 0
    #: The error that stopped the batch and is no error of a pair, or None.
    failure: FaceMatchError | None = None

    def add(self, line: int, result: MatchResult | None, error: FaceMatchError | None) -> None:
        """Count the result or error of the pair on this line."""
        if result is not None:
            self.decision_of_line[line] = result.decision.value
            self.charged[result.billing.charged] += 1
        if error is not None:
            self.error_of_line[line] = error
            self.charged[charge_of(error)] += 1

    @property
    def errors(self) -> dict[str, list[int]]:
        """The lines of the errors of each class."""
        lines: dict[str, list[int]] = {}
        for line, error in sorted(self.error_of_line.items()):
            lines.setdefault(type(error).__name__, []).append(line)
        return lines

    @property
    def code(self) -> Exit:
        """The highest exit code of the errors and of the unknown lines."""
        codes = [text.code_of(error) for error in self.error_of_line.values()]
        if self.unknown:
            codes.append(Exit.UNKNOWN)
        return max(codes, default=Exit.OK)

    @property
    def not_asked(self) -> int:
        return self.pairs_to_ask - len(self.decision_of_line) - len(self.error_of_line)

    @property
    def fatal(self) -> FaceMatchError | None:
        """The first error that every remaining pair would raise, or None."""
        for _line, error in sorted(self.error_of_line.items()):
            if isinstance(error, FATAL):
                return error
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON summary."""
        error = self.fatal or self.failure
        stopped_by: Any = None
        if self.signal:
            stopped_by = signal.Signals(self.signal).name
        elif error is not None:
            stopped_by = text.error_document(error)
        decisions = Counter(decision for _line, decision in sorted(self.decision_of_line.items()))
        errors = Counter({name: len(lines) for name, lines in self.errors.items()})
        return {
            "pairs": self.pairs,
            "answered": len(self.decision_of_line),
            "answered_before": self.pairs - self.pairs_to_ask - len(self.unknown),
            "unknown": self.unknown,
            "not_asked": self.not_asked,
            "decisions": dict(decisions.most_common()),
            "errors": dict(errors.most_common()),
            "charged": self.charged[Charged.YES],
            "charge_unknown": self.charged[Charged.UNKNOWN],
            "stopped_by": stopped_by,
        }


def _show_counts(document: Mapping[str, Any], *, err: bool) -> None:
    """Print how many pairs were answered and charged.

    Counts of 0 are left out but for the first two.
    """
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
    for class_name, (line, *further) in summary.errors.items():
        sentence = f"error: line {line}: {text.error_sentence(summary.error_of_line[line])}"
        if further:
            sentence += f" (and {len(further)} more {class_name}: see {path})"
        say(sentence, err=True)
    if summary.fatal is not None:
        class_name = type(summary.fatal).__name__
        say(f"stopped early: every further pair would fail with {class_name}", err=True)
    if summary.unknown:
        say(
            f"{format_places(summary.unknown)}an earlier call may have been charged and has no "
            "result: not repeated (--repeat unknown repeats it). To list and resolve such calls:",
            err=True,
        )
        words = ["facematch", "budget", "--store", str(record_path(path))]
        click.echo(clean(f"  {quote_command(words)}"), err=True)
    if unwritten_rows:
        say("The results cannot be written. Rows missing from the file:", err=True)
        for row in unwritten_rows:
            click.echo(clean(row.rstrip()), err=True)
