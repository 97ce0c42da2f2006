"""Read scores: CSV, JSON, Excel, Parquet, pandas and Arrow, from one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument, nearest
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, Environment, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .cells import Cells, Problem, problems_at, read_cells
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
from .joining import MINUS_DISTANCE, join_files
from .table import OF_SYSTEM, YES_NO, ScoreCells, first_rows, problems_of_cells, rows_that_differ

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

#: A file with more systems is read wrongly.
MOST: Final = 100

#: If so many mated pairs are all above so many others, the labels may be the system's own answers.
ENOUGH_APART: Final = 20

#: If so many pairs, and half of all, have the lowest score, it may stand for no score.
_MANY_ALIKE: Final = 20

_SO: Final = "nothing was judged"


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
    tables = _tables(sources, dict(columns or {}), ignore)
    for cells, roles in tables:
        roles.independent_pairs, roles.distance = independent_pairs, distance
        for text in cells.notes:
            say(text)
    if len(tables) == 1:
        ((cells, roles),) = tables
        check_complete(tables)
        table = ScoreCells(cells, roles, no_scores)
        cells.refuse(problems_of_cells(table), so=_SO)
    else:
        for each in tables:
            if each[1].problems:
                check_complete([each])
        stems = [_stem(each) for each in sources]
        parts = [ScoreCells(cells, roles, no_scores) for cells, roles in tables]
        cells, roles = join_files(list(zip(stems, parts, strict=True)), say)
        roles.independent_pairs = independent_pairs
        check_complete(tables, (cells, roles))
        table = ScoreCells(cells, roles, [np.nan])
        cells.refuse(problems_of_cells(table), so=_SO)
    systems = _systems(table, name or _stem(sources[0]), models)
    cells.refuse(_problems_between(table, systems, is_joined=len(tables) > 1), so=_SO)
    answers = _answers(table, systems, ThresholdRule(rule or "at_least"))
    named = {our_name(key.rpartition(":")[2]) for key in columns or {}}
    if not named & {*TRUTH}:
        _ask_whose_labels(table, answers)
    answers = _with_scores_below(answers, below, say)
    for text in (*_notes(table, tables), *_notes_of_blanks(answers)):
        say(text)
    return answers


def _stem(source: Any) -> str:
    return Path(source).stem if isinstance(source, (str, Path)) else "scores"


def _tables(
    sources: Sequence[Any],
    columns: Mapping[str, str | Sequence[str]],
    ignore: Sequence[str],
) -> list[tuple[Cells, Roles]]:
    """Read each source and recognise its columns."""
    example = f"{WIDE} or {LONG}"
    named = [
        (file, ours, column)
        for key, of in columns.items()
        for file, _, ours in [key.rpartition(":")]
        for column in ([of] if isinstance(of, str) else of)
    ]
    tables = []
    stems = [_stem(each) for each in sources]
    for file, _, _ in named:
        if file and Path(file).stem not in stems:
            raise InvalidRequest(f"No file is called {file[:60]!r}; {nearest(file, stems)}")
    cells_of = [read_cells(each, what="comparison", example=example) for each in sources]
    header = {name for cells in cells_of for name in cells.header}
    for stem, cells in zip(stems, cells_of, strict=True):
        # A name without a file is for every file that has such a column.
        own = [
            (ours, column)
            for file, ours, column in named
            if Path(file).stem == stem
            or (not file and (column in cells.header or column not in header))
        ]
        skip = [each for each in ignore if each in cells.header or each not in header]
        tables.append((cells, recognise(cells, own, skip)))
    return tables


def _ask_whose_labels(table: ScoreCells, answers: Sequence[Answers]) -> None:
    """Refuse labels that nobody named, no person's name confirms and the scores follow exactly.

    A log of answers may call them anything. Judged by them, a system never errs, and no test of its
    scores can find that out.
    """
    truth = [(ours, table.of[ours]) for ours in TRUTH if ours in table.of]
    for each in answers if truth and not table.people_named else ():
        (column, name), is_there, scores = truth[0], each.scored, each.scores
        if not is_there.any():
            is_there = each.decisions >= 0
            scores = each.decisions == DECISIONS.index(Decision.MATCH)
        mated, others = (scores[is_there & kind] for kind in (each.mated, ~each.mated))
        if min(len(mated), len(others)) >= ENOUGH_APART and mated.min() > others.max():
            what = (
                f"{table.cells.name}: {name[:60]!r} follows the answers of {each.name} exactly, "
                f"all {len(mated):,} mated pairs above all {len(others):,} others; {_SO}. Does it "
                f"say who is in the pictures, and not what {each.name} answered?"
            )
            raise ColumnsNotRecognised(what, columns={column: name})


@attrs.frozen
class _System:
    """The lines of one system, and its column of scores."""

    name: str
    score: str | None
    rows: NDArray[np.int64]
    model: str | None
    #: The same lines and those of its other models.
    every: NDArray[np.int64]


def _systems(table: ScoreCells, usual_name: str, models: Sequence[str]) -> list[_System]:
    """Return the systems of a table; refuse one with several models unless one is chosen."""
    every = np.arange(len(table.cells))
    scores = table.roles.scores
    score = scores[0] if scores else None
    words, model = table.words("system"), table.words("model")
    parts: list[tuple[str, NDArray[np.int64], str | None]] = [(usual_name, every, score)]
    if table.roles.is_wide:
        parts = [(name, every, name) for name in scores]
    elif "system" in table.of:
        parts = [
            (name, np.flatnonzero(words.codes == at), score) for at, name in enumerate(words.words)
        ]
        parts = [part for part in parts if len(part[1])]
    if len(parts) > MOST:
        text = f"there are {len(parts):,} systems, and at most {MOST} can be compared"
        table.cells.refuse([Problem(text)], so=_SO)
    systems = []
    for name, rows, column in parts:
        filled = rows[model.filled[rows]]
        codes, counts = np.unique(model.codes[filled], return_counts=True)
        of_system = {
            model.words[code]: int(count) for code, count in zip(codes, counts, strict=True)
        }
        chosen = [word for word in of_system if word in models]
        if len(of_system) > 1 and len(chosen) != 1:
            shown = join_names([f"{word!r} ({count:,} lines)" for word, count in of_system.items()])
            raise InvalidRequest(
                f"{name} answered with several models: {shown}. Two models are two systems: say "
                f"whose answers count, such as {argument('models', [next(iter(of_system))])}."
            )
        word = (chosen or [*of_system] or [None])[0]
        is_other = model.filled[rows] & (model.codes[rows] != _index(model.words, word))
        systems.append(_System(name, column, rows[~is_other], word, rows))
    return systems


def _index(words: Sequence[str], word: str | None) -> int:
    return words.index(word) if word in words else -1


def _problems_between(
    table: ScoreCells, systems: Sequence[_System], *, is_joined: bool
) -> Iterator[Problem]:
    """Yield lines that contradict each other."""
    for system in systems:
        yield from _problems_of_pairs(table, system, is_joined=is_joined)
        for column in (column for column in OF_SYSTEM if column in table.of):
            yield from _problems_of_facts(table, system.name, system.every, column)
    pair, name_of = table.pairs
    first, place = table.first, table.cells.place
    yield from problems_at(
        rows_that_differ(pair, table.mated, *table.people),
        lambda row: f"the pair {name_of(row)} shows other people than in {place(first[pair[row]])}",
    )
    if table.has_pictures:
        probe, reference = (side.codes[first] for side in table.alike("probe", "reference"))
        keys = np.minimum(probe, reference) * (len(pair) * 2) + np.maximum(probe, reference)
        _, earliest, where = np.unique(keys, return_index=True, return_inverse=True)
        yield from problems_at(
            first[earliest[where] != np.arange(len(keys))],
            lambda row: (
                f"the same two pictures as in {place(first[earliest[where[pair[row]]]])}, which is "
                "one pair"
            ),
        )
    for column in table.roles.groups:
        yield from _problems_of_groups(table, column)


def _problems_of_pairs(table: ScoreCells, system: _System, *, is_joined: bool) -> Iterator[Problem]:
    """Yield pairs that a system has twice or lacks."""
    pair, name_of = table.pairs
    unit = table.cells.unit or "line"
    at = first_rows(pair, system.rows)
    # A line of a wide table belongs to all systems.
    of = "" if table.roles.is_wide else f" of {system.name[:60]!r}"
    yield from problems_at(
        system.rows[at[pair[system.rows]] != system.rows],
        lambda row: (
            f"the pair {name_of(row)}{of} appears twice: it is in "
            f"{table.cells.place(at[pair[row]])}; keep one of the two {unit}s"
        ),
    )
    if is_joined:  # what does not join was noted
        return
    is_missing = at < 0
    is_missing[pair[system.every]] = False
    yield from problems_at(
        table.first[is_missing],
        lambda row: (
            f"the pair {name_of(row)} has no {unit} for {system.name[:60]!r}; all systems need "
            "the same pairs (a line whose error is filled says that there was no answer)"
        ),
    )


def _problems_of_facts(
    table: ScoreCells, system: str, rows: NDArray[np.int64], column: str
) -> Iterator[Problem]:
    """Yield two values of a fact that a system has once."""
    words = table.words(column)
    filled = rows[words.filled[rows]]
    yield from problems_at(
        filled[words.codes[filled] != words.codes[filled[:1]]],
        lambda row: (
            f"{column} of {system[:60]!r} is {words[row][:40]!r}, and {words[filled[0]][:40]!r} in "
            f"{table.cells.place(filled[0])}"
        ),
    )


def _problems_of_groups(table: ScoreCells, column: str) -> Iterator[Problem]:
    """Yield people who are said to be in two groups of one kind."""
    words, people, groups, rows = table.groups_of_people(column)
    first = first_rows(people, np.arange(len(people)))
    clashes = rows_that_differ(people, groups)
    names = _person_words(table)

    def text(row: int) -> str:
        at = clashes[rows[clashes] == row][0]
        person = people[at]
        who = repr(names[person][:60]) if person < len(names) else "a person"
        now, above = (words[groups[each]][:60] for each in (at, first[person]))
        return f"{who} is in the group {now!r} of {column}, and above in {above!r}"

    yield from problems_at(np.unique(rows[clashes]), text)


def _person_words(table: ScoreCells) -> list[str]:
    """Return the names of people; their codes are the first ones of `ScoreCells.people`."""
    ways = table.roles.people
    return table.alike(*ways)[0].words if ways in (PEOPLE, (PERSON,)) else []


def _answers(table: ScoreCells, systems: Sequence[_System], rule: ThresholdRule) -> list[Answers]:
    """Return the answers of each system; facts of the pairs are computed once."""
    first = table.first
    names = _person_words(table)
    count = int(max(map(np.max, table.people))) + 1
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
    probe, reference = (numbers[side][first] for side in table.people)
    of_pairs: dict[str, Any] = {
        "mated": table.mated[first],
        "probe_subjects": probe,
        "reference_subjects": reference,
        "people": people,
        "groups": {name: _grouping(table, name, count) for name in table.roles.groups},
    }
    if "transaction" in table.of:
        attempts = table.numbers("attempt")[first]
        if (attempts % 1 > 0).any():
            raise InvalidRequest(f"{table.of['attempt']} must be a whole number from 1 on.")
        of_pairs["transactions"] = table.words("transaction").codes[first]
        of_pairs["attempts"] = attempts.astype(np.int64)
    if table.has_pictures:
        sides = table.alike("probe", "reference")
        category = pd.CategoricalDtype(pd.Index(sides[0].words))
        of_pairs["pictures"] = tuple(
            pd.Categorical.from_codes(side.codes[first], dtype=category) for side in sides
        )
    return [_of_system(table, system, rule, of_pairs) for system in systems]


def _of_system(
    table: ScoreCells, system: _System, rule: ThresholdRule, of_pairs: Mapping[str, Any]
) -> Answers:
    rows = first_rows(table.pairs[0], system.rows)
    rows = np.append(rows, np.full(len(table.first) - len(rows), -1))
    is_asked = rows >= 0
    rows = np.where(is_asked, rows, table.first)
    answered = is_asked & ~table.failed[rows]
    errors = table.words("error")
    words = np.array([*errors.words, NOT_ASKED], object)
    lost = np.flatnonzero(~answered)
    is_said = is_asked[lost] & errors.filled[rows[lost]]
    reasons, names = pd.factorize(words[np.where(is_said, errors.codes[rows[lost]], -1)])
    codes = np.full(len(rows), -1)
    codes[lost] = reasons
    error = pd.Categorical.from_codes(codes, [*names] or [NOT_ASKED])
    scores = np.where(is_asked, table.scores(system.score)[rows], np.nan)
    decisions = table.values("decision", NO_DECISION, np.int8)[rows]
    decisions = np.where(is_asked, decisions, NO_DECISION).astype(np.int8)
    is_compared = (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    acquired = table.values("acquired", -1, np.int8)[rows]
    acquired = np.where(acquired < 0, ~np.isnan(scores) | is_compared, acquired > 0) & answered
    facts = _facts(table, system.every)
    price, threshold = (
        None if (it := facts.get(key)) is None else float(it) for key in ("price", "threshold")
    )
    scale = facts.get("scale")
    if table.roles.is_distance(system.score):
        scale = MINUS_DISTANCE
        threshold = None if threshold is None else -threshold
    charged = Charged.NO if price is None else Charged.YES
    usual = np.where(answered, BILLED.index(charged), BILLED.index(Charged.NO))
    billed = table.values("billed", -1, np.int8)[rows]
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
            errors=error,
            elapsed_s=np.where(is_asked, table.numbers("elapsed_s")[rows], np.nan),
            billed=np.where(is_asked & (billed >= 0), billed, usual).astype(np.int8),
        ),
        scale=scale,
        threshold=threshold,
        backend=facts.get("backend"),
        model=system.model,
        environment=None if environment is None else Environment(environment.lower()),
        price=price,
        currency=facts.get("currency"),
        people_known=table.people_named and bool(YES_NO[facts.get("people_known", "1").lower()]),
        **{"privacy": facts["privacy"]} if "privacy" in facts else {},
    )


def _facts(table: ScoreCells, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Return what the columns of a system say, each by its first cell; prices as numbers."""
    facts: dict[str, Any] = {}
    for name in (name for name in OF_SYSTEM if name in table.of):
        if name in ("price", "threshold"):
            numbers = table.numbers(name)[rows]
            filled = numbers[~np.isnan(numbers)]
            if len(filled):
                facts[name] = float(filled[0])
        else:
            words = table.words(name)
            first = rows[words.filled[rows]][:1]
            if len(first):
                facts[name] = words[first[0]]
    return facts


