"""What the commands of `facematch compare` share: options, sources of answers, and the database.

Nothing here imports numpy, SQLAlchemy or the comparison before a command runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click
from click.core import ParameterSource

from facematch_core.backend.kinds import typed
from facematch_core.cli.options import file_option, join_options, parse_pairs
from facematch_core.cli.text import say
from facematch_core.errors import InvalidRequest

if TYPE_CHECKING:
    from facematch_comparison.run import RunDatabase
    from facematch_comparison.scores.answers import Answers
    from facematch_comparison.scores.columns import ColumnsNotRecognised
    from facematch_comparison.study import Study
    from facematch_comparison.values.model import Evaluation, Evidence

Command = TypeVar("Command", bound=Callable[..., Any])

#: Default run database.
STORE: Final = "study.sqlite3"

#: Currency of amounts by default.
CURRENCY: Final = "USD"


class _Fraction(click.FloatRange):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)? ?%", value):
            self.fail(f"{value} is a percentage: write {float(value[:-1]) / 100:g}.", param, ctx)
        return super().convert(value, param, ctx)


def _range(name: str, low: float, high: float) -> click.FloatRange:
    """Return a range that is called `name` in the help; one of rates excludes its ends."""
    is_open = name == "rate"
    numbers = _Fraction(low, high, min_open=is_open, max_open=is_open)
    numbers.name = name
    return numbers


RATE, CONFIDENCE = _range("rate", 0, 1), _range("rate", 0.5, 1)


def _prices(context: click.Context, option: click.Parameter, words: Any) -> dict[str, Decimal]:
    prices = {}
    for name, text in parse_pairs(context, option, words).items():
        value = Decimal(-1)
        with contextlib.suppress(InvalidOperation):
            value = Decimal(text)
        if not value.is_finite() or value < 0:
            raise click.BadParameter(f"{text[:40]!r} is no amount from 0 on, such as 0.05.")
        prices[name] = value
    return prices


def _currency(_context: click.Context, _option: click.Parameter, word: str | None) -> str | None:
    if word is not None and not re.fullmatch("[A-Z]{3}", word):
        raise click.BadParameter(f"{word[:40]!r} is not three capital letters, such as USD.")
    return word


def _columns(
    _context: click.Context, option: click.Parameter, words: Iterable[str]
) -> dict[str, list[str]]:
    """Read ``what=column``; ``score`` may be named several times."""
    columns: dict[str, list[str]] = {}
    for word in words:
        what, equals, column = word.partition("=")
        if not equals or not what:
            raise click.BadParameter(f"{word[:60]!r} is not WHAT=COLUMN.", param=option)
        columns.setdefault(what, []).append(column)
    return columns


def _below(
    _context: click.Context, _option: click.Parameter, words: Iterable[str]
) -> dict[str, float] | float | None:
    """Read ``80``, or ``aws=80`` any number of times."""
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.rpartition("=")
        try:
            values[name] = float(text)
        except ValueError:
            raise click.BadParameter(f"{word[:60]!r} is no number, such as 80.") from None
    return values[""] if values.keys() == {""} else values or None


#: Sections of the help of a `SourceCommand`, by names of arguments; the rest is output.
_SECTIONS: Final = {
    "Input": "store study scores columns ignore rule distance no_scores below independent_pairs "
    "models pairs",
    "Judging": "requirements fmr at_thresholds confidence attempts split seed systems allow_mock",
}

#: Key of the command's words in its context, which a refusal shows again.
_WORDS: Final = f"{__name__}.words"


class SourceCommand(click.Command):
    """A command with the options of `source`, which its help lists by what they are about."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = [*ctx.command_path.split(), *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {str(option.name): option.get_help_record(ctx) for option in self.get_params(ctx)}
        sections = {title: names.split() for title, names in _SECTIONS.items()}
        named = {name for names in sections.values() for name in names}
        sections["Output"] = [name for name in records if name not in named]
        for title, names in sections.items():
            shown = [record for name in names if (record := records.get(name))]
            if shown:
                with formatter.section(title):
                    formatter.write_dl(shown)


def flag(name: str, help_: str) -> Callable[[Command], Command]:
    """An option without a value."""
    return click.option(name, is_flag=True, help=help_)


