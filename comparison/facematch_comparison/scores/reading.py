"""Read scores: CSV, JSON, Excel, Parquet, pandas and Arrow, from one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument, nearest
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .cells import Cells, Problem, Words, problems_at, read_cells
from .columns import (
    LONG,
    PEOPLE,
    PERSON,
    TRUTH,
    WIDE,
    ColumnsNotRecognised,
    Roles,
    check_complete,
    our_name,
    recognise,
)
from .joining import join_files
from .lines import MINUS_DISTANCE, YES_NO, Lines, first_rows, read_lines_of, rows_that_differ

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    #: What one column says of a system: the first line that says something, then those that say
    #: something else; and the word or number of a line.
    _Fact: TypeAlias = tuple[NDArray[np.int64], Callable[[int], Any]]

#: A file with more systems is read wrongly.
MOST: Final = 100

#: If so many mated pairs are all above so many others, the labels may be the system's own answers.
ENOUGH_APART: Final = 20

#: If so many pairs, and half of all, have the lowest score, it may stand for no score.
_MANY_ALIKE: Final = 20

#: Columns that hold one fact of a system.
_OF_SYSTEM: Final = (
    *("rule", "threshold", "scale", "price", "currency", "backend", "environment", "privacy"),
    "people_known",
)


def read_scores(
    source: Path | DataFrame | Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    ignore: Sequence[str] = (),
    rule: ThresholdRule | None = None,
    distance: bool = False,
    no_scores: Sequence[float] = (),
    below: float | Mapping[str, float] | None = None,
    independent_pairs: bool = False,
    models: Sequence[str] = (),
    name: str | None = None,
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Read what systems answered to pairs.

    A column is recognised by its name; the reference has the table of names. A score needs a known
    name (``score``, ``similarity``, ``distance``) or `columns`: no other number becomes a score. A
    system's own answer (``match``, ``verified``) is its decision and never the truth. An answer
    without score and decision is a failure to acquire and counts against a mated pair; an answer
    with an ``error`` counts in no rate.

    People are named by ``probe_subject`` and ``reference_subject``. Without both names,
    `Answers.people_known` is False, and the file needs ``person`` (one person a line) or the
    pictures ``image1`` and ``image2``, of which those that mated pairs join are of one person.

    Args:
        source: A CSV file (commas, or semicolons or tabs with decimal commas), JSON records, an
            Excel workbook, a Parquet file, a pandas DataFrame or a pyarrow Table; or a list of
            files, which are joined by pair. In a list, each file with one system is named by its
            stem, and a file without scores gives labels and people.
        columns: Our name, or a known one, to the name of a column: ``{"mated": "same_guy"}``. Give
            ``score`` a list of columns if each is a system. In a list of files,
            ``"azure:score"`` names a column of the file ``azure.csv`` alone.
        ignore: Columns to skip.
        rule: How scores are compared with a threshold if the file does not say; AT_LEAST by
            default.
        distance: Whether all scores are distances, whatever their columns are called. A score, and
            every threshold, is then minus the distance: -0.4 passes distances up to 0.4.
        no_scores: Numbers that mean that there is no score, such as -1. By default a number that
            stands out as such a mark is refused; NaN says that there is no such number.
        below: A threshold under which the system returns no score: an empty cell means a score
            below it (Rekognition: 80), not a failure. For several systems, name to threshold.
        independent_pairs: Whether every pair is of people of its own. Intervals are too narrow if
            people come again.
        models: Whose answers count if a system answered with several models; the answers of its
            other models count as not asked.
        name: Name of the system if no column names one; by default the stem of the file.
        note: Called with a sentence for each assumption.

    Returns:
        The answers of each system, in the order of the file; pairs in the order of their first
        lines.

    Raises:
        ColumnsNotRecognised: a column is missing or unclear; or the scores follow labels exactly
            that nobody named.
        InvalidRequest: a file cannot be read, files do not join, or a line is wrong; every place is
            named.
    """
    say = note or (lambda _text: None)
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    stems = [Path(each).stem if isinstance(each, (str, Path)) else "scores" for each in sources]
    how = {"independent_pairs": independent_pairs, "distance": distance}
    tables = _read_tables(sources, stems, columns or {}, ignore, **how)
    is_joined = len(tables) > 1
    for text in [text for cells, _ in tables for text in cells.notes]:
        say(text)
    check_complete(tables)
    usual = stems if is_joined else [name or stems[0]]
    files = [
        read_lines_of(cells, roles, no_scores, stem)
        for (cells, roles), stem in zip(tables, usual, strict=True)
    ]
    lines = files[0]
    if is_joined:
        lines = join_files(stems, files, say)
    systems = _systems(lines, models)
    lines.refuse(_problems_between(lines, systems, is_joined=is_joined))
    answers = _answers(lines, systems, ThresholdRule(rule or "at_least"))
    named = {our_name(key.rpartition(":")[2]) for key in columns or {}}
    if not named & {*TRUTH}:
        _ask_whose_labels(tables, lines, answers)
    answers = _with_scores_below(answers, below, say)
    for text in (*_notes(lines, tables), *_notes_of_blanks(answers)):
        say(text)
    return answers


