"""Where in a good answer the score and the verdict stand, and the answer with one value changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from facematch_core import FaceMatchError
from facematch_core.http import HttpBackend
from facematch_core.testing._bodies import Place, dropped, named, places, replaced

from ._outcome import Result
from ._replies import Recorded, read

#: What is put in the place of each value of a good answer, as JSON.
VALUES: Sequence[str] = ("null", "true", "false", "-1", "7", '"odd"', '""', "[]", "{}", '[["x"]]')


def number_of(told: Result) -> float | None:
    """The vendor's number in what was read, as far as it is told."""
    if told.score is None:
        return None
    return told.score.value if told.score.raw is None else told.score.raw


def with_text(backend: HttpBackend, good: Recorded, place: Place, text: str) -> Result | None:
    """What a good answer becomes with `text` at `place`; None for an error."""
    told = read(backend, good.call, good.with_body(replaced(good.document, place, text)))
    return None if isinstance(told, FaceMatchError) else told


def scores(backend: HttpBackend, good: Recorded) -> Iterator[tuple[Place, object]]:
    """Where in an answer the score stands, and as what."""
    number = number_of(good.result)
    for place, value in places(good.document):
        if number is None or not _spells(value, number):
            continue
        # Others may be equal by chance: the score is the one that the result follows.
        other = with_text(backend, good, place, repr(number / 2))
        if other is not None and number_of(other) != number:
            yield place, value


def _spells(value: object, number: float) -> bool:
    """Whether `value` is that number, written as one or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return False
    try:
        return float(value) == number
    except (ValueError, OverflowError):
        return False


def verdicts(backend: HttpBackend, good: Recorded) -> set[Place]:
    """Where the verdict stands: a yes whose opposite is another decision, or the vendor's word."""
    decision, word = good.result.decision, good.result.vendor_status
    found = set()
    for place, value in places(good.document):
        if isinstance(value, bool):
            other = with_text(backend, good, place, json.dumps(not value))
            if other is not None and other.decision is not decision:
                found.add(place)
        elif isinstance(value, str) and value == word:
            other = with_text(backend, good, place, '"another word"')
            # The same word may stand elsewhere by chance.
            if other is None or other.vendor_status != word:
                found.add(place)
    return found


@attrs.frozen(kw_only=True)
class Change:
    """A good answer with one value changed.

    Attributes:
        how: What was done where, for messages.
        was: The value that stood there.
        body: The whole, as JSON.
        decisive: Whether the verdict stood there.
        dropped: Whether the value is gone, key and all.
    """

    how: str
    was: object
    body: bytes
    decisive: bool
    dropped: bool = False


def changes(backend: HttpBackend, good: Recorded, bad: Recorded | None) -> Iterator[Change]:
    """Everything that may become of one value of a good answer.

    Args:
        backend: Who reads it.
        good: The answer.
        bad: One of the same call that is no pass, for the vendor's own no; None if there is none.
    """
    document, decisive = good.document, verdicts(backend, good)
    other = {} if bad is None else dict(places(bad.document))
    for place, value in places(document):
        of = {"was": value, "decisive": place in decisive}
        texts = [*VALUES, f"[{json.dumps(value)}]", f'{{"value": {json.dumps(value)}}}']
        if place in decisive and isinstance(value, str):
            texts += [json.dumps(f"not {value}"), json.dumps(f"{value} pending")]
            texts += [json.dumps(other[place])] if place in other else []
        for text in texts:
            # One of them may be what stands there anyway.
            if text != json.dumps(value):
                body = replaced(document, place, text)
                yield Change(how=f"{text[:60]} at {named(place)}", body=body, **of)
        gone = dropped(document, place)
        yield Change(how=f"without {named(place)}", body=gone, dropped=True, **of)


@attrs.frozen(kw_only=True)
class WarningList:
    """Where the vendor's warnings stand in an answer.

    Attributes:
        told: The answer.
        place: That of the list.
        items: What is in it.
        number: Which of them has the tag.
        tag: The vendor's tag of that one.
    """

    told: Recorded
    place: Place
    items: list[Any]
    number: int
    tag: str

    def again(self, number: int) -> tuple[str, Any]:
        """A further warning of the same form: its tag, and the item."""
        tag = f"{self.tag}_{number}"
        return tag, json.loads(json.dumps(self.items[self.number]).replace(self.tag, tag))

    @property
    def others(self) -> list[Any]:
        """Those without the tag."""
        tag = json.dumps(self.tag)
        return [item for item in self.items if tag not in json.dumps(item)]

    def with_items(self, items: list[Any]) -> bytes:
        """The answer with other warnings."""
        return replaced(self.told.document, self.place, json.dumps(items))

    def tags(self, backend: HttpBackend, items: list[Any]) -> list[str | None] | None:
        """The tags that are read of other warnings; None if that is an error."""
        told = read(backend, self.told.call, self.told.with_body(self.with_items(items)))
        if isinstance(told, FaceMatchError):
            return None
        return [warning.tag for warning in told.warnings]


def warning_list(backend: HttpBackend, told: Recorded, tag: str) -> WarningList | None:
    """The list that the warning with this tag stands in; None if it is in none."""
    for leaf, value in places(told.document):
        if value != tag:
            continue
        for depth, step in enumerate(leaf):
            if isinstance(step, str):
                continue
            items = told.document
            for outer in leaf[:depth]:
                items = items[outer]
            found = WarningList(told=told, place=leaf[:depth], items=items, number=step, tag=tag)
            # Lists are in lists: it is the one in which a further item is a further warning.
            another, item = found.again(0)
            if another in (found.tags(backend, [*items, item]) or ()):
                return found
    return None
