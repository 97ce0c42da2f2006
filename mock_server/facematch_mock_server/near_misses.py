"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

import attrs

from .account import World
from .faults import Fault
from .journal import Entry, presentable, shorten
from .recognition.outcomes import SetOutcome

#: How many of the newest calls are looked at.
_CALLS = 500
#: For so many rules: each is held beside all these calls.
_RULES = 100
#: A value that the journal does not show, by its type or length.
_KIND = re.compile(
    r"(?:text of )?(\d+) characters|(?:list|object) of \d+|a flag|a number|null|"
    r"str|int|float|bool|list|dict|NoneType"
)


@attrs.frozen(kw_only=True)
class NearMiss:
    """An outcome or a fault that no call has used, and the call that came closest.

    Attributes:
        rule: The outcome or the fault.
        call: The call that met most of its conditions, the newest of these; None for no call.
        missed: The conditions that it did not meet, as far as the journal shows: of ``kind key
            method path call card person digest field``. None is missed by a call that came before
            the rule, or ended before its turn.
        says: The same in words, and what cannot be seen: ``a POST /v3/face-match/ with
            vendor_data=case-8``.
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
    for number, rule in enumerate(rules):
        if not calls or number >= _RULES:
            says = f"only the first {_RULES} are looked for" if calls else "no call came"
            yield NearMiss(rule=rule, call=None, says=says)
            continue
        misses = ((call[0], [*_find_missed(*call, rule, world)]) for call in calls)
        # What was missed counts before what cannot be seen, which has no name; of those that are
        # equally close it is the first one, which is the newest.
        entry, missed = min(
            misses, key=lambda miss: (sum(name != "" for name, _ in miss[1]), len(miss[1]))
        )
        words = ", ".join(words for _, words in missed)
        names = tuple(dict.fromkeys(name for name, _ in missed if name))
        says = words or "which came before it, or ended before its turn"
        says = f"a {entry.method} {entry.path} {says}"
        yield NearMiss(rule=rule, call=entry, missed=names, says=says)


#: A condition that is not met, and what is there instead; without a name one that cannot be seen.
_Misses = Iterator[tuple[str, str]]


def _find_missed(entry: Entry, route: Any, rule: SetOutcome | Fault, world: World) -> _Misses:
    yield from _check_request(entry, route, rule, world)
    yield from _check_key(entry, route, rule, world)
    yield from _check_pictures(entry, rule, world)
    # Of a body that was not read, or in which the vendor looks for some names alone, the journal
    # does not say what was not there.
    is_read = route and (route.is_form or route.shown)
    is_read = is_read and (entry.files or (entry.fields and entry.key != "wrong"))
    for name, text in (rule.field or {}).items():
        shown = entry.fields.get(shorten(name))
        if shown is None and is_read:
            yield "field", f"without {shorten(name)}"
        elif shown is None or (is_same := _is_same(name, text, shown)) is None:
            yield "", f"whose {shorten(name)} cannot be seen"
        elif not is_same:
            yield "field", f"with {shorten(name)}={shown}"


def _check_request(entry: Entry, route: Any, rule: SetOutcome | Fault, world: World) -> _Misses:
    operation = route.operation if route else None
    if isinstance(rule, SetOutcome):
        # Rekognition has one operation for both kinds.
        has_kind = rule.kind in world.kind.operations
        is_kind = operation == rule.kind if has_kind else operation is not None
        if not is_kind or entry.vendor != world.vendor:
            yield "kind", f"which is no {rule.kind} of {world.vendor}"
        return
    if not (route if rule.path is None else entry.path.startswith(rule.path)):
        yield "path", f"not to {rule.path or 'a path of the vendor'}"
    if rule.method not in (None, entry.method):
        yield "method", f"which is no {rule.method}"
    if rule.call is not None:
        # Rekognition has one path for all, and the journal no X-Amz-Target.
        routes = world.account.world(entry.vendor).behaviour.routes if entry.vendor else ()
        operations = {each.operation for each in routes if each.pattern == entry.path} or {
            operation
        }
        if rule.call not in operations:
            yield "call", f"which is no {rule.call}"
        elif len(operations) > 1:
            yield "", f"of which it cannot be seen whether it is a {rule.call}"


def _check_key(entry: Entry, route: Any, rule: SetOutcome | Fault, world: World) -> _Misses:
    needs_key = route is not None and any("key" in name for name in route.credentials)
    if entry.key == "live" or (entry.key == "none" and not needs_key):
        return
    # Pictures are looked at for a live key alone.
    is_met = isinstance(rule, Fault) and not rule.is_pictured
    if isinstance(rule, Fault) and rule.path is None and entry.key != "sandbox":
        # Beside other accounts a fault strikes no call of a key that nobody knows.
        shared = world.account.shared
        is_met = is_met and len(shared.all) == 1 and not shared.closed
    if not is_met:
        yield "key", "without a key" if entry.key == "none" else f"with a {entry.key} key"


def _check_pictures(entry: Entry, rule: SetOutcome | Fault, world: World) -> _Misses:
    digests = [file.digest for file in entry.files if file.digest]
    if isinstance(rule, SetOutcome):
        if rule.digests and rule.digests.isdisjoint(digests):
            unknown = "", "whose pictures are not noted"
            yield ("digest", "with other pictures") if digests else unknown
        return
    facts = [world.recognizer.find_facts(digest) for digest in digests if rule.is_pictured]
    cards = [each.card for each in facts if each is not None and each.card is not None]
    if not rule.is_pictured or any(map(rule.is_of, cards)):
        return
    if not facts or None in facts:
        yield "", "whose pictures nobody looked at"
    else:
        people = ", ".join(dict.fromkeys(card.person for card in cards))
        shows = f"with cards of {people}" if cards else "without a test card"
        yield "card" if rule.card else "person", shows


def _is_same(name: str, text: str, shown: str) -> bool | None:
    """Whether a field that the journal shows so was sent as `text`; None if it cannot be seen."""
    kind = _KIND.fullmatch(shown)
    if kind is not None:
        return False if kind[1] and int(kind[1]) != len(text) else None
    (expected,) = presentable([(name, text)]).values()
    if "".join(shown.split()) != "".join(expected.split()):
        return False
    return True if text == expected == shown and "://" not in text else None