def _read_tables(
    sources: Sequence[Any],
    stems: Sequence[str],
    columns: Mapping[str, str | Sequence[str]],
    ignore: Sequence[str],
    *,
    independent_pairs: bool,
    distance: bool,
) -> list[tuple[Cells, Roles]]:
    """Read each source and recognise its columns."""
    example = f"{WIDE} or {LONG}"
    named = [
        (Path(file).stem, ours, column)
        for key, of in columns.items()
        for file, _, ours in [key.rpartition(":")]
        for column in ([of] if isinstance(of, str) else of)
    ]
    for file, _, _ in named:
        if file and file not in stems:
            raise InvalidRequest(f"No file is called {file[:60]!r}; {nearest(file, stems)}")
    cells_of = [read_cells(each, what="comparison", example=example) for each in sources]
    header = {name for cells in cells_of for name in cells.header}
    tables = []
    for stem, cells in zip(stems, cells_of, strict=True):
        # A name without a file is for every file that has such a column.
        here = {*cells.header} | ({column for _, _, column in named} | {*ignore}) - header
        own = [
            (ours, column)
            for file, ours, column in named
            if file == stem or (not file and column in here)
        ]
        skip = [each for each in ignore if each in here]
        roles = Roles(independent_pairs=independent_pairs, distance=distance)
        recognise(cells, roles, own, skip)
        tables.append((cells, roles))
    return tables


def _ask_whose_labels(
    tables: Sequence[tuple[Cells, Roles]], lines: Lines, answers: Sequence[Answers]
) -> None:
    """Refuse labels that nobody named, no person's name confirms and the scores follow exactly.

    A log of answers may call them anything. Judged by them, a system never errs, and no test of its
    scores can find that out.
    """
    truth = {
        ours: of
        for _, roles in tables
        for ours, of in roles.of.items()
        if ours in TRUTH and (roles.scores or "decision" in roles.of)  # no list of pairs
    }
    for each in answers if truth and lines.people_by != PEOPLE else ():
        column, name = next(iter(truth.items()))
        is_there, scores = each.scored, each.scores
        if not is_there.any():
            is_there = each.decisions >= 0
            scores = each.decisions == DECISIONS.index(Decision.MATCH)
        mated, others = (scores[is_there & kind] for kind in (each.mated, ~each.mated))
        if min(len(mated), len(others)) >= ENOUGH_APART and mated.min() > others.max():
            what = (
                f"{lines.cells.name}: {name[:60]!r} follows the answers of {each.name} exactly, "
                f"all {len(mated):,} mated pairs above all {len(others):,} others; nothing was "
                f"judged. Does it say who is in the pictures, and not what {each.name} answered?"
            )
            raise ColumnsNotRecognised(what, columns={column: name})


