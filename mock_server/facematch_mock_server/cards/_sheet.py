"""Twenty ready cards, and what each one gives."""

from __future__ import annotations

import csv
import functools
import io
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import attrs

from ._card import Card
from ._making import picture_of
from ._scoring import pair_score

#: The table beside the cards. The score is the one against p1, empty without an upright face.
TABLE = "sheet.csv"
_TITLES = (
    *("file", "person", "what it is", "score with p1"),
    *("didit face match with p1", "match risks", "didit liveness", "liveness risks"),
    *("deepvue match with p1", "deepvue is_live"),
)

_LOW = "LOW_FACE_MATCH_SIMILARITY"
_NO_PAIR = "NO_REFERENCE_IMAGE"
_NO_FACE = "NO_FACE_DETECTED"
_LOW_LIVENESS = "LOW_LIVENESS_SCORE"
_ATTACK = "LIVENESS_FACE_ATTACK"
_SEVERAL = "MULTIPLE_FACES_DETECTED"


def _tags(risks: Iterable[str]) -> frozenset[str]:
    return frozenset(risks)


@attrs.frozen
class Verdict:
    """What a vendor says of a card.

    Attributes:
        status: In the vendor's word.
        risks: The tags of its warnings, in any order.
    """

    status: str
    risks: frozenset[str] = attrs.field(default=frozenset(), converter=_tags)


@attrs.frozen(kw_only=True)
class SheetCard:
    """One card of the sheet.

    Attributes:
        name: Its file is called so, with ``.png``.
        says: What it is for, in a few words.
        card: Its facts.
        didit_match: Didit's answer to the card as `user_image` and ``p1`` as `ref_image`, at the
            default threshold and without `rotate_image`, in the edition 2026-07.
        didit_liveness: Didit's answer to the card in passive liveness, likewise.
        deepvue_match: Deepvue's `match` of the card and ``p1`` as JSON has it, or its message.
        deepvue_liveness: Deepvue's `is_live` of the card, likewise.
    """

    name: str
    says: str
    card: Card
    didit_match: Verdict
    didit_liveness: Verdict
    deepvue_match: Verdict
    deepvue_liveness: Verdict

    @property
    def data(self) -> bytes:
        """The bytes of its PNG, as the wheel brings it."""
        return resources.files(__package__).joinpath("sheet", f"{self.name}.png").read_bytes()

    @property
    def score(self) -> float | None:
        """Its score against ``p1``, 0-100; None if it has no upright face."""
        if not self.card.faces or self.card.turned:
            return None
        exact = self.card.score
        return pair_score(self.card.person, "p1") if exact is None else exact


_YES = Verdict("Approved")
_NO = Verdict("Declined", [_LOW])
_NOT_LIVE = Verdict("Declined", [_LOW_LIVENESS])
_ATTACKED = Verdict("Declined", [_ATTACK])
_TRUE, _FALSE, _FACELESS = Verdict("true"), Verdict("false"), Verdict("Face not detected")
_NOBODY = (Verdict("Declined", [_NO_PAIR]), Verdict("Declined", [_NO_FACE]))
_NOBODY_EITHER = (_FACELESS, _FACELESS)
#: What Deepvue says of two persons, and of one who is not live.
_OTHERS, _NOT_ALIVE = (_FALSE, _TRUE), (_TRUE, _FALSE)

_p1 = functools.partial(Card, person="p1")


def _row(
    name: str,
    says: str,
    card: Card,
    match: Verdict = _YES,
    liveness: Verdict = _YES,
    *,
    deepvue: tuple[Verdict, Verdict] = (_TRUE, _TRUE),
) -> SheetCard:
    return SheetCard(
        name=name,
        says=says,
        card=card,
        didit_match=match,
        didit_liveness=liveness,
        deepvue_match=deepvue[0],
        deepvue_liveness=deepvue[1],
    )


# The answers are written out, not worked out: they are what the mock is held to.
_CARDS = (
    _row("p1", "the first person", _p1()),
    _row("p1-again", "another picture of the first person", _p1(quality=70)),
    _row("p2", "somebody else", Card(person="p2"), _NO, deepvue=_OTHERS),
    _row("no-face", "nobody in it", _p1(faces=0), *_NOBODY, deepvue=_NOBODY_EITHER),
    _row("two-faces", "one more face", _p1(faces=2), _YES, Verdict("Approved", [_SEVERAL])),
    _row("child", "twelve years old", _p1(age=12)),
    _row(
        "turned-90",
        "lies turned by 90 degrees clockwise",
        _p1(turned=90),
        *_NOBODY,
        deepvue=_NOBODY_EITHER,
    ),
    _row("turned-180", "stands on its head", _p1(turned=180), *_NOBODY, deepvue=_NOBODY_EITHER),
    _row(
        "turned-270",
        "lies turned by 270 degrees clockwise",
        _p1(turned=270),
        *_NOBODY,
        deepvue=_NOBODY_EITHER,
    ),
    _row(
        "spoof",
        "an attack, with a low liveness score",
        _p1(attack=True, liveness=4),
        _YES,
        Verdict("Declined", [_LOW_LIVENESS, _ATTACK]),
        deepvue=_NOT_ALIVE,
    ),
    _row(
        "attack",
        "an attack, with a high liveness score",
        _p1(attack=True),
        _YES,
        _ATTACKED,
        deepvue=_NOT_ALIVE,
    ),
    _row("not-live", "a low liveness score", _p1(liveness=12), _YES, _NOT_LIVE, deepvue=_NOT_ALIVE),
    _row(
        "liveness-30",
        "a liveness score of 30",
        _p1(liveness=30),
        _YES,
        _NOT_LIVE,
        deepvue=_NOT_ALIVE,
    ),
    _row(
        "liveness-none",
        "a face without a score",
        _p1(liveness=None),
        _YES,
        _NOT_LIVE,
        deepvue=_NOT_ALIVE,
    ),
    _row("dark", "too dark", _p1(luminance=8)),
    _row("bright", "too bright", _p1(luminance=95)),
    _row("blurred", "of low quality", _p1(quality=10)),
    _row("review", "a person is to look, where a vendor can say so", _p1(review=True)),
    _row("score-30", "a match score of 30", _p1(score=30.0), _NO, deepvue=_OTHERS),
    _row("score-30-01", "a match score just above 30", _p1(score=30.01), deepvue=_OTHERS),
)


def card_sheet() -> dict[str, SheetCard]:
    """The twenty ready cards by name."""
    return {card.name: card for card in _CARDS}


def table() -> str:
    """What each card gives, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TITLES)
    for card in _CARDS:
        score = "" if card.score is None else f"{card.score:.2f}"
        verdicts = (card.didit_match, card.didit_liveness)
        told = [cell for v in verdicts for cell in (v.status, " ".join(sorted(v.risks)))]
        told += [card.deepvue_match.status, card.deepvue_liveness.status]
        writer.writerow([f"{card.name}.png", card.card.person, card.says, score, *told])
    return text.getvalue()


def write_sheet(folder: Path) -> None:
    """Draw the cards and write them and `TABLE` into a folder that is there.

    Files of the same names are replaced. The sheet in this package is written so.

    Raises:
        OSError: a file cannot be written.
    """
    for card in _CARDS:
        (folder / f"{card.name}.png").write_bytes(picture_of(card.card))
    (folder / TABLE).write_text(table(), encoding="utf-8")


def sheet_files() -> tuple[str, ...]:
    """The names of the files that `write_sheet` writes."""
    return (*(f"{card.name}.png" for card in _CARDS), TABLE)
