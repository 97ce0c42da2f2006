"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

import attrs

from .account import World
from .faults import Fault
from .journal import Entry, presentable
from .recognition.outcomes import SetOutcome

#: How many of the newest calls are looked at.
_CALLS = 1000


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
    entries = [*islice(reversed(world.account.journal.entries), _CALLS if rules else 0)]
    for rule in rules:
        if not entries:
            yield NearMiss(rule=rule, call=None, says="no call")
            continue
        missed = [[*_missed_by(entry, rule, world)] for entry in entries]
        # Of those that are equally close the first one, which is the newest.
        index = min(range(len(entries)), key=lambda index: len(missed[index]))
        entry, names = entries[index], tuple(dict.fromkeys(name for name, _ in missed[index]))
        words = ", ".join(filter(None, (words for _, words in missed[index])))
        if not names:
            words = "which came before it, or ended before its turn"
        says = f"a {entry.method} {entry.path} {words}".rstrip()
        yield NearMiss(rule=rule, call=entry, missed=names, says=says)


def _missed_by(
    entry: Entry, rule: SetOutcome | Fault, world: World
) -> Iterator[tuple[str, str | None]]:
    """The conditions that a call does not meet, each with what the call has instead."""
    behaviour = world.account.world(entry.vendor).behaviour if entry.vendor else None
    route = behaviour.route_of(entry.path)[0] if behaviour else None
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
        cards = (world.recognizer.card_of(file.digest or "") for file in entry.files)
        people = [card for card in cards if card is not None] if rule.is_pictured else []
        if rule.is_pictured and not any(map(rule.is_of, people)):
            names = ", ".join(dict.fromkeys(card.person for card in people))
            shows = f"with cards of {names}" if names else "without a test card"
            yield "card" if rule.card else "person", shows
    # As the journal shows them.
    for name, text in presentable((rule.field or {}).items()).items():
        if entry.fields.get(name) != text:
            has = name in entry.fields
            yield "field", f"with {name}={entry.fields[name]}" if has else f"without {name}"
