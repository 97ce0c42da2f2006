"""What every backend's result goes through before a caller sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs

from . import _rules
from ._enums import Environment
from ._private import without_private
from ._results import Result
from ._rules import Answer
from .backend import Backend
from .errors import InvalidRequest, UnexpectedResponse

if TYPE_CHECKING:
    from ._reconcile import Attempt

R = TypeVar("R", bound=Result)


def settled(
    result: Answer,
    backend: Backend,
    attempt: Attempt,
    *,
    metadata: Mapping[str, Any] | None,
    elapsed_s: float,
    keep_demographics: bool,
) -> Answer:
    """`result` with what this side knows of its call, by the rules that all backends share.

    Args:
        result: As the backend gave it.
        backend: Who answered.
        attempt: The call.
        metadata: As the caller gave it.
        elapsed_s: Seconds since the call began; below 0 if the clock went back.
        keep_demographics: Whether guesses about people stay.

    Raises:
        UnexpectedResponse: the rules cannot be applied to it.
    """
    about = {"metadata": metadata, "elapsed_s": max(0.0, elapsed_s)}
    try:
        return _ruled(result, backend, attempt, about, keep_demographics=keep_demographics)
    except Exception as error:  # noqa: BLE001 - it may be paid for: the caller must learn that
        what = type(error).__name__
    raise UnexpectedResponse(
        f"The result of {backend.name} cannot be used ({what}): report this to its author.",
        billed=result.billed,
        billed_ground=result.billed_ground,
        request_id=result.request_id,
    )


def _ruled(
    result: Answer,
    backend: Backend,
    attempt: Attempt,
    about: Mapping[str, Any],
    *,
    keep_demographics: bool,
) -> Answer:
    can = backend.capabilities
    told = result.environment is not Environment.PRODUCTION
    result = attrs.evolve(
        result,
        attempt_id=result.attempt_id or attempt.id,
        caller_ref=attempt.caller_ref,
        threshold=attempt.threshold if result.threshold is None else result.threshold,
        # PRODUCTION is what a result says that knows nothing better.
        environment=result.environment if told else backend.environment,
        raw=without_private(
            result.raw,
            demographic_keys=() if keep_demographics else can.demographic_keys,
            media_keys=can.media_keys,
        ),
        **about,
        **({} if keep_demographics else _rules.nameless_faces(result)),
    )
    return _by_the_rules(result, attempt)


def judged(result: R, attempt: Attempt) -> R:
    """See `Attempt.judged`."""
    # Not above: that module is made of this one.
    from ._attempts import ANSWERS

    wanted = ANSWERS[attempt.operation]
    if type(result) is not wanted:
        raise InvalidRequest(
            f"A call of {attempt.operation} answers with a {wanted.__name__}, not with a "
            f"{type(result).__name__}: this is another call's result."
        )
    if result.attempt_id != attempt.id:
        raise InvalidRequest("The result does not carry the id of this attempt: it is another's.")
    told = attrs.evolve(
        result, threshold=attempt.threshold if result.threshold is None else result.threshold
    )
    # The rules keep the kind of what they are given.
    return cast(R, _by_the_rules(cast(Answer, told), attempt))


def _by_the_rules(result: Answer, attempt: Attempt) -> Answer:
    result = _rules.borne_out(result, attempt.threshold)
    result = _rules.consistent(result, attempt.minimum_age)
    return _rules.reviewed(result, attempt.review_threshold)
