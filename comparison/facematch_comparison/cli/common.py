"""Shared code of the `facematch compare` commands: options, answers and the run database.

numpy, SQLAlchemy and the comparison are imported only when a command runs.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import click

from facematch_core.backend.kinds import quote_command
from facematch_core.cli.files import (
    DatabaseKind,
    form_of,
    refuse_unwritable,
    write_bytes,
    write_json,
)
from facematch_core.cli.options import file_option, join_options, parse_pairs
from facematch_core.cli.text import say
from facematch_core.errors import InvalidRequest
from facematch_core.resilience.budget import CURRENCY_CODE

if TYPE_CHECKING:
    from facematch_comparison.run.database import RunDatabase
    from facematch_comparison.scores.answers import Answers
    from facematch_comparison.values.model import Costs, Evidence

#: A decorator that adds an option to a command.
Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

RUN_DATABASE: Final = DatabaseKind(
    noun="run database",
    tables=["facematch_comparison_store"],
    advice="For scores that you have, pass --scores FILE to `compare report` or `gate`; "
    "`facematch compare run` creates a run database.",
    others={"facematch_call_log": "it is a call log, which `facematch compare shadow` judges"},
)

#: Formats of --out; the first one is the default if the file name has no suffix.
OUT_FORMS: Final = (".html", ".json")

#: Default run database.
STORE: Final = "study.sqlite3"


class _Share(click.FloatRange):
    """A rate from 0 to 1, or 1/N. The error for a percentage shows the rate to write instead."""

    name = "rate"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        text = str(value)
        if re.fullmatch(r"\d+(\.\d+)? ?%", text):
            self.fail(f"{value} is a percentage: write {float(text[:-1]) / 100:g}.", param, ctx)
        fraction = re.fullmatch(r"1/([1-9]\d*)", text)
        if fraction:
            value = 1 / int(fraction[1])
        return super().convert(value, param, ctx)


RATE: Final = _Share(0, 1, min_open=True, max_open=True)
SHARE: Final = _Share(0, 1)
CONFIDENCE: Final = _Share(0.5, 1, min_open=True, max_open=True)


def parse_columns(
    _context: click.Context, option: click.Parameter, values: Iterable[str]
) -> dict[str, list[str]]:
    """Parse ``what=column``; ``score`` may be repeated."""
    columns: dict[str, list[str]] = {}
    for value in values:
        field, equals, column = value.partition("=")
        if not equals or not field:
            raise click.BadParameter(f"{value[:60]!r} is not WHAT=COLUMN.", param=option)
        columns.setdefault(field, []).append(column)
    return columns


def parse_numbers(
    context: click.Context, option: click.Parameter, texts: Iterable[str]
) -> dict[str, float]:
    """Parse the values of a repeatable ``name=number`` option."""
    return numbers_of(option.opts[0], parse_pairs(context, option, texts))


def numbers_of(option: str, texts: Mapping[str, str]) -> dict[str, float]:
    """Return the numbers in the values of an option; raise click.UsageError for other texts."""
    numbers = {}
    for name, text in texts.items():
        try:
            numbers[name] = float(text)
        except ValueError:
            raise click.UsageError(
                f"{option}: {text[:20]!r} is not a number, such as {name[:40]}=0.05."
            ) from None
    return numbers


def _below(
    _context: click.Context, _option: click.Parameter, values: Iterable[str]
) -> dict[str, float] | float | None:
    """Parse ``80``, or one or more values such as ``aws=80``."""
    thresholds: dict[str, float] = {}
    for value in values:
        system, _, number = value.rpartition("=")
        try:
            thresholds[system] = float(number)
        except ValueError:
            raise click.BadParameter(f"{value[:60]!r} is not a number, such as 80.") from None
    if thresholds.keys() == {""}:  # of the only system
        return thresholds[""]
    return thresholds or None


def _no_scores(
    _context: click.Context, _option: click.Parameter, values: Iterable[str]
) -> list[float | str]:
    """Parse numbers such as ``-1`` or ``nan``, and words such as ``no face``."""
    marks: list[float | str] = []
    for value in values:
        # Not `inf`, which stands for any word in a column of numbers.
        is_number = re.fullmatch(r"nan|[-+]?[0-9.]+(e[-+]?[0-9]+)?", value, re.IGNORECASE)
        try:
            marks.append(float(value) if is_number else value.strip())
        except ValueError:
            raise click.BadParameter(f"{value[:60]!r} is not a number, such as -1.") from None
    return marks


def _bands(
    context: click.Context, option: click.Parameter, texts: Iterable[str]
) -> dict[str, list[int]]:
    """Parse the edges of bands: ``age=18,30,45,60``."""
    try:
        return {
            name: [int(edge) for edge in text.split(",")]
            for name, text in parse_pairs(context, option, texts).items()
        }
    except ValueError:
        raise click.BadParameter("write whole numbers, such as age=18,30,45,60.") from None


def flag(name: str, help_: str) -> Decorator:
    """Return an option without a value."""
    return click.option(name, is_flag=True, help=help_)


def text_option(name: str, metavar: str, help_: str, **more: Any) -> Decorator:
    """Return an option with a text value."""
    return click.option(name, metavar=metavar, help=help_, **more)


def repeated(name: str, to: str, metavar: str, help_: str, **more: Any) -> Decorator:
    """Return an option that may be repeated; the argument `to` receives all values."""
    help_ += " May be repeated."
    return click.option(name, to, multiple=True, metavar=metavar, help=help_, **more)


_DATABASE: Final = "The run database of `compare run`, an SQLite file; also as sqlite:///FILE."


def _currency(_context: click.Context, _option: click.Parameter, code: str | None) -> str | None:
    """Return a currency code; raise `click.BadParameter` if it is none."""
    if code is not None and not CURRENCY_CODE.fullmatch(code):
        raise click.BadParameter(f"{code[:60]!r} is not three capital letters, such as EUR.")
    return code


def currency_option(help_: str, **more: Any) -> Decorator:
    """Return the option --currency."""
    return text_option("--currency", "CCC", help_, callback=_currency, **more)


def cost_options(currency: str | None) -> Decorator:
    """Return the options for what errors cost; `currency` is the default of --currency."""
    return join_options(
        text_option(
            "--cost-false-match", "AMOUNT", "What a false match costs.", type=click.FloatRange(0)
        ),
        text_option(
            "--cost-false-reject", "AMOUNT", "What a false reject costs.", type=click.FloatRange(0)
        ),
        currency_option(
            "Currency of all amounts." if currency else "Currency of these costs.",
            default=currency,
            show_default=True if currency else "that of the prices, or else USD",
        ),
    )


def costs_of(options: Mapping[str, Any], currency: str) -> Costs | None:
    """Return what errors cost, by `cost_options`; None if neither cost is given."""
    from facematch_comparison.values.model import Costs

    false_match = options["cost_false_match"]
    false_reject = options["cost_false_reject"]
    if false_match is None and false_reject is None:
        return None
    if false_match is None or false_reject is None:
        raise click.UsageError("--cost-false-match and --cost-false-reject go together.")
    return Costs(false_match=false_match, false_reject=false_reject, currency=currency)


#: Option for the database that `compare run` writes.
store = text_option("--store", "FILE", _DATABASE, default=STORE)

#: Options that select the answers to read: the arguments of `answers_from`.
source = join_options(
    repeated(
        "--store",
        "stores",
        "FILE",
        f"{_DATABASE} For the parts of `run --part`, all of them, or a pattern in quotes: "
        "'run/*.sqlite3'.",
        show_default=STORE,
    ),
    file_option(
        "--scores",
        "Read a file of scores instead (.csv, .json, .jsonl, .xlsx, .parquet). Repeat for several "
        "vendors: files are joined by pair, and each system is named after its file.",
        multiple=True,
    ),
    repeated(
        "--column",
        "columns",
        "WHAT=COLUMN",
        "With --scores or --pairs: the meaning of a column, such as mated=same_guy or "
        "group_country=country; "
        "score=COLUMN for each system of a wide file; azure:score=COLUMN only for azure.csv.",
        callback=parse_columns,
    ),
    click.option(
        "--rule",
        type=click.Choice(["above", "at_least", "below", "at_most"]),
        help="With --scores: rule for passing a threshold, if no column has it. With below and "
        "at_most, the file has distances, and the score is minus the distance.",
    ),
    repeated(
        "--no-score",
        "no_scores",
        "NUMBER|WORD",
        "With --scores: number or word that means a missing score; nan if no number does.",
        callback=_no_scores,
    ),
    repeated(
        "--below",
        "below",
        "[SYSTEM=]NUMBER",
        "With --scores: an empty score is below this number, the vendor's own threshold "
        "(Rekognition: 80); so is a labelled pair without a line, if no score is empty.",
        callback=_below,
    ),
    repeated(
        "--bands",
        "bands",
        "GROUPS=EDGES",
        "Put groups that are numbers into bands: age=18,30,45,60 makes <18, 18-29, 30-44, 45-59 "
        "and 60+.",
        callback=_bands,
    ),
    flag("--independent-pairs", "With --scores without people's names: no person is in two pairs."),
)

#: Options of `source` that require --scores: arguments of `read_scores`.
_OF_SCORES: Final = ("columns", "rule", "no_scores", "below", "independent_pairs")

#: Sections of a `SourceCommand`'s help, by argument name; all others are output options.
_SECTIONS: Final = {
    "Input": ("stores", "scores", *_OF_SCORES, "bands", "pairs"),
    "Judging": (
        "requirements",
        "fmr",
        "at_thresholds",
        "systems",
        "allow_mock",
    ),
    "A year": (
        "calls_per_year",
        "impostors",
        "cost_false_match",
        "cost_false_reject",
        "currency",
    ),
}

#: Key of the raw command-line arguments in the context.
_WORDS: Final = f"{__name__}.words"


class RepeatableCommand(click.Command):
    """A command that can be shown again, with more options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)


