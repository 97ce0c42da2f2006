"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
    behaviours = {vendor.vendor: vendor.behaviour for vendor in world.account.worlds}
    calls = [
        (entry, behaviours[entry.vendor].route_of(entry.path)[0] if entry.vendor else None)
        for entry in islice(reversed(world.account.journal.entries), _CALLS if rules else 0)
    ]
    for rule in rules:
        if not calls:
            yield NearMiss(rule=rule, call=None, says="no call")
            continue
        misses = ((call[0], [*_find_missed(*call, rule, world)]) for call in calls)
        # Of those that are equally close the first one, which is the newest.
        entry, missed = min(misses, key=lambda miss: len(miss[1]))
        words = ", ".join(words for _, words in missed if words)
        if not missed:
            words = "which came before it, or ended before its turn"
        names = tuple(dict.fromkeys(name for name, _ in missed))
        says = f"a {entry.method} {entry.path} {words}".rstrip()
        yield NearMiss(rule=rule, call=entry, missed=names, says=says)


def _find_missed(
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
        is_there = route if rule.path is None else entry.path.startswith(rule.path)
        conditions = {
            "method": rule.method in (None, entry.method),
            "path": is_there,
            "call": rule.call in (None, operation),
        }
        yield from ((name, None) for name, is_met in conditions.items() if not is_met)
        if rule.is_pictured:
            cards = [world.recognizer.card_of(file.digest or "") for file in entry.files]
            names = dict.fromkeys(card.person for card in cards if card is not None)
            if not any(card is not None and rule.is_of(card) for card in cards):
                shows = f"with cards of {', '.join(names)}" if names else "without a test card"
                yield "card" if rule.card else "person", shows
    # As the journal shows them.
    for name, text in presentable((rule.field or {}).items()).items():
        if entry.fields.get(name) != text:
            has = name in entry.fields
            yield "field", f"with {name}={entry.fields[name]}" if has else f"without {name}"