@attrs.frozen
class _System:
    """A system and its lines.

    Attributes:
        rows: Its lines, without those of other models than `model`.
        first: int64, (pairs,): the first of them for each pair; -1 if there is none.
        has_pair: bool, (pairs,): whether it has a line for a pair, of any model.
        facts: What is said of it, by column.
    """

    name: str
    model: str | None
    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    has_pair: NDArray[np.bool_]
    facts: Mapping[str, _Fact]


def _systems(lines: Lines, models: Sequence[str]) -> list[_System]:
    """Return the systems of a table; refuse one with several models unless one is chosen."""
    words, model_of, pairs = lines.words["system"], lines.words.get("model"), lines.pairs
    if len(words.words) > MOST:
        text = f"there are {len(words.words):,} systems, and at most {MOST} can be compared"
        lines.cells.refuse([Problem(text)], so="nothing was judged")
    systems = []
    for at, name in enumerate(words.words):
        rows = every = np.flatnonzero(words.codes == at)
        model = None
        if model_of is not None:
            model, rows = _choose_model(name, model_of, every, models)
        has_pair = np.zeros(len(lines.first), np.bool_)
        has_pair[pairs[every]] = True
        first = first_rows(pairs, rows, size=len(lines.first))
        systems.append(_System(name, model, rows, first, has_pair, _facts_of(lines, every)))
    return systems


def _choose_model(
    name: str, model_of: Words, every: NDArray[np.int64], models: Sequence[str]
) -> tuple[str | None, NDArray[np.int64]]:
    """Return the model whose answers count, and the lines that are not another model's."""
    codes, counts = np.unique(model_of.codes[every], return_counts=True)
    lines_of = {model_of.words[code]: int(n) for code, n in zip(codes, counts, strict=True)}
    lines_of.pop("", None)
    chosen = [word for word in lines_of if word in models]
    if len(lines_of) > 1 and len(chosen) != 1:
        shown = join_names([f"{word!r} ({count:,} lines)" for word, count in lines_of.items()])
        raise InvalidRequest(
            f"{name} answered with several models: {shown}. Two models are two systems: say "
            f"whose answers count, such as {argument('models', [next(iter(lines_of))])}."
        )
    model = (chosen or [*lines_of] or [None])[0]
    its = [model_of.words.index(each) for each in (model, "") if each in model_of.words]
    return model, every[np.isin(model_of.codes[every], its)]


def _facts_of(lines: Lines, every: NDArray[np.int64]) -> dict[str, _Fact]:
    """Return what the lines of a system say of it, by column."""
    facts: dict[str, _Fact] = {}
    for column in _OF_SYSTEM:
        if column in lines.numbers:
            values: NDArray[Any] = lines.numbers[column]
            filled = every[~np.isnan(values[every])]
            value_of: Callable[[int], Any] = values.item
        elif column in lines.words:
            words = lines.words[column]
            values, filled = words.codes, every[words.filled[every]]
            value_of = words.__getitem__
        else:
            continue
        if len(filled):
            differ = filled[values[filled] != values[filled[0]]]
            facts[column] = np.concatenate([filled[:1], differ]), value_of
    return facts


def _problems_between(
    lines: Lines, systems: Sequence[_System], *, is_joined: bool
) -> Iterator[Problem]:
    """Yield lines that contradict each other."""
    pairs, place = lines.pairs, lines.place
    unit = lines.cells.unit or "line"
    for system in systems:
        yield from _problems_of_pairs(lines, system, unit, is_joined=is_joined)
        yield from _problems_of_facts(lines, system)
    yield from problems_at(
        rows_that_differ(pairs, lines.mated, *lines.people),
        lambda at: (
            f"the pair {lines.pair_of(at)} shows other people than in "
            f"{place(lines.first[pairs[at]])}"
        ),
    )
    if lines.pictures:
        probe, reference = (side.codes[lines.first] for side in lines.pictures)
        keys = np.minimum(probe, reference) * (len(pairs) * 2) + np.maximum(probe, reference)
        codes = pd.factorize(keys)[0]
        earliest = first_rows(codes)[codes]
        yield from problems_at(
            lines.first[earliest != np.arange(len(keys))],
            lambda at: (
                f"the same two pictures as in {place(lines.first[earliest[pairs[at]]])}, which is "
                "one pair"
            ),
        )
    for name, (labels, people, said) in lines.groups.items():
        yield from _problems_of_groups(lines, name, labels, people, said)