class SourceCommand(RepeatableCommand):
    """A command with the options of `source`, and help in sections."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            advice = "to read a file of scores, use --scores FILE."
            if "--store" in ctx.meta[_WORDS]:
                advice = "repeat --store, or put its pattern in quotes."
            ctx.fail(f"Unexpected {extra[0][:60]!r}: {advice}")
        return extra

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {str(option.name): option.get_help_record(ctx) for option in self.get_params(ctx)}
        named = [name for names in _SECTIONS.values() for name in names]
        output = [name for name in records if name not in named]
        for title, names in {**_SECTIONS, "Output": output}.items():
            if requested_records := [record for name in names if (record := records.get(name))]:
                with formatter.section(title):
                    formatter.write_dl(requested_records)


@attrs.frozen
class Reviews:
    """The files of --review: those that exist, and the one to write, if any."""

    labelled: tuple[Path, ...]
    new: Path | None


def split_reviews(paths: Sequence[Path]) -> Reviews:
    """Return the files of --review; raise `click.UsageError` for one that is named twice."""
    for path in paths:
        form_of("--review", path, ".csv")
    labelled = tuple(path for path in paths if path.exists())
    missing = [path for path in paths if not path.exists()]
    for first, second in combinations(labelled, 2):
        if first.samefile(second):
            raise click.UsageError(f"--review: {first} and {second} are the same file.")
    if len(missing) > 1:
        names = " and ".join(str(path) for path in missing)
        raise click.UsageError(f"--review: {names} do not exist. One file is written at a time.")
    new = missing[0] if missing else None
    if new is not None:
        refuse_unwritable("--review", new, may_exist=False)
    return Reviews(labelled, new)


def write_outs(outs: Iterable[Path], render: Callable[[], str], document: Any) -> None:
    """Write the page, which `render` returns, or the JSON document to each file of --out.

    Only the owner may read them, because they may name people.
    """
    for path in outs:
        if form_of("--out", path, *OUT_FORMS) == ".html":
            write_bytes(path, render().encode(), private=True)
        else:
            write_json(path, document, private=True)


def note(text: str) -> None:
    """Print an assumption to stderr."""
    say(f"note: {text}", err=True)


def answers_from(options: Mapping[str, Any]) -> tuple[list[Answers], dict[str, Any]]:
    """Return the answers that the options of `source` select, and arguments for `evaluate`."""
    if options["scores"]:
        return _from_scores(options)
    of_scores = [
        option.opts[0]
        for option in click.get_current_context().command.params
        if option.name in _OF_SCORES
        and options[option.name]
        # Columns of the file of pairs.
        and not (option.name == "columns" and options.get("pairs"))
    ]
    if of_scores:
        raise click.UsageError(f"{' and '.join(of_scores)}: only with --scores FILE.")
    stores = options["stores"] or [STORE]
    with contextlib.ExitStack() as stack:
        databases = [stack.enter_context(database_at(store)) for store in _files_at(stores)]
        from facematch_comparison.report.writing import digest_answers
        from facematch_comparison.run.parts import read_run
        from facematch_comparison.run.study_run import answers_of
        from facematch_comparison.scores.attributes import with_bands

        run = read_run(databases)
    answers = answers_of(run)
    files = [store.partition("?")[0].rpartition("/")[2] for store in stores]
    evidence = _evidence(" + ".join(files), digest_answers(answers))
    answers = with_bands(answers, options["bands"], note)
    return answers, {"name": run.study.name, "digest": run.study.digest, "evidence": evidence}


def _files_at(stores: Iterable[str]) -> list[str]:
    """Return the files of --store; a pattern without files stays, and is no database."""
    files = []
    for store in stores:
        # `Path.glob` takes no absolute pattern.
        matches = glob.glob(store) if "*" in store else []  # noqa: PTH207
        files += sorted(matches) or [store]
    return files


def _from_scores(options: Mapping[str, Any]) -> tuple[list[Answers], dict[str, Any]]:
    """Read the files of ``--scores``; return the answers and the arguments of a summary.

    Notes are printed, and kept in the evidence with each path shortened to its file name. Raise a
    click error with a command to paste if columns are not recognised, and if ``--store`` was given,
    too.
    """
    if options["stores"]:
        raise click.UsageError("--scores cannot be combined with --store.")
    from facematch_comparison.scores.attributes import with_bands
    from facematch_comparison.scores.reading import read_scores

    paths: tuple[Path, ...] = options["scores"]
    reading = {name: options[name] for name in _OF_SCORES}
    notes: list[str] = []

    def keep(text: str) -> None:
        note(text)
        for path in paths:
            text = text.replace(str(path), path.name)
        notes.append(text)

    source: object = list(paths) if len(paths) > 1 else paths[0]
    with completing_columns():
        answers = read_scores(source, note=keep, **reading)
    answers = with_bands(answers, options["bands"], keep)
    digest = _digest_of(paths)
    evidence = _evidence(" + ".join(path.name for path in paths), digest, notes)
    # Each of several files is a system, but one of them may contain only the labels, or two files
    # are one system.
    name = " + ".join(each.name for each in answers) if len(paths) > 1 else paths[0].stem
    return answers, {"name": name, "digest": None, "evidence": evidence}


def _digest_of(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextlib.contextmanager
def completing_columns() -> Iterator[None]:
    """If columns are not recognised, raise with this `RepeatableCommand` and the missing options.

    The user can paste it.
    """
    from facematch_comparison.scores.columns import ColumnsNotRecognised

    try:
        yield
    except ColumnsNotRecognised as error:
        context = click.get_current_context()
        words = [*context.command_path.split(), *context.meta[_WORDS]]
        for what, named in error.columns.items():
            for column in [named] if isinstance(named, str) else named:
                words += ["--column", f"{what}={column}"]
        if error.independent_pairs:
            words.append("--independent-pairs")
        command = quote_command(words)
        raise InvalidRequest(f"{error.what}\n{error.advice}, run:\n  {command}") from None


def _evidence(file: str, sha256: str, notes: Iterable[str] = ()) -> Evidence:
    """Return the evidence: the file, and the given options that affect the results."""
    from facematch_comparison.values.model import Evidence

    context = click.get_current_context()
    parsed_options, _, _ = context.command.make_parser(context).parse_args(
        list(context.meta[_WORDS])
    )
    bearing = [name for names in _SECTIONS.values() for name in names]
    options: dict[str, tuple[str, ...]] = {}
    for option in context.command.params:
        value = parsed_options.get(option.name) if option.name in bearing else None
        if value is not None:
            words = () if value is True else (value,) if isinstance(value, str) else tuple(value)
            if option.name in ("scores", "pairs"):
                words = tuple(Path(word).name for word in words)
            options[option.opts[0]] = (file,) if option.name == "stores" else words
    return Evidence(file=file, sha256=sha256, options=options, notes=tuple(notes))


def database_at(address: str, *, is_new: bool = False) -> contextlib.closing[RunDatabase]:
    """Open the run database in a file or at sqlite:///FILE; create it only if `is_new`."""
    url = RUN_DATABASE.url_of(address, may_be_new=is_new)
    from facematch_comparison.run.database import RunDatabase

    return contextlib.closing(RunDatabase(url))
