"""What a test may do to a mock world, as a Python object."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ._keys import Key, KeyKind
from ._ledger import FIRST_OWNER, Charge, amount
from ._rates import Rates
from ._reviews import check_review
from ._sessions import Session
from .claims import Claim
from .faults import Fault
from .journal import Entry
from .outcomes import UNSET, Likeness, Unset
from .vendors import explain
from .world import World

if TYPE_CHECKING:
    from .deciding._outcomes import Operation, SetOutcome


class Control:
    """The verbs of one vendor's world; the control API has the same over HTTP. Safe across threads.

    Faults, time, journal and `reset` are those of all vendors of the server; everything else is
    this vendor's. What only some vendors have is an attribute, too, and `extensions` names those of
    this one: `console`, `webhooks`, `faces`, `mailbox` and `payments` of Didit, `tokens` and
    `answers` of Deepvue. What this vendor has not got is an AttributeError.

    Args:
        world: The world.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    # What only some vendors have

    @property
    def extensions(self) -> tuple[str, ...]:
        """What this vendor has and not every one, by attribute: ``webhooks`` of Didit, say."""
        return tuple(self._world.kind.extensions)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.extensions:
            has = ", ".join(self.extensions) or "nothing beyond what every one has"
            raise AttributeError(f"the mock of {self._world.vendor} has no {name}; it has {has}")
        made = self._world.kind.extensions[name].make(self._world)
        return self.__dict__.setdefault(name, made)

    # Outcomes

    def set_outcome(
        self,
        kind: Operation,
        *,
        score: float | Unset | None = UNSET,
        review: bool | None = None,
        faces: int | None = None,
        attack: bool | None = None,
        quality: float | None = None,
        luminance: float | None = None,
        blocklist: Likeness | None = None,
        duplicate: Likeness | None = None,
        age: float | Unset | None = UNSET,
        times: int | None = 1,
        digest: str | None = None,
        picture: bytes | None = None,
    ) -> SetOutcome:
        """Set what the next calls find. What is left out is decided as it would be else.

        Args:
            kind: ``match`` or ``liveness``.
            score: 0-100, not rounded. None: no pair of faces could be scored (match), or the model
                gave no confidence (liveness).
            review: Whether a person is to look; True only where the edition can say so.
            faces: Of a liveness check only: how many there are, 0-10.
            attack: Of a liveness check only: whether an attack is recognised.
            quality, luminance: Of a liveness check only: 0-100.
            blocklist, duplicate: Of a liveness check only: whether the vendor knows the face from
                its blocklist or from another session, ``certain`` or ``possible``.
            age: Of a liveness check only, for an age estimation: of the largest face, 0-120 years;
                None: it cannot be told.
            times: For how many calls, from 1 on; None for all.
            digest: Only calls with a picture of this SHA-256 (64 hexadecimal digits).
            picture: Instead: only calls with this picture, as it is or as the library sends it,
                without its metadata.

        Returns:
            The outcome as it waits.

        Raises:
            ValueError: a value of another type or range, values that do not go together, a review
                in an edition without one, or the world's decider takes no outcomes.
        """
        set_outcome = getattr(self._world.decider, "set_outcome", None)
        if set_outcome is None:
            raise ValueError("the decider of this world takes no outcomes")
        if review is True:
            check_review(self._world, kind)
        outcome: SetOutcome = set_outcome(
            kind,
            score=score,
            review=review,
            faces=faces,
            attack=attack,
            quality=quality,
            luminance=luminance,
            blocklist=blocklist,
            duplicate=duplicate,
            age=age,
            times=times,
            digest=digest,
            picture=picture,
        )
        return outcome

    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that still wait."""
        return tuple(getattr(self._world.decider, "outcomes", ()))

    def clear_outcomes(self) -> None:
        """Drop all outcomes."""
        clear = getattr(self._world.decider, "clear", None)
        if clear is not None:
            clear()

    # Faults

    def add_fault(self, fault: Fault) -> None:
        """Add a fault after the others."""
        self._world.faults.add(fault)

    def faults(self) -> tuple[Fault, ...]:
        """The faults that still wait."""
        return self._world.faults.rules

    def clear_faults(self) -> None:
        """Drop all faults."""
        self._world.faults.clear()

    # Time

    def now(self) -> dt.datetime:
        """The time of the world, UTC."""
        return self._world.clock.now()

    def advance(self, seconds: float) -> dt.datetime:
        """Let that many seconds pass at once; ValueError unless from 0 on."""
        return self._world.clock.advance(seconds)

    # Money

    def owners(self) -> tuple[str, ...]:
        """Whose keys there are: ``mock`` of the two that a world begins with, then the UUID of
        each organization that was opened by a registration.
        """
        return self._world.owners

    def balance(self, *, owner: str = FIRST_OWNER) -> Decimal:
        """The credit that is left, in USD; LookupError if there is no such owner."""
        return self._world.ledgers.balance(self._world.known_owner(owner))

    def set_balance(self, balance: Decimal | int | str, *, owner: str = FIRST_OWNER) -> None:
        """Set the credit.

        Raises:
            LookupError: there is no such owner.
            ValueError: no amount from 0 on with at most four places.
        """
        self._world.ledgers.set_balance(self._world.known_owner(owner), amount(balance))

    def charges(self, *, owner: str = FIRST_OWNER) -> tuple[Charge, ...]:
        """What was charged, in order; LookupError if there is no such owner."""
        return self._world.ledgers.of(self._world.known_owner(owner)).entries

    # Keys and limits

    def add_key(
        self,
        kind: KeyKind | str = KeyKind.LIVE,
        *,
        key: str | None = None,
        allowed: bool = True,
        expires: dt.date | None = None,
        client: str | None = None,
    ) -> str:
        """Let a key in, and give its text.

        Args:
            kind: Live or sandbox.
            key: Its text; None for a new one.
            allowed: Whether it has the right to the call.
            expires: Its last day, UTC; None for never.
            client: The client id that belongs to it, of a vendor that has such (Deepvue, where the
                key is the client secret); None for that of the first key.

        Raises:
            ValueError: another kind, a text that cannot be a key, or a client id for a vendor that
                has none.
        """
        text = secrets.token_urlsafe(24) if key is None else key
        first = next(iter(self._world.kind.first_keys.values())).client
        if client is not None and not (first and client.isprintable() and client.strip()):
            raise ValueError("client is a text, of a vendor whose keys have a client id")
        made = Key(kind=KeyKind(kind), allowed=allowed, expires=expires, client=client or first)
        self._world.keys.add(text, made)
        return text

    def revoke_key(self, key: str) -> None:
        """Take a key back; LookupError if there is none."""
        self._world.keys.revoke(key)

    def keys(self) -> tuple[Key, ...]:
        """The keys without their texts."""
        return self._world.keys.all()

    def limits(self) -> dict[str, int | None]:
        """Requests in a window by scope; None for no limit."""
        return self._world.rates.limits

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a limit at once; ValueError for an unknown scope or a wrong number."""
        self.set_limits({scope: limit})

    def set_limits(self, limits: Mapping[str, int | None]) -> None:
        """Change several limits, all of them or, with the ValueError of `set_limit`, none."""
        trial = Rates(self._world.rates.limits)
        for rates in (trial, self._world.rates):
            for scope, limit in limits.items():
                rates.set_limit(scope, limit)

    # The world

    def vendors(self) -> tuple[str, ...]:
        """The vendors of this server, the first one first."""
        return tuple(world.vendor for world in self._world.ground.worlds)

    def behaviours(self) -> dict[str, Any]:
        """Vendor, edition, what was switched, and all that may be; changed by `reset` only."""
        world, kind = self._world, self._world.kind
        return {
            "vendor": world.vendor,
            "edition": world.edition,
            "editions": list(kind.editions),
            "switches": dict(world.switches),
            "chosen": dict(kind.choose(world.edition, world.switches)[0]),
            "known": {**kind.switches, **{n: what for n, (_, what) in kind.settings.items()}},
        }

    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again: no session, no charge, no fault, no outcome, an empty journal.

        All vendors of the server begin again; the clock goes on, because time does not go back.

        Args:
            edition, switches: Others for this vendor; None for the same.

        Raises:
            ValueError: as for `MockServer`; then nothing was changed.
        """
        self._world.reset(edition=edition, switches=switches)

    def journal(self) -> tuple[Entry, ...]:
        """What was asked and answered, the oldest first."""
        return self._world.journal.entries

    def clear_journal(self) -> None:
        """Forget what was asked."""
        self._world.journal.clear()

    def sessions(self) -> tuple[Session, ...]:
        """The saved calls, in order."""
        return self._world.sessions.all()

    def claims(self) -> tuple[Claim, ...]:
        """The claims in force."""
        return self._world.behaviours.claims

    def explain(self, claim_id: str) -> str:
        """One claim in a few lines; LookupError if there is none of that id."""
        return explain(claim_id)
