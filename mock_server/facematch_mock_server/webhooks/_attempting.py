"""One attempt to deliver, and what its answer means."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import attrs

from facematch_mock_server.claims import Told
from facematch_mock_server.world import World

from ._addresses import is_sent
from ._letters import compose, signed_with
from ._outbox import Outbox
from ._posting import Answer
from ._records import Attempt, Delivery, Destination, Letter, State
from ._tricks import Trick

#: Address, letter, seconds for everything.
Send = Callable[[str, Letter, float], Answer]


def attempt(
    world: World, outbox: Outbox, delivery: Delivery, send: Send, *, by_hand: bool = False
) -> None:
    """Try once, and keep what came of it. What `send` raises is handed on; then nothing is kept.

    Args:
        world: Whose behaviour decides.
        outbox: Where the delivery is.
        delivery: As it is there.
        send: Carries the letter.
        by_hand: Whether it is handed over within the process, wherever it would go else.
    """
    told, taken = world.behaviours.told(), delivery
    destination = outbox.destinations.find(delivery.destination)
    if destination is None or not (destination.enabled or told["webhook.disabled"]):
        _ended(world, outbox, delivery, State.DROPPED)
        return
    url = delivery.to or destination.url
    if not by_hand and not is_sent(url, world.deliver_to):
        _ended(world, outbox, delivery, State.HELD)
        return
    delivery, letter = _letter(told, world, outbox, delivery, destination)
    at, trick = world.clock.now(), outbox.tricks.next()
    if trick is Trick.DROP:
        answer = Answer()
        state, due = State.DROPPED, None
    else:
        letter = _tricked(told, letter, delivery, destination, trick)
        answer = send(url, letter, told["webhook.timeout_s"])
        state, due = _verdict(told, delivery, answer, at)
    tried = Attempt(
        at=at,
        status=answer.status,
        problem=answer.problem,
        elapsed_ms=answer.elapsed_ms,
        trick=trick,
        claims=told.claims,
    )
    with world.store.together():
        outbox.keep(delivery, letter)
        outbox.settle(
            taken,
            tried,
            lambda one: attrs.evolve(
                one,
                event_id=delivery.event_id,
                timestamp=delivery.timestamp,
                state=state,
                due=due,
                retries=one.retries + (due is not None),
            ),
        )


def _ended(world: World, outbox: Outbox, delivery: Delivery, state: State) -> None:
    with world.store.together():
        outbox.settle(delivery, None, lambda one: attrs.evolve(one, state=state, due=None))


def _letter(
    told: Told, world: World, outbox: Outbox, delivery: Delivery, destination: Destination
) -> tuple[Delivery, Letter]:
    kept, as_it_is = outbox.letter(delivery), delivery
    if not delivery.attempts:
        # One that waited for another process is sent now, and says so.
        if kept is None:
            delivery = attrs.evolve(delivery, timestamp=int(world.clock.now().timestamp()))
    elif delivery.retries:
        if told["webhook.event_id"] == "attempt" and delivery.event_id is not None:
            delivery = attrs.evolve(delivery, event_id=world.ids.uuid())
        if not told["webhook.retry.same"]:
            delivery = attrs.evolve(delivery, timestamp=int(world.clock.now().timestamp()))
    if kept is None or delivery is not as_it_is or _is_tricked(delivery):
        return delivery, compose(told, world, delivery, destination)
    return delivery, kept


def _is_tricked(delivery: Delivery) -> bool:
    return bool(delivery.attempts) and delivery.attempts[-1].trick is not None


def _tricked(
    told: Told, letter: Letter, delivery: Delivery, destination: Destination, trick: Trick | None
) -> Letter:
    if trick is Trick.SIGN_WRONG:
        return signed_with(told, letter, delivery, destination.secret + " (wrong)")
    if trick is Trick.CORRUPT:
        # A digit of an id, so that it is still JSON: only the signature tells.
        place = letter.body.rfind(delivery.session.id.encode())
        other = b"1" if letter.body[place : place + 1] != b"1" else b"2"
        body = letter.body[:place] + other + letter.body[place + 1 :]
        return attrs.evolve(letter, body=body)
    return letter


def _verdict(
    told: Told, delivery: Delivery, answer: Answer, at: dt.datetime
) -> tuple[State, dt.datetime | None]:
    first, end = told["webhook.delivered"]
    if answer.status is not None and first <= answer.status < end:
        return State.DELIVERED, None
    if not _is_retried(told, answer.status):
        return State.FAILED, None
    after: tuple[int, ...] = told["webhook.retry.after_s"]
    if delivery.retries >= len(after):
        return State.FAILED, None
    began = delivery.attempts[-delivery.retries].at if delivery.retries else at
    return State.PENDING, began + dt.timedelta(seconds=after[delivery.retries])


def _is_retried(told: Told, status: int | None) -> bool:
    if status is None:
        rule = "no_answer"
    elif status == 404:
        rule = "not_found"
    elif status >= 500:
        rule = "server_error"
    elif 300 <= status < 400:
        rule = "redirect"
    else:
        rule = "refused"
    return bool(told[f"webhook.retry.{rule}"])
