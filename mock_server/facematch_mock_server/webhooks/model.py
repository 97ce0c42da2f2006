"""What is remembered of webhooks: destinations, deliveries, attempts; and which addresses count."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import attrs

from facematch_mock_server.account import World
from facematch_mock_server.claims import Citations
from facematch_mock_server.messages import is_loopback
from facematch_mock_server.services import Session


@attrs.frozen(kw_only=True)
class Destination:
    """Where the webhooks of one application go.

    Attributes:
        uuid: Its id.
        url: The address. Not in `repr`: a password or a token may be in it.
        events: What is sent there, in the vendor's words.
        enabled: Whether anything is.
        secret: What its webhooks are signed with. Not in `repr`.
    """

    uuid: str
    url: str = attrs.field(repr=False)
    events: tuple[str, ...]
    enabled: bool = True
    secret: str = attrs.field(repr=False)


class State(enum.StrEnum):
    """Where a delivery stands."""

    #: It waits for its first attempt, or for the next one.
    PENDING = "pending"
    #: Answered 2xx.
    DELIVERED = "delivered"
    #: Answered otherwise or not at all, and not tried again.
    FAILED = "failed"
    #: Lost on the way, because a test wants that or its destination is gone or disabled.
    DROPPED = "dropped"


class DeliveryFault(enum.StrEnum):
    """What a test does to one delivery on its way."""

    #: One byte of the body is another one than was signed.
    CORRUPT = "corrupt"
    #: It is signed with another secret.
    SIGN_WRONG = "sign-wrong"
    #: It gets lost, and nobody notices.
    DROP = "drop"


@attrs.frozen(kw_only=True)
class Attempt:
    """One try to deliver.

    Attributes:
        at: UTC, by the clock of the world.
        status: Of the answer; None if there was none.
        problem: Why there was none, in a word or two; None if there was one.
        elapsed_ms: Real time until the answer.
        fault: What a test did to it; None for nothing.
        claims: Ids of the claims that its outcome rests on.
    """

    at: dt.datetime
    status: int | None = None
    problem: str | None = None
    elapsed_ms: int = 0
    fault: str | None = None
    claims: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Delivery:
    """One event on its way to one destination; of the body only what it is made from.

    Attributes:
        id: Ours; the vendor's is `event_id`.
        destination: Id of the destination.
        event: The vendor's word.
        event_id: None for those that are asked for in the console.
        session: As it was when this happened.
        origin: Scheme and host that addresses of pictures begin with.
        is_test: Whether it was asked for in the console.
        created_at: When it happened, UTC.
        timestamp: When it was sent, or would have been: seconds since 1970.
        state: Where it stands.
        due: When the next attempt is made, UTC; None if there is none.
        round: How often it was begun again. What comes of an attempt counts for its own round.
        retries: How many attempts of the present round repeated an earlier one.
        attempts: The newest 100, in order.
    """

    id: str
    destination: str
    event: str
    event_id: str | None
    session: Session = attrs.field(repr=False)
    origin: str
    is_test: bool = False
    created_at: dt.datetime
    timestamp: int
    state: State = attrs.field(default=State.PENDING, converter=State)
    due: dt.datetime | None = None
    round: int = 0
    retries: int = 0
    attempts: tuple[Attempt, ...] = ()

    def is_as(self, taken: Delivery) -> bool:
        """Whether nobody began it again, or ended it, since `taken` was read."""
        mine = (self.round, self.retries, self.state)
        return mine == (taken.round, taken.retries, taken.state)


@attrs.frozen(kw_only=True)
class SignedPayload:
    """A delivery as it is sent.

    Attributes:
        headers: Names and values, in order, without those of the connection.
        body: The bytes.
        claims: Ids of the claims that it rests on.
    """

    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    claims: tuple[str, ...] = ()


class Writer(Protocol):
    """What a vendor sends, and how it signs."""

    def compose(
        self, claims: Citations, world: World, delivery: Delivery, destination: Destination
    ) -> SignedPayload:
        """The payload of a delivery."""
        ...

    def signed_with(
        self, claims: Citations, payload: SignedPayload, delivery: Delivery, secret: str
    ) -> SignedPayload:
        """The same payload, signed with another secret."""
        ...


# Addresses


def parsed(url: str) -> SplitResult | None:
    """The parts of an address with a host, ``http`` or ``https``; None for everything else."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return None
    return parts


def is_sent(url: str, named: Collection[str]) -> bool:
    """Whether anything is sent to this address.

    Args:
        url: The address.
        named: Hosts beyond the loopback that somebody has named.
    """
    parts = parsed(url)
    host = "" if parts is None else parts.hostname or ""
    return is_loopback(host) or host.lower() in named
