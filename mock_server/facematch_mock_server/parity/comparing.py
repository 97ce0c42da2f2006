"""Compare the exchanges of a recording with the answers of fresh mocks."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.vendors import vendor_named

from .aspects import STATUS, AspectDifference, compare_answers
from .exchanges import RecordedExchange
from .replay import Replay, ReplayedAnswer

#: What the pictures of a call may show: the card of the first one, and of the others; None if each
#: of the others shows a person of its own, whom no search finds. The likeliest comes first.
_GUESSES: tuple[tuple[str, str | None], ...] = (
    ("p1", "p1-again"),
    ("p1", "p2"),
    ("p1", None),
    ("no-face", "p1"),
    ("p1", "no-face"),
    ("spoof", "p1"),
    ("p1", "spoof"),
    ("two-faces", "p1"),
    ("p1", "two-faces"),
)
_SHOWN = {
    "p1": "a person",
    "p1-again": "the same person",
    "p2": "another person",
    "no-face": "no face",
    "spoof": "an attack",
    "two-faces": "two faces",
}
#: The cards of one person each; other cards show something else, whoever it is.
_PERSONS = {"p1": "p1", "p1-again": "p1", "p2": "p2"}
#: Forms of keys. Some vendors refuse a key that is no UUID before they look for it.
_KEY_FORMS = ("00000000-0000-4000-8000-0a{:010d}", "a-key-that-is-no-uuid-{}")


@attrs.frozen(kw_only=True)
class ComparedExchange:
    """A recorded exchange, and what the mock makes of it.

    Attributes:
        exchange: The exchange.
        result: ``alike``, ``different`` or ``not imitated``.
        as_if: What the pictures have to show for this result: ``r1 shows a person, or 2 other
            cases`` that fit as well; "" if that does not matter, or is known. It says so if other
            calls with these pictures contradict it.
        differences: The differences from the mock; none if the mock does not imitate the call.
        claims: The claims about the vendor that the mock's answer cites, in all of these cases.
        claims_about_faces: Those of them that it cites only because of what the pictures may show.
        mock_body: The JSON body of the mock's answer; None without one.
    """

    exchange: RecordedExchange
    result: str
    as_if: str
    differences: Sequence[AspectDifference]
    claims: frozenset[str]
    claims_about_faces: frozenset[str]
    mock_body: Any = None


@attrs.frozen
class _Attempt:
    """The mock's answer to an exchange whose pictures were these cards."""

    cards: Mapping[str, str]
    answer: ReplayedAnswer

    @property
    def distance(self) -> tuple[bool, int]:
        """How far it is from the vendor's answer: of a wrong status, nothing else is known."""
        aspects = [difference.aspect for difference in self.answer.differences]
        return STATUS in aspects, len(aspects)

    @property
    def facts(self) -> dict[tuple[str, ...], str]:
        """What each picture shows, and whether two pictures show one person, by their names."""
        facts: dict[tuple[str, ...], str] = {}
        persons = {}
        for name, card in self.cards.items():
            is_person = card in _PERSONS or card not in _SHOWN
            facts[(name,)] = "a person" if is_person else card
            if is_person:
                persons[name] = _PERSONS.get(card, card)
        for first, second in itertools.combinations(persons, 2):
            facts[first, second] = "one" if persons[first] == persons[second] else "two"
        return facts


