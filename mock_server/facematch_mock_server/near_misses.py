"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

import attrs

from .account import World
from .faults import Fault, Stage
from .journal import Entry, presentable
from .recognition.cards import Card
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


@attrs.frozen
class _Call:
    entry: Entry
    operation: str | None
    is_route: bool
    cards: tuple[Card, ...]


def near_misses(world: World, rules: Collection[SetOutcome | Fault]) -> Iterator[NearMiss]:
    """What came closest to each of these, by the journal."""
    entries = islice(reversed(world.account.journal.entries), _CALLS if rules else 0)
    calls = [_read_call(world, entry) for entry in entries]
    for rule in rules:
        if isinstance(rule, Fault) and rule.stage is Stage.CONNECT:
            yield NearMiss(rule=rule, call=None, says="no new connection")
            continue
        # Of calls that are equally close the first one counts, which is the newest.
        missed = [[*_missed_by(call, rule, world)] for call in calls]
        if not missed:
            yield NearMiss(rule=rule, call=None, says="no call")
            continue
        index = min(range(len(calls)), key=lambda index: len(missed[index]))
        entry, names = calls[index].entry, [name for name, _ in missed[index]]
        words = ", ".join(words for _, words in missed[index] if words)
        if not names:
            words = "which came before it, or ended before its turn"
        yield NearMiss(
            rule=rule,
            call=entry,
            missed=tuple(dict.fromkeys(names)),
            says=f"a {entry.method} {entry.path} {words}".rstrip(),
        )


def _read_call(world: World, entry: Entry) -> _Call:
    vendor = None if entry.vendor is None else world.account.world(entry.vendor).behaviour
    route = None if vendor is None else vendor.route_of(entry.path)[0]
    cards = (world.recognizer.card_of(file.digest) for file in entry.files if file.digest)
    operation = None if route is None else route.operation
    return _Call(entry, operation, route is not None, tuple(filter(None, cards)))


def _missed_by(call: _Call, rule: SetOutcome | Fault, world: World) -> Iterator[tuple[str, str]]:
    """The conditions that a call does not meet, each with what it has instead."""
    entry = call.entry
    people = ", ".join(dict.fromkeys(card.person for card in call.cards))
    shows = f"with cards of {people}" if people else "without a test card"
    if isinstance(rule, SetOutcome):
        # Rekognition has one operation for both.
        is_named = rule.kind in world.kind.operations
        is_kind = call.operation == rule.kind if is_named else call.operation is not None
        if not is_kind or entry.vendor != world.vendor:
            yield "kind", ""
        if rule.digests and rule.digests.isdisjoint(file.digest or "" for file in entry.files):
            yield "digest", "with other pictures" if entry.files else "without a picture"
    else:
        if rule.method not in (None, entry.method):
            yield "method", ""
        if not (call.is_route if rule.path is None else entry.path.startswith(rule.path)):
            yield "path", ""
        if rule.call not in (None, call.operation):
            yield "call", ""
        if rule.is_pictured and not any(map(rule.is_of, call.cards)):
            yield "person" if rule.card is None else "card", shows
    # As the journal shows them.
    for name, text in presentable((rule.field or {}).items()).items():
        if entry.fields.get(name) != text:
            has = name in entry.fields
            yield "field", f"with {name}={entry.fields[name]}" if has else f"without {name}"
