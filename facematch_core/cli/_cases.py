"""The pairs of the demonstration: what is true of them, and what came of comparing them."""

from __future__ import annotations

import enum
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from facematch_core._enums import Decision
from facematch_core._images import Image

from ._pairs import read_csv, refuse
from ._text import number
from ._verdicts import VERDICTS

if TYPE_CHECKING:
    from facematch_core._results import MatchResult
    from facematch_core._verifier import FaceVerifier

#: The photographs that come with every installation: public domain and CC0.
PACKAGED = Path(__file__).parent / "photographs"

MANIFEST = "pairs.csv"

COLUMNS = ("probe", "reference", "expected", "note")


class Expected(enum.StrEnum):
    """What is true of the people in a pair, and whether the engine is known to say otherwise."""

    SAME = "same"
    DIFFERENT = "different"
    NO_FACE = "no face"
    #: Different people whom the engine takes for one: shown, not hidden.
    LIMIT = "limit"


#: The true answer.
RIGHT = {
    Expected.SAME: Decision.MATCH,
    Expected.DIFFERENT: Decision.NO_MATCH,
    Expected.NO_FACE: Decision.INCONCLUSIVE,
    Expected.LIMIT: Decision.NO_MATCH,
}

TRUTHS = {
    Expected.SAME: "same",
    Expected.DIFFERENT: "different",
    Expected.NO_FACE: "no face",
    Expected.LIMIT: "different",
}

KNOWN_LIMIT = "WRONG (known limit)"


@attrs.frozen(kw_only=True)
class Case:
    """One pair of the demonstration, and what came of it.

    Attributes:
        probe, reference: The pictures.
        names: Their file names.
        expected: What is true of it.
        note: What it shows, for people.
        result: The comparison.
        elapsed_ms: What it took, in milliseconds.
    """

    probe: Image
    reference: Image
    names: tuple[str, str]
    expected: Expected
    note: str
    result: MatchResult
    elapsed_ms: float

    @property
    def as_expected(self) -> bool:
        """Whether the answer is the one that was written down, right or wrong."""
        if self.expected is Expected.LIMIT:
            return self.result.decision is Decision.MATCH
        return self.right

    @property
    def right(self) -> bool:
        """Whether the answer is true."""
        return self.result.decision is RIGHT[self.expected]

    @property
    def truth(self) -> str:
        """What is true of it, for people."""
        return TRUTHS[self.expected]

    @property
    def remark(self) -> str:
        """What to make of the answer."""
        if self.expected is Expected.LIMIT and self.as_expected:
            return KNOWN_LIMIT
        return "right" if self.right else "WRONG (unexpected)"

    @property
    def score(self) -> str:
        """The score for people."""
        return "-" if self.result.score is None else number(self.result.score.value)

    @property
    def word(self) -> str:
        """The decision for people."""
        return VERDICTS[self.result.decision.value].word


def compared(verifier: FaceVerifier, folder: Path) -> list[Case]:
    """Compare the pairs of a folder's manifest.

    Raises:
        InvalidRequest: the manifest; every faulty line is named.
        InvalidImage: a photograph.
    """
    path = folder / MANIFEST
    rows = read_csv(path, needed=COLUMNS, known=COLUMNS)
    refuse(
        path,
        (
            f"line {row.line}: expected must be one of {', '.join(Expected)}"
            for row in rows
            if row.cells["expected"] not in set(Expected)
        ),
    )
    pictures: dict[str, Image] = {}
    for row in rows:
        for name in (row.cells["probe"], row.cells["reference"]):
            pictures.setdefault(name, Image.read(folder / name))
    cases = []
    for index, row in enumerate(rows):
        names = (row.cells["probe"], row.cells["reference"])
        probe, reference = (pictures[name] for name in names)
        if index == 0:
            # Loads the models, so that no pair is timed with it.
            verifier.verify(probe, reference)
        started = time.perf_counter()
        result = verifier.verify(probe, reference)
        cases.append(
            Case(
                probe=probe,
                reference=reference,
                names=names,
                expected=Expected(row.cells["expected"]),
                note=row.cells["note"],
                result=result,
                elapsed_ms=1000 * (time.perf_counter() - started),
            )
        )
    return cases