class _Evidence:
    """What the pictures may show so that all calls with them are explained."""

    def __init__(self) -> None:
        #: The values that are left, by the fact: see `_Attempt.facts`.
        self._possible: dict[tuple[str, ...], set[str]] = {}

    def gather(self, explanations: Iterable[Sequence[_Attempt]]) -> None:
        """Leave what fits the explanations of all calls whose answers are alike.

        If two calls contradict each other, the one with fewer explanations counts.
        """
        explained = [ties for ties in explanations if not ties[0].answer.differences]
        explained.sort(key=len)
        has_changed = True
        while has_changed:
            has_changed = False
            for ties in explained:
                has_changed |= self._narrow(self.fitting(ties))

    def fitting(self, ties: Sequence[_Attempt]) -> list[_Attempt]:
        """Return the attempts whose cards fit the other calls; none if all contradict them."""
        return [attempt for attempt in ties if self._fits(attempt)]

    def _fits(self, attempt: _Attempt) -> bool:
        for fact, value in attempt.facts.items():
            if value not in self._possible.get(fact, {value}):
                return False
        return True

    def _narrow(self, ties: Sequence[_Attempt]) -> bool:
        """Leave only what one of these attempts says; return whether that is less than before."""
        facts_of_ties = [attempt.facts for attempt in ties]
        has_changed = False
        for fact in set().union(*facts_of_ties):
            # If a picture may show no person, whose it is may be anything.
            if all(fact in facts for facts in facts_of_ties):
                values = {facts[fact] for facts in facts_of_ties}
                has_changed |= values != self._possible.get(fact)
                self._possible[fact] = values
        return has_changed


def compare_exchanges(
    exchanges: Sequence[RecordedExchange],
    known_cards: Mapping[str, str],
    switches: Mapping[str, str],
) -> list[ComparedExchange]:
    """Compare all exchanges of a recording, in order.

    `known_cards` are the cards of the pictures of which it is known what they show; `switches` are
    those of the mock, beside those that follow from the recording.
    """
    vendors = sorted({exchange.vendor for exchange in exchanges})
    if "auth" not in switches:
        switches = {**_find_switches(vendors, exchanges), **switches}
    refusals, right_keys = _find_refusals(vendors, exchanges, switches)
    replays = [Replay(vendors, _KEY_FORMS[0], switches) for _ in _GUESSES]
    attempts_at = []
    for exchange in exchanges:
        attempts = []
        if exchange.number in refusals:
            attempts.append(_Attempt({}, refusals[exchange.number]))
        else:
            accepts_key = exchange.keys <= right_keys
            for replay, guess in zip(replays, _GUESSES, strict=True):
                cards = _guess_cards(exchange, guess, known_cards)
                answer = replay.ask(exchange, cards, accepts_key=accepts_key)
                attempts.append(_Attempt(cards, answer))
        attempts_at.append(attempts)
    evidence = _Evidence()
    evidence.gather([_nearest_of(attempts) for attempts in attempts_at])
    return [
        _conclude(exchange, attempts, known_cards, evidence)
        for exchange, attempts in zip(exchanges, attempts_at, strict=True)
    ]


def compare_recordings(
    before: Sequence[RecordedExchange], after: Sequence[RecordedExchange]
) -> list[ComparedExchange]:
    """Compare a later recording of the same calls with an earlier one, in the mock's place.

    A call belongs to the next one of the other recording with the same method and path. One that
    the other lacks is ``not imitated``.
    """
    calls: dict[str, list[RecordedExchange]] = {}
    for exchange in before:
        calls.setdefault(exchange.call, []).append(exchange)
    compared = []
    for exchange in after:
        earlier_calls = calls.get(exchange.call)
        result = "not imitated"
        differences: Sequence[AspectDifference] = ()
        if earlier_calls:
            differences = compare_answers(earlier_calls.pop(0).reply, exchange.reply)
            result = "different" if differences else "alike"
        compared.append(
            ComparedExchange(
                exchange=exchange,
                result=result,
                as_if="",
                differences=differences,
                claims=frozenset(),
                claims_about_faces=frozenset(),
            )
        )
    return compared


def _find_switches(vendors: Sequence[str], exchanges: Iterable[RecordedExchange]) -> dict[str, str]:
    """Return the switches that follow from the recording: a server that refused a token has one."""
    refusing = {exchange.vendor for exchange in exchanges if exchange.reply.status == 401}
    return {
        f"{vendor}.auth": "token"
        for vendor in vendors
        if vendor in refusing and "auth" in vendor_named(vendor).switches
    }


