"""What the commands of `facematch compare` share: options, sources, judgements and files.

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
    from facematch_comparison.answers import Answers
    from facematch_comparison.columns import ColumnsNotRecognised
    from facematch_comparison.model import Costs, Evaluation, Evidence
    from facematch_comparison.run import RunDatabase
    from facematch_comparison.study import Study

Command = TypeVar("Command", bound=Callable[..., Any])

#: Where answers go unless another place is named.
STORE: Final = "study.sqlite3"

#: Of amounts where nobody says another one.
CURRENCY: Final = "USD"


class _Fraction(click.FloatRange):
    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)? ?%", value):
            self.fail(f"{value} is a percentage: write {float(value[:-1]) / 100:g}.", param, ctx)
        return super().convert(value, param, ctx)


def _range(name: str, low: float, high: float | None = None) -> click.FloatRange:
    """A range without its ends if it is one of rates; `name` is what the help calls a number."""
    is_open = name == "rate"
    numbers = _Fraction(low, high, min_open=is_open, max_open=is_open)
    numbers.name = name
    return numbers


RATE, CONFIDENCE = _range("rate", 0, 1), _range("rate", 0.5, 1)
SHARE, COST = _range("share", 0, 1), _range("amount", 0)


def amount(text: str) -> Decimal:
    """An amount of money from 0 on, exact."""
    value = Decimal(-1)
    with contextlib.suppress(InvalidOperation):
        value = Decimal(text)
    if not value.is_finite() or value < 0:
        raise click.BadParameter(f"{text[:40]!r} is no amount from 0 on, such as 0.05.")
    return value


def _prices(context: click.Context, option: click.Parameter, words: Any) -> dict[str, Decimal]:
    values = parse_pairs(context, option, words)
    return {name: amount(text) for name, text in values.items()}


def _currency(_context: click.Context, _option: click.Parameter, word: str | None) -> str | None:
    if word is not None and not re.fullmatch("[A-Z]{3}", word):
        raise click.BadParameter(f"{word[:40]!r} is not three capital letters, such as USD.")
    return word


#: Where the help of a `SourceCommand` lists options, by the names of their arguments; the rest is
#: output.
_SECTIONS: Final = {
    "Input": "store study scores columns ignore rule distance no_scores independent_pairs max_rows "
    "written pairs",
    "Judging": "requirements fmr at_thresholds confidence attempts split seed system systems "
    "allow_mock",
    "Costs": "cost_false_match cost_false_reject cost_review impostors prices currency",
}

#: Where a context keeps the words of its command, to repeat them with more.
_WORDS: Final = f"{__name__}.words"


class SourceCommand(click.Command):
    """A command with the options of `source`: its help lists them by what they are about."""

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

#: Where `compare run` writes answers.
store = click.option("--store", metavar="FILE", default=STORE, help=_DATABASE)

#: Where answers are read from: the arguments of `answers_from`.
source = join_options(
    click.option("--store", metavar="FILE", show_default=STORE, help=_DATABASE),
    click.option("--study", metavar="NAME", help="Its test set, if it has several."),
    file_option("--scores", "Instead: a file of scores (.csv, .json, .xlsx or .parquet)."),
    repeated(
        "--column",
        "columns",
        "With --scores: what a column holds that is not recognised, such as mated=same_guy or "
        "group_country=country.",
        callback=parse_pairs,
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
    flag(
        "--independent-pairs", "With --scores that name nobody: each pair is of people of its own."
    ),
    count_option("--max-rows", "With --scores: read no larger file.", least=1, default=10_000_000),
)

seed = click.option("--seed", type=int, default=0, metavar="N", help="Seed of random choices.")
split = flag(
    "--split",
    "Choose thresholds on half of the people and judge them on the others: safer if few "
    "people cause most false matches. Takes twice the pairs.",
)
allow_mock = flag("--allow-mock", "Accept a mock or sandbox, which says nothing of a vendor.")
valid_days = click.option(
    "--valid-days",
    type=click.IntRange(1, 36500),
    metavar="N",
    show_default="for ever",
    help="How long verifiers accept the calibration.",
)


def price_option(help_: str) -> Callable[[Command], Command]:
    """--price, which gives `prices`: name to amount; and --currency."""
    return join_options(
        repeated("--price", "prices", help_, callback=_prices, metavar="NAME=AMOUNT"),
        click.option(
            "--currency",
            callback=_currency,
            metavar="CCC",
            show_default=f"that of the prices, else {CURRENCY}",
            help="Currency of all amounts.",
        ),
    )


def note(text: str) -> None:
    """Say on stderr what was assumed."""
    say(f"note: {text}", err=True)


@attrs.frozen(kw_only=True)
class Source:
    """Answers of systems to one test set; `folder` is where pictures of a file of scores are."""

    answers: list[Answers]
    name: str
    digest: str | None
    evidence: Evidence
    folder: Path = Path()

    def system(self, name: str | None) -> Answers:
        """The answers of the one that --system names; None for the only one."""
        systems = {answers.name: answers for answers in self.answers}
        if name is None and len(systems) > 1:
            raise click.UsageError(f"--system: name one of {', '.join(systems)}.")
        from facematch_comparison.evaluation import check_name

        name = self.answers[0].name if name is None else name
        check_name(name, systems)
        return systems[name]

    def evaluated(
        self, options: Mapping[str, Any], costs: Costs | None = None, **judging: Any
    ) -> Evaluation:
        """All of it judged by the options of `aims`, `split` and `seed`, or else by `judging`."""
        from facematch_comparison.evaluation import evaluate

        if costs is not None and costs.currency is None:
            currencies = {answers.currency for answers in self.answers}
            costs = attrs.evolve(costs, currency=_shared_currency(currencies))
        names = ("confidence", "split", "seed", "at_thresholds", "attempts")
        judging = {name: options[name] for name in names if name in options} | judging
        return evaluate(
            self.answers,
            costs=costs,
            name=self.name,
            digest=self.digest,
            evidence=self.evidence,
            **{"required_fmr": options.get("fmr"), **judging},
        )


def _shared_currency(currencies: Iterable[str | None]) -> str:
    """The currency of all that have one; else the usual one."""
    names = {*currencies} - {None}
    return str(names.pop()) if len(names) == 1 else CURRENCY


def answers_from(options: Mapping[str, Any]) -> Source:
    """The answers that the options of `source` name, with the prices of --price."""
    source = _from_store(options) if options["scores"] is None else _from_scores(options)
    prices: Mapping[str, Decimal] = options.get("prices") or {}
    from facematch_comparison.evaluation import check_name

    currencies = {answers.name: answers.currency for answers in source.answers}
    for name in prices:
        check_name(name, currencies)
    currency = options.get("currency") or _shared_currency(currencies.values())
    priced = [
        attrs.evolve(answers, price=float(prices[answers.name]), currency=currency)
        if answers.name in prices
        else answers
        for answers in source.answers
    ]
    return attrs.evolve(source, answers=priced)


def _from_store(options: Mapping[str, Any]) -> Source:
    of_scores = ("columns", "ignore", "rule", "distance", "no_scores", "independent_pairs")
    if any(options[name] for name in of_scores):
        raise click.UsageError(
            "--column, --ignore, --rule, --distance, --no-score and --independent-pairs go with "
            "--scores."
        )
    if options["store"] is None and not Path(STORE).is_file():
        raise click.UsageError(
            f"There are no answers to judge, for there is no {STORE} here: ask systems with "
            "`facematch compare run`, or give --scores FILE or --store FILE."
        )
    from facematch_comparison.run import read_answers
    from facematch_comparison.writing import digest_answers

    store = options["store"] or STORE
    with database_at(store) as database:
        study = database.study(options["study"])
        answers = read_answers(database, study)
    evidence = _evidence(store.partition("?")[0].rpartition("/")[2], digest_answers(answers))
    return Source(answers=answers, name=study.name, digest=study.digest, evidence=evidence)


def _from_scores(options: Mapping[str, Any]) -> Source:
    if options["store"] is not None or options["study"] is not None:
        raise click.UsageError("--scores goes without --store and --study.")
    from facematch_comparison.columns import ColumnsNotRecognised
    from facematch_comparison.io import read_scores
    from facematch_core.models import ThresholdRule

    path: Path = options["scores"]
    names = ("columns", "ignore", "distance", "no_scores", "independent_pairs", "max_rows")
    rule = None if options["rule"] is None else ThresholdRule(options["rule"])
    try:
        answers = read_scores(path, rule=rule, note=note, **{name: options[name] for name in names})
        with path.open("rb") as file:
            evidence = _evidence(path.name, hashlib.file_digest(file, "sha256").hexdigest())
    except ColumnsNotRecognised as error:
        advice = _advice(error, options)
        raise InvalidRequest(f"{error.what}\n{advice}") from None
    return Source(
        answers=answers, name=path.stem, digest=None, folder=path.parent, evidence=evidence
    )


def _evidence(file: str, sha256: str) -> Evidence:
    """With the options that were set and bear on a number; of a path its name."""
    from facematch_comparison.model import Evidence

    context = click.get_current_context()
    bearing = {name for names in _SECTIONS.values() for name in names.split()}
    options = {}
    for option in context.command.params:
        name = str(option.name)
        value, source = context.params.get(name), context.get_parameter_source(name)
        if name not in bearing or source is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(value, Mapping):
            value = tuple(f"{key}={of}" for key, of in value.items())
        elif name in ("store", "scores", "pairs"):
            value = file if name != "pairs" else Path(str(value)).name
        words = value if isinstance(value, tuple) else () if value is True else (value,)
        options[option.opts[0]] = tuple(map(str, words))
    return Evidence(file=file, sha256=sha256, options=options)


def _advice(error: ColumnsNotRecognised, options: Mapping[str, Any]) -> str:
    """The command as it was called, with what it takes to go on: to be pasted."""
    words, columns = [], options["columns"]
    for what, column in error.columns.items():
        if what not in columns and column not in columns.values():
            words += ["--column", f"{what}={column}"]
    for column in error.ignore:
        if column not in options["ignore"]:
            words += ["--ignore", column]
    if error.independent_pairs and not options["independent_pairs"]:
        words.append("--independent-pairs")
    called = click.get_current_context().meta[_WORDS]
    return f"{error.advice}, run:\n  {typed([*called, *words])}"


def database_at(address: str, *, is_new: bool = False) -> contextlib.closing[RunDatabase]:
    """The run database at the name of a file or sqlite:///FILE; it may be made if `is_new`."""
    from facematch_comparison.run import RunDatabase

    url = address if "://" in address else f"sqlite:///{address}"
    file = url.removeprefix("sqlite:///")
    # A name that is mistyped would else become a new and empty database.
    if not is_new and file != url and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    return contextlib.closing(RunDatabase(url))


def read_pairs(source: Path, pictures: Path | None = None) -> Study:
    """The pairs of a file; of a folder, `InvalidRequest` says how pairs of its people are drawn."""
    from facematch_comparison.study import read_study

    if source.is_dir():
        # No name that a list of pairs is likely to have by now.
        name = f"{source.resolve().name}-pairs.csv"
        line = typed(["facematch", "compare", "draw", str(source), "--out", name])
        raise InvalidRequest(
            f"{source} is a folder and no file of pairs: draw pairs of its people, then use "
            f"{name}:\n  {line}"
        )
    return read_study(source, pictures=pictures, note=note)
