"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

import attrs

from .account import World
from .faults import Fault
from .journal import Entry, presentable
from .recognition.outcomes import SetOutcome

#: How many of the newest calls are looked at.
_CALLS = 500


@attrs.frozen(kw_only=True)
class NearMiss:
    """An outcome or a fault that no call has used, and the call that came closest.

    Attributes:
        rule: The outcome or the fault.
        call: The call that met most of its conditions, the newest of these; None for no call.
        missed: The conditions that it did not meet: of ``kind method path call card person digest
            field``. None is missed by a call that came before the rule, or ended before its turn.
        says: The same in words: ``a POST /v3/face-match/ with vendor_data=case-8``.
    """

    rule: SetOutcome | Fault
    call: Entry | None
    missed: tuple[str, ...] = ()
    says: str


def near_misses(world: World, rules: Collection[SetOutcome | Fault]) -> Iterator[NearMiss]:
    """What came closest to each of these, by the journal."""
    entries = islice(reversed(world.account.journal.entries), _CALLS if rules else 0)
    calls = [(entry, _find_route(world, entry)) for entry in entries]
    for rule in rules:
        if not calls:
            yield NearMiss(rule=rule, call=None, says="no call")
            continue
        # As the journal shows them.
        fields = presentable((rule.field or {}).items()).items()
        missed = [
            [*_missed_by(entry, route, rule, world), *_missed_fields(entry, fields)]
            for entry, route in calls
        ]
        # Of those that are equally close the first one, which is the newest.
        index = min(range(len(calls)), key=lambda index: len(missed[index]))
        entry, names = calls[index][0], tuple(dict.fromkeys(name for name, _ in missed[index]))
        words = ", ".join(filter(None, (words for _, words in missed[index])))
        if not names:
            words = "which came before it, or ended before its turn"
        says = f"a {entry.method} {entry.path} {words}".rstrip()
        yield NearMiss(rule=rule, call=entry, missed=names, says=says)


def _find_route(world: World, entry: Entry) -> Any:
    """The route of a call; None for one that is no vendor's."""
    behaviour = world.account.world(entry.vendor).behaviour if entry.vendor else None
    return behaviour.route_of(entry.path)[0] if behaviour else None


def _missed_by(
    entry: Entry, route: Any, rule: SetOutcome | Fault, world: World
) -> Iterator[tuple[str, str | None]]:
    """The conditions that a call does not meet, each with what the call has instead."""
    operation = route.operation if route else None
    if isinstance(rule, SetOutcome):
        # Rekognition has one operation for both kinds.
        has_kind = rule.kind in world.kind.operations
        is_kind = operation == rule.kind if has_kind else operation is not None
        if not is_kind or entry.vendor != world.vendor:
            yield "kind", None
        if rule.digests and rule.digests.isdisjoint(file.digest or "" for file in entry.files):
            yield "digest", "with other pictures"
    else:
        if rule.method not in (None, entry.method):
            yield "method", None
        if not (route if rule.path is None else entry.path.startswith(rule.path)):
            yield "path", None
        if rule.call not in (None, operation):
            yield "call", None
        if rule.is_pictured:
            cards = [world.recognizer.card_of(file.digest or "") for file in entry.files]
            names = dict.fromkeys(card.person for card in cards if card is not None)
            if not any(card is not None and rule.is_of(card) for card in cards):
                shows = f"with cards of {', '.join(names)}" if names else "without a test card"
                yield "card" if rule.card else "person", shows


def _missed_fields(
    entry: Entry, fields: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str | None]]:
    for name, text in fields:
        if entry.fields.get(name) != text:
            has = name in entry.fields
            yield "field", f"with {name}={entry.fields[name]}" if has else f"without {name}"