def _grouping(table: ScoreCells, column: str, people: int) -> Grouping:
    words, persons, groups, _ = table.groups_of_people(column)
    labels = sorted(filter(None, words))
    place = {label: at for at, label in enumerate(labels)}
    of_word = np.array([place.get(word, -1) for word in words], np.int64)
    of_person = np.full(people, -1, np.int64)
    of_person[persons] = of_word[groups]
    probe, reference = (of_person[side][table.first] for side in table.people)
    return Grouping(labels=tuple(labels), probe=probe, reference=reference)


def _with_scores_below(
    answers: list[Answers],
    below: float | Mapping[str, float] | None,
    say: Callable[[str], object],
) -> list[Answers]:
    """Fill empty scores with one just below the threshold under which a system returns none."""
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


def _notes(table: ScoreCells, tables: Sequence[tuple[Cells, Roles]]) -> Iterator[str]:
    for cells, roles in tables:
        if roles.skipped:
            read = {
                **roles.of,
                **{f"score{at or ''}": name for at, name in enumerate(roles.scores)},
            }
            of = f"{cells.name}: " if len(tables) > 1 else ""
            skipped = join_names([repr(name[:60]) for name in roles.skipped])
            yield (
                f"{of}read {join_names([repr(name[:60]) for name in read.values()])}; not read, "
                f"because their names are not known or not needed: {skipped}"
            )
        if distances := [repr(name[:60]) for name in roles.scores if roles.is_distance(name)]:
            yield (
                f"scores of {join_names(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances of 0.4 and less"
            )
    if not {*TRUTH} & table.of.keys():
        yield "a pair is mated where both people have one name, for no column says which pairs are"
    if table.roles.people == (PERSON,):
        yield (
            f"each line is of one person, {table.of[PERSON]!r}: who the others of non-mated pairs "
            "are is not known, and intervals are too narrow if they come again"
        )
    if not table.roles.people:
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
