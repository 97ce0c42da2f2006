"""What the commands of `facematch compare` share: sources, judgements, amounts and files.

Nothing here imports numpy, SQLAlchemy or the comparison before a command runs.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs
import click

from facematch_core.cli import common
from facematch_core.errors import InvalidRequest
from facematch_core.kinds import nearest

if TYPE_CHECKING:
    from facematch_comparison.model import Answers, Costs, Evaluation, WrongPair
    from facematch_comparison.run import RunDatabase
    from facematch_comparison.study import Study

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

#: Where answers go unless another place is named.
STORE: Final = "study.sqlite3"

#: Of amounts where nobody says another one.
CURRENCY: Final = "USD"

#: A report as JSON is small; more is another file.
MAX_REPORT_BYTES: Final = 64 << 20

PAGE, DOCUMENT = ".html", ".json"

# --- How text is read -----------------------------------------------------------------------------


def _each(read: Callable[[click.Parameter, str], T]) -> Callable[..., Any]:
    """A callback of click, for an option that is given once, often, or not at all."""

    def callback(_context: click.Context, option: click.Parameter, given: Any) -> Any:
        if given is None or isinstance(given, str):
            return None if given is None else read(option, given)
        return tuple(read(option, typed) for typed in given)

    return callback


def _number(option: click.Parameter, typed: str, fits: Callable[[float], bool], is_: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(typed)
        if fits(value):
            return value
    raise click.UsageError(f"{option.opts[0]} must be {is_}, not {typed[:40]!r}.")


def _rate(option: click.Parameter, typed: str) -> float:
    return _number(option, typed, lambda x: 0 < x < 1, "a rate above 0 and below 1, such as 1e-3")


def _share(option: click.Parameter, typed: str) -> float:
    return _number(option, typed, lambda x: 0 <= x <= 1, "a share from 0 to 1, such as 0.01")


def _score(option: click.Parameter, typed: str) -> float:
    return _number(option, typed, math.isfinite, "a number on the scale of the scores")


def _confidence(option: click.Parameter, typed: str) -> float:
    is_ = "a number above 0.5 and below 1, such as 0.95"
    return _number(option, typed, lambda x: 0.5 < x < 1, is_)


def amount(name: str, typed: str) -> Decimal:
    """An amount of money from 0 on; `click.UsageError` if it is none."""
    try:
        value = Decimal(typed)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise click.UsageError(
            f"{name} must be an amount from 0 on, such as 0.05, not {typed[:40]!r}."
        )
    return value


def _prices(context: click.Context, option: click.Parameter, given: Any) -> dict[str, Decimal]:
    read = common.name_values(context, option, given)
    return {name: amount(f"{option.opts[0]} {name[:60]}", text) for name, text in read.items()}


def _currency(option: click.Parameter, typed: str) -> str:
    if not re.fullmatch("[A-Z]{3}", typed):
        raise click.UsageError(
            f"{option.opts[0]} must be three capital letters, such as USD, not {typed[:40]!r}."
        )
    return typed


rate = _each(_rate)
share = _each(_share)
score = _each(_score)
confidence = _each(_confidence)

# --- Options --------------------------------------------------------------------------------------

backend_names, profile_names = common.backend_names, common.profile_names
force = click.option("--force", is_flag=True, help="Overwrite files that exist.")
json_flag = common.as_json


def rate_option(
    name: str, help_: str, *, to: str | None = None, read: Any = rate, **more: Any
) -> Callable[[Command], Command]:
    """An option that is a rate, above 0 and below 1; otherwise as `common.file_option`."""
    names = (name,) if to is None else (name, to)
    return click.option(*names, callback=read, metavar="RATE", help=help_, **more)


def count_option(
    name: str, help_: str, *, least: int = 0, **more: Any
) -> Callable[[Command], Command]:
    """An option that is a whole number from `least` on."""
    return click.option(name, type=click.IntRange(least), metavar="N", help=help_, **more)


#: Where `compare run` writes answers.
store = click.option(
    "--store",
    metavar="FILE",
    default=STORE,
    show_default=True,
    help="The run database, an SQLite file; also as sqlite:///FILE.",
)

#: Where answers are read from: the arguments of `answers_from`.
source = common.options(
    click.option(
        "--store",
        metavar="FILE",
        help="The run database of `compare run`, an SQLite file; also as sqlite:///FILE. "
        f"{STORE} by default.",
    ),
    click.option(
        "--study",
        metavar="NAME",
        help="Which test set of the run database, if it has several.",
    ),
    common.file_option(
        "--scores", "A file of scores (.csv or .parquet) instead of a run database."
    ),
    click.option(
        "--column",
        "columns",
        multiple=True,
        callback=common.name_values,
        metavar="WHAT=COLUMN",
        help="With --scores: which column holds what, such as mated=same_person, if its name is "
        "not recognised. May be repeated.",
    ),
    click.option(
        "--ignore",
        multiple=True,
        metavar="COLUMN",
        help="With --scores: skip this column. May be repeated.",
    ),
    click.option(
        "--rule",
        type=click.Choice(["above", "at_least"]),
        help="With --scores, if the file does not say it: whether a score passes above the "
        "threshold only, or also at it.",
    ),
)

#: What a judgement is for: FMR and confidence.
aims = common.options(
    rate_option(
        "--fmr",
        "The false match rate (FMR) that all systems are compared at; 1e-3 by default.",
        default="1e-3",
    ),
    rate_option(
        "--confidence",
        "Confidence of every interval; 0.95 by default.",
        read=confidence,
        default="0.95",
    ),
)

seed = click.option(
    "--seed",
    type=int,
    default=0,
    metavar="N",
    help="Seed of random choices; 0 by default.",
)
split = click.option(
    "--split",
    is_flag=True,
    help="Choose thresholds on half of the people and judge them on the other half. Safer if a "
    "few people cause most false matches, and takes twice the pairs.",
)
allow_mock = click.option(
    "--allow-mock",
    is_flag=True,
    help="Accept answers of a mock or a sandbox, which say nothing about a vendor.",
)
valid_days = click.option(
    "--valid-days",
    type=click.IntRange(1, 36500),
    metavar="N",
    help="How long verifiers accept the calibration; without it, for ever.",
)


def _cost(name: str, help_: str) -> Callable[[Command], Command]:
    read = _each(lambda option, typed: amount(option.opts[0], typed))
    return click.option(name, callback=read, metavar="AMOUNT", help=help_)


#: What errors cost, for `costs_of`.
costs = common.options(
    _cost("--cost-false-match", "Cost of a false match: somebody else gets in."),
    _cost("--cost-false-reject", "Cost of a false rejection: a genuine person is turned away."),
    _cost("--cost-review", "Cost of a review by a person; 0 by default."),
    click.option(
        "--impostors",
        callback=share,
        metavar="SHARE",
        help="Share of attempts by somebody else, such as 0.01.",
    ),
)
currency = click.option(
    "--currency",
    callback=_each(_currency),
    metavar="CCC",
    help=f"Currency of all amounts; by default that of the prices, else {CURRENCY}.",
)


def price_option(help_: str) -> Callable[[Command], Command]:
    """--price, which gives `prices`: name to amount."""
    return click.option(
        "--price",
        "prices",
        multiple=True,
        callback=_prices,
        metavar="NAME=AMOUNT",
        help=help_,
    )


def out_option(help_: str) -> Callable[[Command], Command]:
    """--out FILE, which may be repeated and gives `outs`."""
    return common.file_option("--out", help_, to="outs", multiple=True)


def pairs(what: str) -> Callable[[Command], Command]:
    """--pairs FILE, for `wrong_pairs`."""
    return common.file_option(
        "--pairs",
        f"The file of pairs that was run, from which {what} come: a run database holds none.",
    )


# --- From options to values -----------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Source:
    """Answers of systems to one test set.

    Attributes:
        answers: Of each system.
        name: What the test set is called.
        digest: Of its pairs and pictures; None for a file of scores.
        folder: Where the pictures are that a file of scores names: its own.
    """

    answers: list[Answers]
    name: str
    digest: str | None
    folder: Path = Path()

    def system(self, name: str | None) -> Answers:
        """The answers of the one that --system names; None for the only one.

        Raises:
            click.UsageError: there are several, and none is named.
            InvalidRequest: there is none of that name.
        """
        known = {one.name: one for one in self.answers}
        if name is None and len(self.answers) == 1:
            return self.answers[0]
        if name is None:
            names = ", ".join(map(common.clean, known))
            raise click.UsageError(f"--system: name one of {names}.")
        if name not in known:
            raise InvalidRequest(f"No system is called {name[:60]!r} here; {nearest(name, known)}")
        return known[name]

    def evaluated(self, *, costs: Costs | None = None, **more: Any) -> Evaluation:
        """All of it judged, as `evaluate` does; costs are in the currency of the prices."""
        from facematch_comparison.evaluation import evaluate

        if costs is not None and costs.currency is None:
            known = {one.currency for one in self.answers} - {None}
            costs = attrs.evolve(costs, currency=known.pop() if len(known) == 1 else CURRENCY)
        return evaluate(self.answers, costs=costs, name=self.name, digest=self.digest, **more)


def answers_from(given: Mapping[str, Any]) -> Source:
    """The answers that the options of `source` name; nothing is asked.

    Raises:
        click.UsageError: two places are named, or the store is no file.
        InvalidRequest: there is no such test set, something is wrong in the file, or --price names
            a system that is not there.
        ConfigurationError: the store cannot be used.
    """
    source = _source(given)
    prices = prices_of(given, {one.name: one.currency for one in source.answers})
    priced = [
        attrs.evolve(one, **prices[one.name]) if one.name in prices else one
        for one in source.answers
    ]
    return attrs.evolve(source, answers=priced)


def prices_of(
    given: Mapping[str, Any], currencies: Mapping[str, str | None]
) -> dict[str, dict[str, Any]]:
    """What --price says: name of a system to `price` and `currency`.

    Args:
        given: The options of a command; without --price, nothing.
        currencies: Name of each system to the currency that is known of it.

    Raises:
        InvalidRequest: there is no such system.
    """
    prices: Mapping[str, Decimal] = given.get("prices") or {}
    for name in prices:
        if name not in currencies:
            raise InvalidRequest(
                f"--price: no system is called {name[:60]!r} here; {nearest(name, currencies)}"
            )
    known = {*currencies.values()} - {None}
    currency = given.get("currency") or (known.pop() if len(known) == 1 else CURRENCY)
    return {name: {"price": float(of), "currency": currency} for name, of in prices.items()}


def _source(given: Mapping[str, Any]) -> Source:
    scores: Path | None = given["scores"]
    if scores is None:
        if given["columns"] or given["ignore"] or given["rule"]:
            raise click.UsageError("--column, --ignore and --rule go with --scores.")
        from facematch_comparison.run import read_answers

        with database_at(given["store"] or STORE) as database:
            found = database.study(given["study"])
            answers = read_answers(database, found)
        return Source(answers=answers, name=found.name, digest=found.digest)
    if given["store"] is not None or given["study"] is not None:
        raise click.UsageError("--scores goes without --store and --study.")
    from facematch_comparison.io import read_scores
    from facematch_core.models import ThresholdRule

    rule = None if given["rule"] is None else ThresholdRule(given["rule"])
    answers = read_scores(scores, columns=given["columns"], ignore=given["ignore"], rule=rule)
    return Source(answers=answers, name=scores.stem, digest=None, folder=scores.parent)


@contextlib.contextmanager
def database_at(address: str, *, is_new: bool = False) -> Iterator[RunDatabase]:
    """The run database at an address, closed at the end.

    Args:
        address: The name of a file, or sqlite:///FILE.
        is_new: Whether a file that is not there is made.

    Raises:
        click.UsageError: there is no such file.
        ConfigurationError: it cannot be used.
    """
    from facematch_comparison.run import RunDatabase

    url = address if "://" in address else f"sqlite:///{address}"
    file = url.removeprefix("sqlite:///")
    # A name that is mistyped would else become a new and empty database.
    if not is_new and file != url and not Path(file.partition("?")[0]).is_file():
        raise click.UsageError(f"--store: there is no file {file[:200]!r}.")
    database = RunDatabase(url)
    try:
        yield database
    finally:
        database.close()


def report_from(path: Path) -> Evaluation:
    """The comparison in a file that `compare report` wrote as JSON.

    Raises:
        click.UsageError: it cannot be read, or is no JSON.
        InvalidRequest: it is no comparison.
    """
    from facematch_comparison.model import Evaluation

    try:
        with path.open("rb") as file:
            content = file.read(MAX_REPORT_BYTES + 1)
        if len(content) > MAX_REPORT_BYTES:
            raise click.UsageError(f"--report: {path} is over {MAX_REPORT_BYTES} bytes.")
        document = json.loads(content)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    except (ValueError, RecursionError):
        reason = "it is no JSON"
    else:
        return Evaluation.from_dict(document)
    raise click.UsageError(f"--report: {path} cannot be read: {reason}.")


def study_of(source: Source, file: Path | None) -> Study | None:
    """The pairs that were run, with names and pictures; None without --pairs.

    Raises:
        InvalidRequest: the file is none of pairs, or holds others than were run.
    """
    if file is None:
        return None
    import hashlib

    from facematch_comparison.study import read_study

    study = read_study(file)
    of_picture = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in study.pictures}
    if source.digest not in (None, study.digest(of_picture)):
        raise InvalidRequest(
            f"--pairs: {file} is not what was run as {source.name[:60]!r}: pairs, pictures or "
            "groups are others. Name the file that was run, as it was."
        )
    return study


def wrong_pairs(
    source: Source,
    one: Answers,
    threshold: float | None,
    study: Study | None,
    *,
    most: int | None = None,
    pictures: bool = False,
) -> list[WrongPair]:
    """What a system got wrong at a threshold, the worst first, at most so many of each kind.

    Args:
        source: Where its answers are from.
        one: Its answers.
        threshold: None for its own decisions.
        study: With the names and pictures of the pairs; None if nobody named it.
        most: None for all.
        pictures: Whether they are to be shown.

    Raises:
        click.UsageError: they are to be shown, and nothing says which they are.
        InvalidRequest: the study has other pairs, or the system no threshold.
    """
    from facematch_comparison.writing import wrong_pairs as find

    found = find(one, threshold, study)
    for at, pair in enumerate(found if pictures else ()):
        if pair.probe is None or pair.reference is None:
            raise click.UsageError("Nothing says which pictures these are: add --pairs FILE.")
        if study is None:
            probe, reference = source.folder / pair.probe, source.folder / pair.reference
            found[at] = attrs.evolve(pair, probe=str(probe), reference=str(reference))
    return found if most is None else worst(found, most)


def worst(pairs: Sequence[WrongPair], most: int) -> list[WrongPair]:
    """At most so many of each kind, the first ones."""
    kinds: Counter[str] = Counter()
    kept = []
    for pair in pairs:
        kinds[pair.kind] += 1
        if kinds[pair.kind] <= most:
            kept.append(pair)
    return kept


def say_headline(evaluation: Evaluation, *, err: bool = False) -> None:
    """Print the verdict, and first of all that it is about no vendor if it is not."""
    made_up = [one.system for one in evaluation.caveats if one.code == "not_the_vendor"]
    if made_up:
        names = ", ".join(map(str, made_up))
        common.say(f"note: practice only: {names} answered from a mock or sandbox", err=err)
    common.say(evaluation.headline, err=err)


def costs_of(given: Mapping[str, Any]) -> Costs | None:
    """What the options of `costs` say; None if they say nothing.

    Raises:
        click.UsageError: some of them only.
    """
    needed = ("cost_false_match", "cost_false_reject", "impostors")
    said = [name for name in (*needed, "cost_review") if given[name] is not None]
    if not said:
        return None
    missing = [f"--{name.replace('_', '-')}" for name in needed if given[name] is None]
    if missing:
        raise click.UsageError(
            f"An expected cost needs {' and '.join(missing)} too: what a false match and a false "
            "reject cost, and the share of impostors."
        )
    from facematch_comparison.model import Costs

    return Costs(
        impostors=given["impostors"],
        false_match=float(given["cost_false_match"]),
        false_reject=float(given["cost_false_reject"]),
        review=float(given["cost_review"] or 0),
        currency=given["currency"],
    )


# --- Files ----------------------------------------------------------------------------------------


def check_outs(
    outs: Sequence[Path], *, overwrite: bool, forms: Sequence[str] = (PAGE, DOCUMENT)
) -> None:
    """Refuse what could not be written; `click.UsageError` says which."""
    if len({path.absolute() for path in outs}) < len(outs):
        raise click.UsageError("Two --out name the same file.")
    for path in outs:
        common.form_of("--out", path, *forms)
        common.check_target("--out", path, force=overwrite)


def write_outs(outs: Sequence[Path], evaluation: Evaluation, **page: Any) -> None:
    """Write an evaluation to each file; `page` as `report_html` takes it."""
    for path in outs:
        if common.form_of("--out", path, PAGE, DOCUMENT) == DOCUMENT:
            common.write_json(path, evaluation.to_dict())
        else:
            from facematch_comparison.report import report_html

            content = report_html(evaluation, **page).encode()
            common.write(path, content, private=bool(page.get("gallery")))


def is_page(path: Path) -> bool:
    """Whether --out writes HTML to it."""
    return path.suffix.lower() in ("", PAGE)


def warn_of_faces(outs: Iterable[Path]) -> None:
    """Say on stderr which of the files hold faces."""
    files = " and ".join(str(path) for path in outs if is_page(path))
    common.say(
        f"warning: {files} holds photographs of people: give it to nobody who may not see them",
        err=True,
    )
