"""The thresholds of a call, and the rules that are applied to every result.

A rule may turn a pass into REVIEW, but never REVIEW into a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from facematch_core import errors, models
from facematch_core.backend import Backend, Capabilities
from facematch_core.backend.base import SCORE_UNAVAILABLE
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.base.masking import ResultMasker
from facematch_core.errors import EnvironmentMismatch, FaceMatchError, InvalidRequest

R = TypeVar("R", bound=models.Result)

#: The result type of each operation. Subclasses are rejected, because their JSON form would differ.
RESULT_TYPES: dict[models.Operation, type[models.Answer]] = {
    models.Operation.MATCH: models.MatchResult,
    models.Operation.LIVENESS: models.LivenessResult,
}


@attrs.frozen(kw_only=True)
class CallOptions:
    """A call's operation, and its options before validation."""

    operation: models.Operation
    threshold: Any = None
    review_threshold: Any = None
    retention: Any = models.Retention.MINIMAL
    caller_ref: Any = None
    metadata: Any = attrs.field(default=None, repr=False)
    options: Any = attrs.field(default=None, repr=False)
    #: Prefix of the threshold options in error messages: ``liveness_`` in `verify_live`, or "".
    prefix: str = ""
    retry: Any = None
    deadline: Deadline = NO_DEADLINE


@attrs.frozen(kw_only=True)
class Defaults:
    """A verifier's default thresholds and deadline."""

    #: Threshold and review threshold, by operation.
    thresholds: Mapping[models.Operation, tuple[float | None, float | None]]
    deadline_s: float | None

    @classmethod
    def of_arguments(
        cls,
        deadline_s: Any = None,
        error_type: type[FaceMatchError] = errors.ConfigurationError,
        **thresholds: Any,
    ) -> Defaults:
        """Create the defaults from a verifier's arguments; raise `error_type` if one is invalid."""
        numbers = {
            name: check_threshold(name, value, error_type) for name, value in thresholds.items()
        }
        pairs = {}
        for operation, prefix in (
            (models.Operation.MATCH, ""),
            (models.Operation.LIVENESS, "liveness_"),
        ):
            threshold = numbers.get(f"{prefix}threshold")
            review = numbers.get(f"{prefix}review_threshold")
            if threshold is not None and review is not None and review <= threshold:
                raise error_type(
                    f"The review threshold of {operation} must be above its threshold "
                    f"({threshold:g}), not {review:g}."
                )
            pairs[operation] = threshold, review
        seconds = check_deadline_s(deadline_s, error_type)
        return cls(deadline_s=seconds, thresholds=pairs)


@attrs.frozen(kw_only=True)
class ResultPolicy:
    """The rules that one verifier applies to results."""

    backend: Backend
    defaults: Defaults
    #: The environment that every response must come from, or None.
    required: models.Environment | None = None

    def check_environment(self, *, of_sessions: bool = False) -> None:
        """Raise if the backend cannot return results from the required environment."""
        backend, required, environment = self.backend, self.required, self.backend.environment
        mock = models.Environment.MOCK
        if environment is not mock and required is None:
            return
        possible = backend.session_environments if of_sessions else backend.environments
        if environment is mock and mock not in possible:
            environment = models.Environment.PRODUCTION
            problem = "is set to mock, but its address is the real vendor's"
            advice = " Set base_url to the address of the mock."
        elif required is not None and required not in possible:
            what = f"is set to {environment}"
            if environment is None:
                what = "has no declared environment (set its environment)"
            problem, advice = f"{what}, but {required} is required", ""
        else:
            return
        raise EnvironmentMismatch(
            f"The backend {backend.name} {problem}: nothing was sent.{advice}",
            environment=environment,
            billing=models.Billing(models.Charged.NO, "nothing was sent"),
        )

    def thresholds(
        self, options: CallOptions
    ) -> tuple[models.Threshold | None, models.Threshold | None]:
        """Return the threshold and the review threshold of a call with these options."""
        sources, can = models.ThresholdSource, self.backend.capabilities
        value, review = self.defaults.thresholds[options.operation]
        source = review_source = sources.PROFILE
        if options.threshold is not None:
            value = check_threshold(f"{options.prefix}threshold", options.threshold)
            source = sources.CALLER
        elif value is None:
            value, source = default_threshold(can, options.operation), sources.DEFAULT
        if options.review_threshold is not None:
            name = f"{options.prefix}review_threshold"
            review, review_source = check_threshold(name, options.review_threshold), sources.CALLER
        threshold = None if value is None else models.Threshold(value, can.threshold_rule, source)
        if review is None:
            return threshold, None
        if value is not None and review <= value:
            if review_source is sources.PROFILE and source is sources.CALLER:
                # The call's threshold overrides the profile's lower review threshold.
                return threshold, None
            raise errors.InvalidRequest(
                f"review_threshold must be above threshold ({value:g}), not {review:g}."
            )
        return threshold, models.Threshold(review, models.ThresholdRule.ABOVE, review_source)

    def apply(
        self,
        result: models.Answer,
        call: models.CallRecord,
        *,
        metadata: Mapping[str, Any] | None,
        elapsed_s: float,
        masker: ResultMasker,
    ) -> models.Answer:
        """Complete a result with the call's ids and environment, and apply every rule to it.

        The request's `masker` masks the result, unless the backend has already done so.
        """
        environment, declared = result.environment, self.backend.environment
        fields = judge_fields(result, call.threshold, call.review_threshold) | {
            "ids": attrs.evolve(result.ids, call=call.id, caller=call.caller_ref),
            "environment": environment or declared,
            "metadata": metadata,
            "elapsed_s": max(0.0, elapsed_s),
        }
        judged = masker.mask(result, None, **fields)
        problem = describe_mismatch(environment, declared, self.required)
        if problem is None:
            return judged
        raise EnvironmentMismatch(
            f"The answer of {self.backend.name} {problem}: correct base_url or the key, or the "
            "setting environment.",
            environment=judged.environment,
            billing=judged.billing,
            ids=judged.ids,
            result=judged,
        )


