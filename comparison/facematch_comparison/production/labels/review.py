"""The file of calls that a person labels: in random order, and blind.

A row says nothing about who accepted the call, nor whether the systems disagreed. Rows have a
random `number`: whoever labels them in this order, and stops anywhere, has labelled a random
sample. The file is written once. It says for which question and until which time it was written, so
that later calls of a growing log do not count.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import pandas as pd
from pandas import DataFrame

from facematch_comparison.stats.rates import Bools
from facematch_core.base.tables import escaped, raise_problems
from facematch_core.errors import InvalidRequest
from facematch_core.models import Operation

#: The column to fill in, by operation.
LABEL_COLUMNS: Final = {Operation.MATCH: "same_person", Operation.LIVENESS: "live_person"}
#: The columns that a reviewer must not change.
FIXED_COLUMNS: Final = ("number", "call", "written_for")

#: The meaning of a label; None: it cannot be told.
LABELS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("yes", "y", "true", "1"), True),
    **dict.fromkeys(("no", "n", "false", "0"), False),
    **dict.fromkeys(("?", "unclear"), None),
}


#: The end of a question whose agreements were chosen.
_CHOSEN: Final = "; with chosen agreements"


@attrs.frozen(kw_only=True)
class Question:
    """What a review file is about: its labels answer no other question.

    Attributes:
        operation: The operation.
        answered, candidate: The names of the two systems.
        review_is_accepted: Whether REVIEW counts as accepted.
        until: The time of the last compared call in the log when the file was written.
        agreements_are_random: As in `Labels`.
    """

    operation: Operation
    answered: str
    candidate: str
    review_is_accepted: bool
    until: dt.datetime
    agreements_are_random: bool = True

    def __str__(self) -> str:
        review = "accept" if self.review_is_accepted else "reject"
        return (
            f"{self.operation} by {self.answered} and {self.candidate}; review counts as {review}; "
            f"until {self.until.isoformat()}"
            f"{'' if self.agreements_are_random else _CHOSEN}"
        )


@attrs.frozen(kw_only=True)
class Labels:
    """The labels of a review file.

    Attributes:
        file: The name of the file.
        question: The question as it stands in the file, without a remark on the agreements.
        listed: The ids of all calls in the file.
        genuine: Whether a labelled call is genuine, by the call's id.
        unclear: The ids of the calls that nobody could label.
        agreements_are_random: Whether the calls on which the systems agree are a random sample:
            not those of a file that was written for contradictions.
    """

    file: str
    question: str
    listed: frozenset[str]
    genuine: Mapping[str, bool]
    unclear: frozenset[str]
    agreements_are_random: bool = True

    @property
    def until(self) -> dt.datetime:
        """The time of the last compared call in the log when the file was written.

        Raises:
            InvalidRequest: somebody has changed the question in the file.
        """
        _, _, text = self.question.rpartition("until ")
        with contextlib.suppress(ValueError):
            time = dt.datetime.fromisoformat(text)
            if time.tzinfo is not None:
                return time
        raise InvalidRequest(
            "The column written_for of the review file was changed: restore it, or write a new "
            "file."
        )


def draw_calls(compared: DataFrame, chosen: Bools, *, agreements: int) -> DataFrame:
    """Return the chosen calls (the disagreements) and some drawn others, in random order.

    The same calls are drawn and ordered alike each time.
    """
    generator = np.random.default_rng(0)
    different = np.flatnonzero(chosen)
    alike = np.flatnonzero(~chosen)
    drawn = generator.choice(alike, min(agreements, len(alike)), replace=False)
    return compared.iloc[generator.permutation(np.concatenate([different, drawn]))]


def review_as_csv(
    drawn: DataFrame, question: Question, refs_by_digest: Mapping[str, str] | None
) -> str:
    """Return the text of a review file, as CSV.

    Args:
        drawn: The calls to label, in order.
        question: What the file is about.
        refs_by_digest: The callers' own references by digest, or None to leave the column out.
    """
    label = LABEL_COLUMNS[question.operation]
    header = ["number", label, "remark", "call", "at", "person"]
    if refs_by_digest is not None:
        header.append("caller_ref")
    header.append("written_for")
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, header, lineterminator="\r\n", restval="")
    writer.writeheader()
    for number, call in enumerate(drawn.itertuples(), start=1):
        person = call.person if isinstance(call.person, str) else ""
        row = {
            "number": str(number),
            "call": call.call_id,
            "at": pd.Timestamp(call.at).isoformat(timespec="seconds"),
            "person": person,
            "written_for": str(question),
        }
        if refs_by_digest is not None:
            row["caller_ref"] = escaped(refs_by_digest.get(person, ""))
        writer.writerow(row)
    return file.getvalue()


def read_labels(
    rows: Sequence[tuple[int, Mapping[str, str]]], name: str, operation: Operation
) -> Labels:
    """Return the labels of a review file.

    Args:
        rows: The line number and the cells of each row.
        name: The name of the file, for messages.
        operation: The operation that is compared.

    Raises:
        InvalidRequest: a label is no label, or a row is empty while a later one is filled in, so
            that the labelled rows are no random sample; or a call occurs twice. The message lists
            the lines.
    """
    column = LABEL_COLUMNS[operation]
    problems: list[str] = []
    if rows and column not in rows[0][1]:
        problems.append(f"line 1: the column {column} is missing")
        raise_problems(name, problems, so="nothing was read")
    line_of_call: dict[str, int] = {}
    for line, cells in rows:
        earlier_line = line_of_call.setdefault(cells["call"], line)
        if earlier_line != line:
            problems.append(
                f"line {line}: the call of line {earlier_line} again. Do not join the files of "
                "several people: pass each with --review"
            )
    genuine: dict[str, bool] = {}
    unclear: set[str] = set()
    #: The line of the first row without a label.
    open_line: int | None = None
    for line, cells in sorted(rows, key=lambda row: as_number(row[1]["number"])):
        label_text = cells[column].lower()
        if not label_text:
            open_line = open_line or line
        elif label_text not in LABELS:
            problems.append(f"line {line}: {column} is {label_text[:20]!r}: write yes, no or ?")
        elif open_line is not None:
            problems.append(
                f"line {open_line}: {column} is empty, but line {line}, which has a higher number, "
                "is filled in: label in the order of number, and write ? for what cannot be told"
            )
            break
        elif LABELS[label_text] is None:
            unclear.add(cells["call"])
        else:
            genuine[cells["call"]] = LABELS[label_text] is True
    questions = {cells["written_for"] for _line, cells in rows}
    if len(questions) > 1:
        problems.append("the column written_for has several values: do not join review files")
    raise_problems(name, problems, so="nothing was read")
    question = questions.pop()
    return Labels(
        file=Path(name).name,
        question=question.removesuffix(_CHOSEN),
        agreements_are_random=not question.endswith(_CHOSEN),
        listed=frozenset(cells["call"] for _line, cells in rows),
        genuine=genuine,
        unclear=frozenset(unclear),
    )


def as_number(text: str) -> int:
    """Return the number of a row; rows with another text in its column come last."""
    return int(text) if text.isdigit() else 1 << 60