def _problems_of_pairs(
    lines: Lines, system: _System, unit: str, *, is_joined: bool
) -> Iterator[Problem]:
    """Yield pairs that a system has twice or lacks."""
    pairs = lines.pairs
    yield from problems_at(
        system.rows[system.first[pairs[system.rows]] != system.rows],
        lambda row: (
            f"the pair {lines.pair_of(row)} of {system.name[:60]!r} appears twice: it is in "
            f"{lines.place(system.first[pairs[row]])}; keep one of the two {unit}s"
        ),
    )
    if is_joined:  # what does not join was noted
        return
    yield from problems_at(
        lines.first[~system.has_pair],
        lambda row: (
            f"the pair {lines.pair_of(row)} has no {unit} for {system.name[:60]!r}; all systems "
            "need the same pairs (a line whose error is filled says that there was no answer)"
        ),
    )


def _problems_of_facts(lines: Lines, system: _System) -> Iterator[Problem]:
    """Yield two values of a fact that a system has once."""
    for column, (rows, value_of) in system.facts.items():

        def text(row: int, column: str = column, first: int = rows[0], of: Any = value_of) -> str:
            now, above = (f"{of(each)!r:.42}" for each in (row, first))
            return f"{column} of {system.name[:60]!r} is {now}, and {above} in {lines.place(first)}"

        yield from problems_at(rows[1:], text)


def _problems_of_groups(
    lines: Lines,
    kind: str,
    labels: Words,
    people: NDArray[np.int64],
    said: NDArray[np.int64],
) -> Iterator[Problem]:
    """Yield people who are said to be in two groups of one kind."""
    first = first_rows(people)
    clashes = rows_that_differ(people, labels.codes)
    names = lines.person_names

    def text(line: int) -> str:
        at = clashes[said[clashes] == line][0]
        person = people[at]
        who = repr(names[person][:60]) if person < len(names) else "a person"
        now, above = labels[at][:60], labels[first[person]][:60]
        return f"{who} is in the group {now!r} of {kind}, and above in {above!r}"

    yield from problems_at(np.unique(said[clashes]), text)


def _answers(lines: Lines, systems: Sequence[_System], rule: ThresholdRule) -> list[Answers]:
    """Return the answers of each system; facts of the pairs are computed once."""
    first = lines.first
    names = lines.person_names
    count = int(max(map(np.max, lines.people))) + 1
    # A person's number is its place among the names in order: digits as numbers.
    are_digits = all(name.isdigit() for name in names)
    order = sorted(
        range(len(names)), key=lambda at: (len(names[at]) if are_digits else 0, names[at])
    )
    numbers = np.arange(count)
    numbers[order] = np.arange(len(names))
    people: list[str] | None = None
    if names:
        people = [names[at] for at in order]
        people += [f"unknown {number}" for number in range(len(names), count)]
    probe, reference = (numbers[side][first] for side in lines.people)
    of_pairs: dict[str, Any] = {
        "mated": lines.mated[first],
        "probe_subjects": probe,
        "reference_subjects": reference,
        "people": people,
        "groups": {name: _grouping(lines, name, count) for name in lines.groups},
    }
    if "transaction" in lines.words:
        attempts = lines.words["attempt"].take(first)
        of_pairs["transactions"] = lines.words["transaction"].codes[first]
        of_pairs["attempts"] = np.array([*map(int, attempts.words)], np.int64)[attempts.codes]
    if lines.pictures:
        category = pd.CategoricalDtype(pd.Index(lines.pictures[0].words))
        of_pairs["pictures"] = tuple(
            pd.Categorical.from_codes(side.codes[first], dtype=category) for side in lines.pictures
        )
    return [_of_system(lines, system, rule, of_pairs) for system in systems]


