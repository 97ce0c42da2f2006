"""Try a webhook receiver with forged and genuine deliveries, and judge what it accepts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from facematch_mock_server.base.json_forms import JsonForm

from .accounts import World
from .sessions import Session
from .webhooks import (
    Destination,
    SignedPayload,
    WebhookDelivery,
    WebhookRules,
    corrupt,
    new_delivery,
    post,
)

#: The secret of a forger. Real secrets are random, so it is none of them.
_FORGERS_SECRET = "a-secret-that-the-receiver-does-not-have"  # noqa: S105 - no real secret
#: The name of the delivery without a signature.
UNSIGNED = "unsigned"


@attrs.frozen(kw_only=True)
class TrialDelivery:
    """A delivery to try a receiver with.

    Attributes:
        name: What is special about it, such as ``unsigned``.
        is_forged: Whether the receiver must reject it.
        form: The form of the body.
        payload: The headers and the body.
    """

    name: str
    is_forged: bool
    form: JsonForm = JsonForm.UNUSUAL
    payload: SignedPayload = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class TrialAnswer:
    """A receiver's answer to a `TrialDelivery`.

    Attributes:
        name, is_forged: As in the delivery.
        status: The HTTP status of the answer; None if there was none.
        problem: A short reason why there was no answer; None if there was one.
        is_accepted: Whether the receiver accepted the delivery: it answered with 2xx.
        is_right: Whether it accepted a genuine delivery, or rejected a forged one.
    """

    name: str
    is_forged: bool
    status: int | None
    problem: str | None
    is_accepted: bool
    is_right: bool


@attrs.frozen(kw_only=True)
class ReceiverTrial:
    """The answers of a receiver to forged and genuine deliveries.

    Attributes:
        answers: The answers, in the order of the deliveries.
        is_telling: Whether the answers show anything: False if the receiver accepted no delivery,
            because its URL or its secret may be another one.
        is_passed: Whether every answer is right.
        verifies_json_of: The JSON writer with which the receiver re-encodes a body before it
            verifies the signature, such as ``PHP's json_encode``. None if it verifies the bytes, or
            if its writer is unknown.
    """

    answers: tuple[TrialAnswer, ...]
    is_telling: bool
    is_passed: bool
    verifies_json_of: str | None = None

    @property
    def accepts_unsigned(self) -> bool:
        """Whether the receiver accepted a delivery without a signature."""
        return any(answer.name == UNSIGNED and answer.is_accepted for answer in self.answers)


def trial_deliveries(
    world: World, session: Session, *, url: str, secret: str, origin: str
) -> list[TrialDelivery]:
    """Return the deliveries about a session, signed with the receiver's secret unless forged.

    `origin` is the scheme and host of their URLs.
    """
    rules: WebhookRules = world.outbox.rules
    ids = world.ids
    event_name = rules.session_event
    destination = Destination(uuid=ids.uuid(), url=url, events=(event_name,), secret=secret)
    forger = attrs.evolve(destination, secret=_FORGERS_SECRET)
    event = attrs.evolve(
        new_delivery(world, destination, session, event=event_name, origin=origin),
        form=JsonForm.UNUSUAL,
    )

    def signed(delivery: WebhookDelivery, signer: Destination = destination) -> SignedPayload:
        return rules.compose(world.claims.cited(), world, delivery, signer)

    def another_event(*, later_s: int = 0) -> SignedPayload:
        timestamp = event.timestamp + later_s
        return signed(attrs.evolve(event, event_id=ids.uuid(), timestamp=timestamp))

    signed_payload = signed(event)
    unsigned = _without_headers(signed_payload, rules.signature_headers)
    changed = corrupt(signed_payload, session.id)
    # The forged ones first: a receiver must not take them for duplicates of a genuine one.
    forged = [
        TrialDelivery(name=UNSIGNED, is_forged=True, payload=unsigned),
        TrialDelivery(name="another secret", is_forged=True, payload=signed(event, forger)),
        TrialDelivery(name="changed body", is_forged=True, payload=changed),
    ]
    genuine = [
        TrialDelivery(name="right", is_forged=False, payload=signed_payload),
        TrialDelivery(name="the same again", is_forged=False, payload=signed_payload),
    ]
    if rules.max_age_s is not None:
        age_s = rules.max_age_s + 1
        too_old = another_event(later_s=-age_s)
        forged.append(TrialDelivery(name=f"{age_s} s old", is_forged=True, payload=too_old))
        retried = signed(attrs.evolve(event, timestamp=event.timestamp + 1))
        older = another_event(later_s=-60)
        genuine += [
            TrialDelivery(name="retried with a new time", is_forged=False, payload=retried),
            TrialDelivery(name="newer event", is_forged=False, payload=another_event()),
            TrialDelivery(name="older event after it", is_forged=False, payload=older),
        ]
    for form in JsonForm:
        if form is not JsonForm.UNUSUAL:
            payload = signed(attrs.evolve(event, form=form))
            name = f"in the form of {form.value}"
            genuine.append(TrialDelivery(name=name, is_forged=False, form=form, payload=payload))
    return forged + genuine


def _without_headers(payload: SignedPayload, names: Sequence[str]) -> SignedPayload:
    headers = []
    for name, text in payload.headers:
        if name.lower() not in names:
            headers.append((name, text))
    return attrs.evolve(payload, headers=tuple(headers))


def post_trial_deliveries(
    url: str, deliveries: Sequence[TrialDelivery], *, timeout_s: float
) -> ReceiverTrial:
    """Send deliveries to a receiver, one after the other, and return its answers.

    Deliveries in the form of a usual JSON writer are sent only to a receiver that has answered and
    accepted nothing else, until it accepts one, which tells how it re-encodes a body.

    Args:
        url: The receiver's URL, which `may_send` allows.
        deliveries: The deliveries, in order.
        timeout_s: Seconds for each delivery.
    """
    answers = []
    writer = None
    for delivery in deliveries:
        if delivery.form is JsonForm.UNUSUAL:
            answers.append(_post_delivery(url, delivery, timeout_s))
    has_answered = any(answer.status is not None for answer in answers)
    if has_answered and not any(answer.is_accepted for answer in answers):
        for delivery in deliveries:
            if delivery.form is JsonForm.UNUSUAL:
                continue
            answer = _post_delivery(url, delivery, timeout_s)
            if answer.is_accepted:
                answers.append(answer)
                writer = delivery.form.value
                break
    return ReceiverTrial(
        answers=tuple(answers),
        is_telling=any(answer.is_accepted for answer in answers),
        is_passed=all(answer.is_right for answer in answers),
        verifies_json_of=writer,
    )


def _post_delivery(url: str, delivery: TrialDelivery, timeout_s: float) -> TrialAnswer:
    """Send a delivery to a receiver, and judge its answer."""
    result = post(url, delivery.payload, timeout_s)
    is_accepted = result.status is not None and 200 <= result.status < 300
    return TrialAnswer(
        name=delivery.name,
        is_forged=delivery.is_forged,
        status=result.status,
        problem=result.problem,
        is_accepted=is_accepted,
        is_right=is_accepted is not delivery.is_forged,
    )
