"""Try a webhook receiver with forged and genuine deliveries, and judge what it accepts."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .webhooks import SignedPayload, post


@attrs.frozen(kw_only=True)
class TrialDelivery:
    """A delivery to try a receiver with.

    Attributes:
        name: What is special about it, such as ``unsigned``.
        is_forged: Whether the receiver must reject it.
        payload: The headers and the body.
    """

    name: str
    is_forged: bool
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
        is_telling: Whether the answers show anything: False if the receiver accepted every
            delivery or none, because it may answer before it looks at the signature.
        is_passed: Whether every answer is right.
    """

    answers: tuple[TrialAnswer, ...]
    is_telling: bool
    is_passed: bool


def post_trial_deliveries(
    url: str, deliveries: Sequence[TrialDelivery], *, timeout_s: float
) -> ReceiverTrial:
    """Send deliveries to a receiver, one after the other, and return its answers.

    Args:
        url: The receiver's URL, which `may_send` allows.
        deliveries: The deliveries, in order.
        timeout_s: Seconds for each delivery.
    """
    answers = []
    for delivery in deliveries:
        result = post(url, delivery.payload, timeout_s)
        is_accepted = result.status is not None and 200 <= result.status < 300
        answers.append(
            TrialAnswer(
                name=delivery.name,
                is_forged=delivery.is_forged,
                status=result.status,
                problem=result.problem,
                is_accepted=is_accepted,
                is_right=is_accepted is not delivery.is_forged,
            )
        )
    return ReceiverTrial(
        answers=tuple(answers),
        is_telling=len({answer.is_accepted for answer in answers}) > 1,
        is_passed=all(answer.is_right for answer in answers),
    )
