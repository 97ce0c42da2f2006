"""The model: a mock in this process that is told what is in the pictures, and judges by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from facematch_mock_server._keys import LIVE_KEY, SANDBOX_KEY
from facematch_mock_server._messages import Response
from facematch_mock_server.claims import Claim
from facematch_mock_server.engine import CLAIMS_HEADER, Engine
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world import World

from ._observing import Observation, Sent, observed
from ._requests import STAND_IN_SIZES, WRONG_KEY, to_mock
from ._script import Forms, Outcome, Script, Shown
from ._talking import Answer, Asked, Talk, in_plain_words
from ._worlds import ModelWorld, Scripted, Watching


@attrs.frozen
class Turn:
    """One claim taken for false.

    Attributes:
        claim: Its id.
        instead: The id of the claim of another edition or switch that is taken for true in its
            place; None for what the claim itself calls its contrary.
    """

    claim: str
    instead: str | None = None


Turns = frozenset[Turn]
NONE: Turns = frozenset()


@attrs.frozen(kw_only=True)
class Heard:
    """What one step of the model was answered.

    Attributes:
        seen: What it looks like.
        claims: Those that it rests on.
        looked: Those, too, that were looked at and did not matter.
    """

    seen: Observation
    claims: tuple[str, ...]
    looked: frozenset[str]


@attrs.frozen(kw_only=True)
class Told:
    """What the target decides for the model in one chain. It can be a key of a mapping.

    Attributes:
        chain: Name of the chain.
        steps: Names of the steps that were asked, in order.
        outcomes: What was seen in the pictures, by name of the step.
        shared: The numbers that were sent.
    """

    chain: str
    steps: tuple[str, ...]
    outcomes: tuple[tuple[str, Outcome], ...]
    shared: tuple[tuple[str, str], ...]


class Model:
    """One edition of a vendor, asked chain by chain; each chain meets a world of its own.

    Args:
        script: What is asked.
        edition: Of the vendor's documents.
        ref: As for `Talk`.
        sandbox: Whether it is asked with a sandbox key.
    """

    def __init__(
        self,
        script: Script,
        edition: str,
        *,
        ref: str,
        sandbox: bool = False,
    ) -> None:
        self.script, self.edition = script, edition
        self._ref = ref
        self._keys = {Shown.OWN: SANDBOX_KEY if sandbox else LIVE_KEY, Shown.WRONG: WRONG_KEY}
        self._kind = vendor_named(script.vendor)
        self._chosen, self._settings = self._kind.choose(edition, {})
        self._tables: dict[Turns, Watching] = {}
        #: Ids of the claims that are about the vendor and play a part in this edition.
        self.in_force = frozenset(claim.id for claim in self.claims)
        self._deciding = {claim.key: claim.id for claim in reversed(self._kind.claims)}
        self._deciding |= {claim.key: claim.id for claim in self.claims}
        self._by_id = {claim.id: claim for claim in self._kind.claims}
        self._chains = {chain.name: chain for chain in script.chains}
        self._seen: dict[Any, Observation] = {}
        self._told: dict[tuple[Told, Turns], Told] = {}
        self._heard: dict[tuple[Told, Turns], tuple[Heard, ...]] = {}

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Those in force that are about the vendor."""
        every = self._behaviours(NONE).claims
        return tuple(claim for claim in every if claim.vendor == self.script.vendor)

    def claim(self, claim_id: str) -> Claim:
        """The claim of that id, in force or not."""
        return self._by_id[claim_id]

    def turns_of(self, claim_id: str) -> tuple[Turn, ...]:
        """Every way in which a claim may be false."""
        claim = self._by_id[claim_id]
        rivals = (
            other
            for other in self._kind.claims
            if other.key == claim.key and other.value not in (claim.value, claim.turned)
        )
        return (Turn(claim_id), *(Turn(claim_id, rival.id) for rival in rivals))

    def rival_of(self, turn: Turn) -> Claim | None:
        """The claim that says what was taken for true instead; None if none does."""
        claim = self._by_id[turn.claim]
        if turn.instead is not None:
            return self._by_id[turn.instead]
        others = (o for o in self._kind.claims if o.key == claim.key and o.id != claim.id)
        return next((other for other in others if other.value == claim.turned), None)

    def price(self, operation: str) -> Any:
        """The list price of an operation."""
        return self._behaviours(NONE)[self.script.prices[operation]]

    def hear(self, told: Told, turns: Turns = NONE) -> tuple[Heard, ...]:
        """What the steps of a chain are answered, in order."""
        if (told, turns) not in self._heard:
            self._heard[told, turns] = tuple(self._asked(told, turns))
        return self._heard[told, turns]

    def told_by(self, told: Told, turns: Turns) -> Told:
        """What the answers of a chain would tell a model, were this one the target."""
        self.hear(told, turns)
        return self._told[told, turns]

    def _asked(self, told: Told, turns: Turns) -> Iterator[Heard]:
        decider = Scripted()
        self._behaviours(turns).looked.clear()
        engine = Engine(self.world(decider, turns))
        sizes, shared = STAND_IN_SIZES, dict(told.shared)
        talk = Talk(self.script, ref=self._ref, sizes=sizes, shared=shared, observe=self._observed)
        outcomes = dict(told.outcomes)
        steps = {step.name: step for step in self._chains[told.chain].steps}
        bodies = []
        for name in told.steps:
            decider.outcome = outcomes.get(name)
            asked = talk.ask(steps[name])
            if asked is None:
                raise LookupError(f"the step {name} has a placeholder without a value")
            response = self._response(engine, asked)
            answer = as_answer(response)
            seen = talk.hear(steps[name], asked, answer)
            bodies.append(in_plain_words(steps[name], asked, answer))
            yield Heard(seen=seen, claims=response.claims, looked=self._looked(turns))
        seen_there = tuple(self.script.seen(bodies).items())
        self._told[told, turns] = attrs.evolve(told, outcomes=seen_there)

    def _looked(self, turns: Turns) -> frozenset[str]:
        keys = self._behaviours(turns).looked
        ids = frozenset(self._deciding[key] for key in keys)
        keys.clear()
        return ids

    def _observed(
        self, status: int, headers: Mapping[str, str], body: bytes, sent: Sent, forms: Forms
    ) -> Observation:
        # Most answers of two plays are the same to the byte, because the ids are.
        key = (status, tuple(headers.items()), body, sent)
        if key not in self._seen:
            self._seen[key] = observed(status, headers, body, sent, forms)
        return self._seen[key]

    def _response(self, engine: Engine, asked: Asked) -> Response:
        request = to_mock(asked, self._keys.get(asked.key), self.script.key_header)
        try:
            return engine.handle(request)
        except Exception:  # noqa: BLE001 - a claim that nobody made breaks whatever rests on it
            return Response(status=500)

    def world(self, decider: Any, turns: Turns = NONE) -> World:
        """A world of this edition in which some claims are false."""
        return ModelWorld(self._kind, self.edition, self._behaviours(turns), decider)

    def _behaviours(self, turns: Turns) -> Watching:
        if turns not in self._tables:
            others = {
                self._by_id[turn.claim].key: self._by_id[turn.instead].value
                for turn in turns
                if turn.instead is not None
            }
            self._tables[turns] = Watching(
                self._kind.claims,
                self._chosen,
                settings={**self._settings, **others},
                turned=[turn.claim for turn in turns if turn.instead is None],
            )
        return self._tables[turns]


def as_answer(response: Response) -> Answer:
    """An answer of an engine, in the form of both sides."""
    headers = {name.lower(): value for name, value in response.headers if name != CLAIMS_HEADER}
    return Answer(status=response.status, headers=headers, body=response.body)