def default_threshold(can: Capabilities, operation: models.Operation) -> float | None:
    """Return the vendor's documented default threshold for an operation, 0-100, or None."""
    is_match = operation is models.Operation.MATCH
    return can.default_threshold if is_match else can.default_liveness_threshold


def check_threshold(
    name: str, value: Any, error_type: type[FaceMatchError] = errors.InvalidRequest
) -> float | None:
    """Return a threshold as a float, or raise `error_type`."""
    if isinstance(value, models.Threshold):
        value = "unknown" if value.value is None else value.value
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1:
        raise error_type(
            f"{name} is {value:g}, on a scale from 0 to 100: nearly everybody would pass. If it "
            f"is another library's distance, leave it out; for a score from 0 to 1 write "
            f"{100 * value:g}. In code, pass Threshold({value:g}) if you mean it."
        )
    try:
        return None if value is None else models.percentage(value, name)
    except (TypeError, ValueError) as error:
        raise error_type(str(error)) from None


def check_deadline_s(
    seconds: Any, error_type: type[FaceMatchError] = errors.InvalidRequest
) -> float | None:
    """Return `deadline_s` as a float, or None; raise `error_type` if it is invalid."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 1e9:
        raise error_type("deadline_s must be a number of seconds above 0.")
    return float(seconds)


def describe_mismatch(
    environment: models.Environment | None,
    declared: models.Environment | None,
    required: models.Environment | None,
) -> str | None:
    """Return the reason to reject results from this environment, or None."""
    if None not in (environment, declared) and environment is not declared:
        return f"came from {environment}, but the backend is set to {declared}"
    if required is not None and (environment or declared) is not required:
        origin = environment or declared or "an unknown environment"
        return f"came from {origin}, but {required} is required"
    return None


def judge(result: R, call: models.CallRecord) -> R:
    """Apply a call's rules to a result from the vendor's records.

    A pass becomes REVIEW if one of the call's thresholds or a grave warning contradicts it.

    Raises:
        InvalidRequest: the result belongs to another call or another operation.
    """
    result_type = RESULT_TYPES[call.operation]
    if type(result) is not result_type:
        raise InvalidRequest(
            f"A {call.operation} call returns a {result_type.__name__}, not a "
            f"{type(result).__name__}: this result belongs to another call."
        )
    if result.ids.call != call.id:
        raise InvalidRequest("The result has the id of another call.")
    answer = cast(models.Answer, result)
    return attrs.evolve(result, **judge_fields(answer, call.threshold, call.review_threshold))


def judge_fields(
    result: models.Answer,
    requested: models.Threshold | None,
    review: models.Threshold | None,
) -> dict[str, Any]:
    """Apply the rules; return the thresholds, and the decision and warnings if they change.

    A vendor may ignore the requested threshold, so a pass must reach both the requested and the
    reported one. If equal, the backend's verdict stands. A grave warning also causes REVIEW.
    """
    score = result.score
    threshold = requested if result.threshold is None else result.threshold
    fields: dict[str, Any] = {"threshold": threshold, "review_threshold": review}
    if result.decision not in models.PASSES:
        if result.decision.name == "INCONCLUSIVE" and score is None and not result.warnings:
            fields["warnings"] = (SCORE_UNAVAILABLE,)
        return fields
    values = [t.value for t in (threshold, requested) if t is not None and t.value is not None]
    value = None if score is None else score.value
    code, doubt = models.WarningCode.THRESHOLD_CONFLICT, None
    if values and value is None:
        code = models.WarningCode.SCORE_UNAVAILABLE
        doubt = f"The answer is a pass without a score to compare with {max(values):g}."
    elif values and value is not None and value < max(values):
        doubt = f"The answer is a pass, but its score {value:g} is below {max(values):g}."
    elif (review is not None and not review.passes(value)) or any(
        warning.severity.is_grave for warning in result.warnings
    ):
        fields["decision"] = type(result.decision).REVIEW
    if doubt is not None:
        fields["decision"] = type(result.decision).REVIEW
        if all(warning.code is not code for warning in result.warnings):
            warning = models.ResultWarning(code=code, severity=models.Severity.ERROR, text=doubt)
            fields["warnings"] = (*result.warnings, warning)
    return fields
