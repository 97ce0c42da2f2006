"""The call that came closest to an outcome or a fault which no call has used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from facematch_mock_server.recognition.outcomes import SetOutcome

from .faults import Fault
from .journal import Entry

#: Rules of each kind that a call is held beside.
_RULES = 100


@attrs.frozen(kw_only=True)
class NearMiss:
    """An outcome or a fault that no call has used, and the call that came closest.

    Attributes:
        rule: The outcome or the fault.
        call: The call since then that met most of its conditions, the newest of these; None for no
            call.
        missed: The conditions that it did not meet: of ``kind key method path call card person
            digest field``. None is missed by a call that ended before its turn.
        says: The same in words: ``a POST /v3/face-match/ with vendor_data=case-8``.
    """

    rule: SetOutcome | Fault
    call: Entry | None = None
    missed: tuple[str, ...] = ()
    says: str = "no call came"


def note_misses(call: Any, operation: str | None, entry: Entry) -> None:
    """Hold a call of a vendor beside each rule that no call has used yet."""
    for queue in (call.world.recognizer.waiting, call.world.account.faults):
        for rule in queue.unused[:_RULES] if queue else ():
            # Fields last: their words are the longest.
            every = _find_missed(call, operation, rule)
            missed = sorted(every, key=lambda pair: pair[0] == "field")
            former, count = queue.nearest.get(id(rule)), len(missed)
            if former is None or count <= former[0]:
                words = ", ".join(words for _, words in missed) or "which ended before its turn"
                names = tuple(dict.fromkeys(name for name, _ in missed))
                says = f"a {entry.method} {entry.path} {words}"
                nearest = NearMiss(rule=rule, call=entry, missed=names, says=says)
                queue.nearest[id(rule)] = count, nearest


def _find_missed(
    call: Any, operation: str | None, rule: SetOutcome | Fault
) -> Iterator[tuple[str, str]]:
    needs_key = call.route is not None and any("key" in name for name in call.route.credentials)
    has_key = call.key_word == "live" or (call.key_word == "none" and not needs_key)
    digests = [file.digest for file in call.files if file.digest]
    missed: Iterable[tuple[str, str]]
    if isinstance(rule, SetOutcome):
        # Rekognition has one operation for both kinds.
        is_either = operation is not None and rule.kind not in call.world.kind.operations
        kind = rule.kind if is_either else operation
        missed = rule.list_missed(kind, digests if has_key else rule.digests, call.fields)
    else:
        is_call = call.route is not None
        missed = rule.list_missed(call.request, operation, is_call=is_call, fields=call.fields)
        cards = [*filter(None, map(call.world.recognizer.card_of, digests))]
        if has_key and rule.is_pictured and not any(map(rule.is_of, cards)):
            people = ", ".join(dict.fromkeys(card.person for card in cards))
            shows = f"with cards of {people}" if cards else "in which no test card was seen"
            missed = (*missed, ("card" if rule.card else "person", shows))
        # Pictures are looked at for a live key alone; beside other accounts a fault strikes no call
        # of a key that nobody knows.
        is_stranger = call.world.account.shared.is_stranger(call.world.kind, call.request)
        has_key = has_key or not (rule.is_pictured or (rule.path is None and is_stranger))
    yield from missed
    if not has_key:
        yield "key", "without a key" if call.key_word == "none" else f"with a {call.key_word} key"