def _of_system(
    lines: Lines, system: _System, rule: ThresholdRule, of_pairs: Mapping[str, Any]
) -> Answers:
    is_asked = system.first >= 0
    rows = np.where(is_asked, system.first, lines.first)
    answered = is_asked & ~lines.failed[rows]
    scores = np.where(is_asked, lines.number("score")[rows], np.nan)
    decisions = lines.meant("decision", NO_DECISION, np.int8)[rows]
    decisions = np.where(is_asked, decisions, NO_DECISION).astype(np.int8)
    is_compared = (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    acquired = lines.meant("acquired", -1, np.int8)[rows]
    acquired = np.where(acquired < 0, ~np.isnan(scores) | is_compared, acquired > 0) & answered
    facts = {name: value_of(its[0]) for name, (its, value_of) in system.facts.items()}
    scale, threshold, price = (facts.get(key) for key in ("scale", "threshold", "price"))
    if system.name in lines.distances:
        scale = MINUS_DISTANCE
        threshold = None if threshold is None else -threshold
    charged = Charged.NO if price is None else Charged.YES
    usual = np.where(answered, BILLED.index(charged), BILLED.index(Charged.NO))
    billed = lines.meant("billed", -1, np.int8)[rows]
    environment = facts.get("environment")
    return Answers(
        name=system.name,
        rule=ThresholdRule(facts.get("rule", rule).lower()),
        frame=frame_of(
            **of_pairs,
            scores=scores,
            decisions=decisions,
            acquired=acquired,
            answered=answered,
            errors=_errors(lines, rows, is_asked, answered),
            elapsed_s=np.where(is_asked, lines.number("elapsed_s")[rows], np.nan),
            billed=np.where(is_asked & (billed >= 0), billed, usual).astype(np.int8),
        ),
        scale=scale,
        threshold=threshold,
        backend=facts.get("backend"),
        model=system.model,
        environment=None if environment is None else Environment(environment.lower()),
        price=price,
        currency=facts.get("currency"),
        people_known=lines.people_by == PEOPLE
        and bool(YES_NO[facts.get("people_known", "1").lower()]),
        **{"privacy": facts["privacy"]} if "privacy" in facts else {},
    )


def _errors(lines: Lines, rows: Any, is_asked: Any, answered: Any) -> pd.Categorical:
    """Return the reason of each pair without an answer."""
    lost = np.flatnonzero(~answered)
    reasons = np.full(len(lost), NOT_ASKED, object)
    if "error" in lines.words:
        words = lines.words["error"].take(rows[lost])
        is_said = is_asked[lost] & words.filled
        reasons[is_said] = words.texts[is_said]
    codes = np.full(len(rows), -1)
    codes[lost], names = pd.factorize(reasons)
    return pd.Categorical.from_codes(codes, [*names] or [NOT_ASKED])


def _grouping(lines: Lines, name: str, people: int) -> Grouping:
    words, persons, _ = lines.groups[name]
    labels = sorted(filter(None, words.words))
    of_person = np.full(people, -1, np.int64)
    places = {label: at for at, label in enumerate(labels)}
    of_person[persons] = np.array([places.get(word, -1) for word in words.words])[words.codes]
    probe, reference = (of_person[side][lines.first] for side in lines.people)
    return Grouping(labels=tuple(labels), probe=probe, reference=reference)


def _with_scores_below(
    answers: list[Answers],
    below: float | Mapping[str, float] | None,
    say: Callable[[str], object],
) -> list[Answers]:
    """Fill the empty scores of systems that return no score below a threshold."""
    if below is None:
        return answers
    names = [each.name for each in answers]
    if not isinstance(below, Mapping):
        if len(answers) > 1:
            raise InvalidRequest(
                f"Say whose scores are missing below {below:g}, such as "
                f"{names[0]}={below:g}; there are {join_names(names)}."
            )
        below = {names[0]: below}
    filled = list(answers)
    for name, threshold in below.items():
        if name not in names:
            raise InvalidRequest(f"No system is called {name[:60]!r} here; {nearest(name, names)}")
        each = answers[names.index(name)]
        lower = int(np.count_nonzero(each.scores < threshold))
        if lower or each.scale == MINUS_DISTANCE:
            what = "its scores are distances" if not lower else f"{lower:,} of its scores are lower"
            raise InvalidRequest(
                f"{name} does return scores below {threshold:g}: {what}. Its empty cells mean "
                "something else."
            )
        inconclusive = each.decisions == DECISIONS.index(Decision.INCONCLUSIVE)
        empty = each.answered & np.isnan(each.scores) & ~inconclusive
        # Fill with one unit of the last decimal below it: a threshold is then at least the
        # vendor's.
        given = each.scores[~np.isnan(each.scores)]
        places = next((n for n in range(6) if (given == given.round(n)).all()), 6)
        just_below = round(threshold - 10.0**-places, places)
        frame = each.frame.assign(
            score=np.where(empty, just_below, each.scores), acquired=each.acquired | empty
        )
        filled[names.index(name)] = attrs.evolve(each, frame=frame)
        say(
            f"{name}: {int(empty.sum()):,} pairs without a score count as {just_below:g}, just "
            f"below {threshold:g}; no threshold below {threshold:g} can be judged"
        )
    return filled


def _notes(lines: Lines, tables: Sequence[tuple[Cells, Roles]]) -> Iterator[str]:
    def quoted(names: Iterable[str]) -> str:
        return join_names([repr(name[:60]) for name in names])

    for cells, roles in tables:
        if roles.skipped:
            of = f"{cells.name}: " if len(tables) > 1 else ""
            yield (
                f"{of}read {quoted([*roles.of.values(), *roles.scores])}; not read, because their "
                f"names are not known or not needed: {quoted(roles.skipped)}"
            )
        if distances := [*filter(roles.is_distance, roles.scores)]:
            yield (
                f"scores of {quoted(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances of 0.4 and less"
            )
    if not {*TRUTH} & lines.words.keys():
        yield "a pair is mated where both people have one name, for no column says which pairs are"
    if lines.people_by == (PERSON,):
        column = next(roles.of[PERSON] for _, roles in tables if PERSON in roles.of)
        yield (
            f"each line is of one person, {column!r}: who the others of non-mated pairs are is not "
            "known, and intervals are too narrow if they come again"
        )
    if not lines.people_by:
        yield "all pairs are treated as independent: intervals are too narrow if people come again"


def _notes_of_blanks(answers: Sequence[Answers]) -> Iterator[str]:
    """Yield notes of empty cells and of scores that may stand for no score."""
    empty = []
    for each in answers:
        if count := int((each.answered & ~each.acquired & (each.decisions < 0)).sum()):
            empty.append(f"{count:,} of {each.name}")
        others = each.scores[each.scored & ~each.mated]
        lowest = others[others == others.min(initial=np.inf)]
        if len(lowest) >= max(_MANY_ALIKE, len(others) / 2):
            yield (
                f"{each.name}: {len(lowest):,} of {len(others):,} non-mated pairs have the score "
                f"{lowest[0]:g}, and a threshold just above it may be chosen"
            )
    if empty:
        yield (
            f"pairs without a score count as failures to acquire: {join_names(empty)}. If the "
            f"vendor omits scores below its own threshold (Rekognition: 80), give "
            f"{argument('below', 80)}"
        )