def _find_refusals(
    vendors: Sequence[str], exchanges: Iterable[RecordedExchange], switches: Mapping[str, str]
) -> tuple[dict[int, ReplayedAnswer], set[str]]:
    """Find the calls whose key or signature the vendor refused.

    A recording does not say whether a key was right. If the vendor answered a call with success,
    and a mock that does not know its key refuses it, then the key was right.

    Returns:
        The mock's refusals, by the numbers of their exchanges, and the keys that were right.
    """
    # Mocks that know none of the keys. Some vendors refuse a key by its form.
    strangers = [Replay(vendors, form, switches) for form in _KEY_FORMS]
    refusals = {}
    right_keys: set[str] = set()
    for exchange in exchanges:
        # Whatever the pictures show: the key is checked first.
        cards = _guess_cards(exchange, _GUESSES[0], {})
        answers = [stranger.ask(exchange, cards, accepts_key=False) for stranger in strangers]
        alike = [answer for answer in answers if not answer.differences]
        if alike:
            refusals[exchange.number] = alike[0]
        elif exchange.reply.status < 400:
            right_keys |= exchange.keys
    for exchange in exchanges:
        if not exchange.keys <= right_keys:
            continue
        refusals.pop(exchange.number, None)
        if vendor_named(exchange.vendor).sign_again:
            cards = _guess_cards(exchange, _GUESSES[0], {})
            answer = strangers[0].ask_with_wrong_signature(exchange, cards)
            if not answer.differences:
                refusals[exchange.number] = answer
    return refusals, right_keys


def _guess_cards(
    exchange: RecordedExchange, guess: tuple[str, str | None], known_cards: Mapping[str, str]
) -> dict[str, str]:
    first, others = guess
    cards = {}
    for picture in exchange.pictures:
        # A card with the name of a picture shows a person of that name.
        guessed = first if picture == exchange.first_picture else others or picture
        cards[picture] = known_cards.get(picture, guessed)
    return cards


def _nearest_of(attempts: Sequence[_Attempt]) -> list[_Attempt]:
    """Return the attempts whose answers differ least from the vendor's, all in the same way."""
    best = min(attempts, key=lambda attempt: attempt.distance)
    return [each for each in attempts if each.answer.differences == best.answer.differences]


def _conclude(
    exchange: RecordedExchange,
    attempts: Sequence[_Attempt],
    known_cards: Mapping[str, str],
    evidence: _Evidence,
) -> ComparedExchange:
    """Choose the answer nearest to the vendor's; equally near ones are told as such."""
    nearest = _nearest_of(attempts)
    ties = evidence.fitting(nearest) or nearest
    answer = ties[0].answer
    always_cited = answer.claims.intersection(*(attempt.answer.claims for attempt in attempts))
    claims = answer.claims.intersection(*(attempt.answer.claims for attempt in ties))
    as_if = ""
    if always_cited < answer.claims or len(nearest) < len(attempts):
        as_if = _describe_ties(ties, known_cards)
        if not evidence.fitting(nearest):
            as_if += ", which other calls contradict"
            claims = always_cited
    result = "alike"
    if answer.differences:
        result = "different" if answer.is_imitated else "not imitated"
    return ComparedExchange(
        exchange=exchange,
        result=result,
        as_if=as_if,
        differences=answer.differences if answer.is_imitated else (),
        claims=claims,
        claims_about_faces=claims - always_cited,
        mock_body=answer.body,
    )


def _describe_ties(ties: Sequence[_Attempt], known_cards: Collection[str]) -> str:
    """Return what the pictures show in the likeliest case, and the number of the other ones."""
    # A session is judged by the pictures of earlier calls.
    cases = {
        _describe_cards(attempt.cards, known_cards) or "an earlier picture shows what fits": None
        for attempt in ties
    }
    likeliest, *others = cases
    if not others:
        return likeliest
    return f"{likeliest}, or {len(others)} other {'case' if len(others) == 1 else 'cases'}"


def _describe_cards(cards: Mapping[str, str], known_cards: Collection[str]) -> str:
    """Return what the pictures show of which that is not known."""
    unknown = {name: card for name, card in cards.items() if name not in known_cards}
    return " and ".join(
        f"{name} shows {_SHOWN.get(card, 'another person')}" for name, card in unknown.items()
    )