def count_option(
    name: str, help_: str, *, least: int = 0, **more: Any
) -> Callable[[Command], Command]:
    """An option that is a whole number from `least` on."""
    return click.option(name, type=click.IntRange(least), metavar="N", help=help_, **more)


def repeated(name: str, to: str, help_: str, **more: Any) -> Callable[[Command], Command]:
    """An option that gives all of its values as the argument `to`."""
    return click.option(name, to, multiple=True, help=f"{help_} May be repeated.", **more)


_DATABASE: Final = "The run database of `compare run`, an SQLite file; also as sqlite:///FILE."

force = flag("--force", "Overwrite files that exist.")

#: Option of `compare run`: the database to write.
store = click.option("--store", metavar="FILE", default=STORE, help=_DATABASE)

#: Options that say which answers to read: the arguments of `answers_from`.
source = join_options(
    click.option("--store", metavar="FILE", show_default=STORE, help=_DATABASE),
    click.option("--study", metavar="NAME", help="Its test set, if it has several."),
    file_option(
        "--scores",
        "Instead: a file of scores (.csv, .json, .xlsx or .parquet). Repeat it for several "
        "vendors' files, which are joined by pair; each is named by its file.",
        multiple=True,
    ),
    repeated(
        "--column",
        "columns",
        "With --scores: what a column holds, such as mated=same_guy or group_country=country; "
        "score=COLUMN for each system of a wide file; azure:score=COLUMN for one file alone.",
        callback=_columns,
        metavar="WHAT=COLUMN",
    ),
    repeated("--ignore", "ignore", "With --scores: skip this column.", metavar="COLUMN"),
    click.option(
        "--rule",
        type=click.Choice(["above", "at_least"]),
        help="With --scores that do not say it: what passes a threshold.",
    ),
    flag("--distance", "With --scores: less is more alike; a score is then minus the distance."),
    repeated(
        "--no-score",
        "no_scores",
        "With --scores: this number means that there is no score; nan: no number does.",
        type=float,
        metavar="NUMBER",
    ),
    repeated(
        "--below",
        "below",
        "With --scores: an empty score means less than this, the vendor's own threshold "
        "(Rekognition: 80).",
        callback=_below,
        metavar="[SYSTEM=]NUMBER",
    ),
    flag(
        "--independent-pairs", "With --scores that name nobody: each pair is of people of its own."
    ),
    repeated(
        "--model",
        "models",
        "Whose answers count, if a system answered with several models.",
        metavar="NAME",
    ),
)

seed = click.option("--seed", type=int, default=0, metavar="N", help="Seed of random choices.")
split = flag(
    "--split",
    "Choose thresholds on half of the people and judge them on the others: safer if few "
    "people cause most false matches. Takes twice the pairs.",
)
allow_mock = flag("--allow-mock", "Accept a mock or sandbox, which says nothing of a vendor.")


def price_option(help_: str) -> Callable[[Command], Command]:
    """--price, which gives `prices` (name to amount), and --currency."""
    return join_options(
        repeated("--price", "prices", help_, callback=_prices, metavar="NAME=AMOUNT"),
        click.option(
            "--currency",
            callback=_currency,
            metavar="CCC",
            default=CURRENCY,
            help="Currency of all amounts.",
        ),
    )


def note(text: str) -> None:
    """Print an assumption to stderr."""
    say(f"note: {text}", err=True)


@attrs.frozen(kw_only=True)
class Source:
    """Answers of systems to one test set, and where they were read from."""

    answers: list[Answers]
    name: str
    digest: str | None
    evidence: Evidence

    def evaluated(self, options: Mapping[str, Any], **judging: Any) -> Evaluation:
        """Evaluate the answers by the options of a command; `judging` wins over them."""
        from facematch_comparison.judging.evaluation import evaluate

        names = ("confidence", "split", "seed", "at_thresholds", "attempts")
        judging = {name: options[name] for name in names if name in options} | judging
        return evaluate(
            self.answers,
            name=self.name,
            digest=self.digest,
            evidence=self.evidence,
            **{"required_fmr": options.get("fmr"), **judging},
        )


def answers_from(options: Mapping[str, Any]) -> Source:
    """Return the answers that the options of `source` name."""
    return _from_scores(options) if options["scores"] else _from_store(options)


def _from_store(options: Mapping[str, Any]) -> Source:
    names = ("columns", "ignore", "rule", "distance", "no_scores", "below", "independent_pairs")
    given = [f"--{name.rstrip('s').replace('_', '-')}" for name in names if options[name]]
    if given:
        raise click.UsageError(f"{' and '.join(given)}: only with --scores FILE.")
    if options["store"] is None and not Path(STORE).is_file():
        raise click.UsageError(
            f"Nothing to judge: {STORE} not found. Run `facematch compare run` first, or give "
            "--scores FILE or --store FILE."
        )
    from facematch_comparison.report.writing import digest_answers
    from facematch_comparison.run import read_answers

    store = options["store"] or STORE
    with database_at(store) as database:
        study = database.study(options["study"])
        answers = read_answers(database, study, models=options["models"])
    evidence = _evidence(store.partition("?")[0].rpartition("/")[2], digest_answers(answers))
    return Source(answers=answers, name=study.name, digest=study.digest, evidence=evidence)


def _from_scores(options: Mapping[str, Any]) -> Source:
    if options["store"] is not None or options["study"] is not None:
        raise click.UsageError("--scores goes without --store and --study.")
    from facematch_comparison.scores.columns import ColumnsNotRecognised
    from facematch_comparison.scores.reading import read_scores
    from facematch_core.models import ThresholdRule

    paths: tuple[Path, ...] = options["scores"]
    names = ("columns", "ignore", "distance", "no_scores", "below", "independent_pairs", "models")
    rule = None if options["rule"] is None else ThresholdRule(options["rule"])
    source = list(paths) if len(paths) > 1 else paths[0]
    try:
        more = {name: options[name] for name in names}
        answers = read_scores(source, rule=rule, note=note, **more)
    except ColumnsNotRecognised as error:
        raise InvalidRequest(f"{error.what}\n{_advice(error)}") from None
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    file = " + ".join(path.name for path in paths)
    name = " + ".join(path.stem for path in paths)
    return Source(
        answers=answers, name=name, digest=None, evidence=_evidence(file, digest.hexdigest())
    )


def _evidence(file: str, sha256: str) -> Evidence:
    """Return the evidence, with the options that were set and change a number."""
    from facematch_comparison.values.model import Evidence

    context = click.get_current_context()
    bearing = {name for names in _SECTIONS.values() for name in names.split()}
    options = {}
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        value: Any = context.params.get(name)
        if name not in bearing or source is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(value, Mapping):
            value = tuple(
                f"{key}={each}" if key else str(each)
                for key, of in value.items()
                for each in (of if isinstance(of, list) else [of])
            )
        elif name in ("store", "pairs"):  # folders say nothing of a number
            value = file if name == "store" else Path(str(value)).name
        elif name == "scores":
            value = tuple(path.name for path in value)
        words = value if isinstance(value, tuple) else () if value is True else (value,)
        options[option.opts[0]] = tuple(map(str, words))
    return Evidence(file=file, sha256=sha256, options=options)


def _advice(error: ColumnsNotRecognised) -> str:
    """Return the command as it was called, with what it takes to go on."""
    words = [
        word for what, column in error.columns.items() for word in ("--column", f"{what}={column}")
    ]
    words += ["--independent-pairs"] * error.independent_pairs
    called = click.get_current_context().meta[_WORDS]
    return f"{error.advice}, run:\n  {typed([*called, *words])}"


def database_at(address: str, *, is_new: bool = False) -> contextlib.closing[RunDatabase]:
    """Open the run database in a file or at sqlite:///FILE; create it only if `is_new`."""
    from facematch_comparison.run import RunDatabase

    url = address if "://" in address else f"sqlite:///{address}"
    file = url.removeprefix("sqlite:///")
    # A mistyped name would become a new and empty database.
    if not is_new and file != url and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    return contextlib.closing(RunDatabase(url))


def read_pairs(source: Path) -> Study:
    """Read a file of pairs; for a folder say how to draw pairs of its people."""
    from facematch_comparison.study import read_study

    if source.is_dir():
        name = f"{source.resolve().name}-pairs.csv"
        line = typed(["facematch", "compare", "draw", str(source), "--out", name])
        raise InvalidRequest(
            f"{source} is a folder and no file of pairs: draw pairs of its people, then use "
            f"{name}:\n  {line}"
        )
    return read_study(source, note=note)
