"""`FaceVerifier`: what callers hold. The rules that all vendors share are applied here, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from ._asked import Asked, Defaults, Picture, taken
from ._attempts import Attempts
from ._calibration import Calibration, calibration_of
from ._clock import Clock, SystemClock
from ._enums import Environment, Operation, Retention
from ._events import Event, Teller
from ._images import Image
from ._interface import Verifier
from ._reconcile import Attempt, Reconciliation
from ._reconciling import reconcile
from ._results import LiveMatchResult, MatchResult
from ._rules import Answer
from .backend import Backend
from .errors import ConfigurationError, EnvironmentMismatch, VendorError
from .gates._gate import Gate
from .gates._retries import Retries


class FaceVerifier(Verifier):
    """Asks one backend "is this the same person?" and "is this a live face?".

    Safe to share between threads, and usable in a child process after a fork. A context manager.

    Args:
        backend: Who answers.
        threshold, liveness_threshold: Where a pass begins, 0-100 on the backend's scale, for calls
            that set none; None for the backend's documented default.
        review_threshold, liveness_review_threshold: Up to which score, 0-100, a pass becomes
            REVIEW; None for no review.
        calibration: Thresholds by false match rate, for calls with `max_fmr`: a `Calibration` of
            this backend, or the name of its file.
        fit_images: Shrink or convert a picture that the vendor would refuse; if False it is
            refused here instead.
        keep_demographics: Keep the vendor's guesses of age, gender and race in results.
        require_environment: Refuse to hand out a result from anywhere else.
        on_event: Called with one `Event` record per step of a call, in the calling thread. An
            exception in it is logged and changes nothing.
        gates: What stands before each call, entered in this order: budget, breaker, pacing.
        retries: Whether and when a call that was certainly not paid for is made again; None for
            never.
        clock: Time, for tests.

    Raises:
        ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        threshold: float | None = None,
        liveness_threshold: float | None = None,
        review_threshold: float | None = None,
        liveness_review_threshold: float | None = None,
        calibration: Calibration | str | os.PathLike[str] | None = None,
        fit_images: bool = True,
        keep_demographics: bool = False,
        require_environment: Environment | None = None,
        on_event: Callable[[Event], None] | None = None,
        gates: Iterable[Gate] = (),
        retries: Retries | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not isinstance(backend, Backend):
            raise ConfigurationError(
                "FaceVerifier takes a Backend such as LocalBackend(); for a name use "
                f'open_verifier("local"). This is: {type(backend).__name__}.'
            )
        if not isinstance(getattr(backend, "name", None), str):
            raise ConfigurationError(
                f"The backend {type(backend).__name__} has no name: its class must set one."
            )
        _flag("fit_images", fit_images)
        _flag("keep_demographics", keep_demographics)
        if on_event is not None and not callable(on_event):
            raise ConfigurationError("on_event must be a function that takes one event.")
        self._backend = backend
        self._clock = clock or SystemClock()
        self._attempts = Attempts(
            backend=backend,
            defaults=Defaults(
                threshold=threshold,
                liveness_threshold=liveness_threshold,
                review_threshold=review_threshold,
                liveness_review_threshold=liveness_review_threshold,
                calibration=_calibration(calibration, backend, self._clock),
            ),
            fit_images=fit_images,
            keep_demographics=keep_demographics,
            required=_environment(require_environment),
            teller=Teller(backend=backend, hook=on_event, clock=self._clock),
            clock=self._clock,
            gates=_gates(gates),
            retries=_retries(retries),
        )

    @property
    def backend(self) -> Backend:
        """Who answers."""
        return self._backend

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What stands before each call, in its order: for `Breaker.reset`, say."""
        return self._attempts.gates

    def verify(
        self,
        probe: Picture,
        reference: Picture,
        *,
        threshold: float | None = None,
        review_threshold: float | None = None,
        max_fmr: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> MatchResult:
        """Compare two faces.

        Args:
            probe: The live or candidate face: `Image`, bytes or a path object.
            reference: The face to compare with, for example from an identity document.
            threshold: Where a match begins, 0-100 on this backend's scale.
            review_threshold: Above `threshold`, up to 100: a match whose score is not above it
                becomes `REVIEW`.
            max_fmr: Instead of `threshold`: the highest false match rate, above 0, at most 1, that
                the verifier's `calibration` has a threshold for. It means the same for every
                vendor.
            rotate: Also try the pictures turned by 90, 180 and 270 degrees.
            retention: What the vendor is asked to keep of the call.
            caller_ref: Your own reference, up to 255 characters for most vendors.
            metadata: Your own JSON object.
            options: The backend's own typed options.
            deadline_s: Seconds for the whole call, above 0; None for the backend's time-outs.

        Returns:
            A result. A mismatch is a result, not an error.

        Raises:
            InvalidImage, InvalidRequest, UnsupportedOption, UnsupportedCapability,
            ConfigurationError: nothing was sent.
            VendorError: no result; `billed` says whether it was charged.
        """
        images, wrong = taken(probe, reference)
        del probe, reference
        if wrong:
            raise wrong
        asked = Asked(
            threshold=threshold,
            review_threshold=review_threshold,
            max_fmr=max_fmr,
            rotate=rotate,
            retention=retention,
            caller_ref=caller_ref,
            metadata=metadata,
            options=options,
            deadline_s=deadline_s,
        )
        return cast(MatchResult, self._make(Operation.MATCH, images, asked))

    def verify_live(
        self,
        probe: Picture,
        reference: Picture,
        *,
        threshold: float | None = None,
        review_threshold: float | None = None,
        max_fmr: float | None = None,
        liveness_threshold: float | None = None,
        liveness_review_threshold: float | None = None,
        rotate: bool = False,
        retention: Retention = Retention.MINIMAL,
        caller_ref: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        options: Any = None,
        deadline_s: float | None = None,
    ) -> LiveMatchResult:
        """Check the probe for a live face and, unless that ends it, compare it with the reference.

        Two calls, two charges. The comparison is not asked for, so not paid for, when the probe is
        not live or has no face. If the comparison fails with an error, that error is raised and
        the paid liveness result is its `liveness` attribute.

        Args:
            max_fmr: For the comparison; liveness has thresholds alone.
            liveness_threshold, liveness_review_threshold: Like `threshold` and `review_threshold`,
                for the liveness score.
            deadline_s: Seconds for both calls together.

        The other arguments and the errors are those of `verify`.
        """
        images, wrong = taken(probe, reference)
        del probe, reference
        if wrong:
            raise wrong
        common = {
            "rotate": rotate,
            "retention": retention,
            "caller_ref": caller_ref,
            "metadata": metadata,
            "options": options,
        }
        of_match = Asked(
            threshold=threshold,
            review_threshold=review_threshold,
            max_fmr=max_fmr,
            deadline_s=deadline_s,
            **common,
        )
        of_liveness = Asked(
            threshold=liveness_threshold,
            review_threshold=liveness_review_threshold,
            deadline_s=deadline_s,
            **common,
        )
        return self._live_match(images, of_liveness, of_match)

    def reconcile(
        self,
        attempt: Attempt | VendorError | EnvironmentMismatch,
        *,
        deadline_s: float | None = None,
    ) -> Reconciliation:
        """Look for a call whose outcome is not known in the vendor's records. Charges nothing.

        Only calls with ``retention=Retention.KEEP`` can be found. A record counts as the call's
        only if it carries its attempt id; time and `caller_ref` merely shorten the search.

        Args:
            attempt: Of this verifier's backend, or the error that carries it (`OutcomeUnknown`,
                `UnexpectedResponse`, or `EnvironmentMismatch` after an answer).
            deadline_s: Seconds for the whole search, above 0; None for the backend's time-outs.

        Returns:
            `FOUND` with the result, under the same rules as the call's answer; `NOT_YET` if it is
            not in the records; `CANNOT_KNOW` if they cannot tell.

        Raises:
            InvalidRequest: there is nothing to look for: it was certainly not charged, or it is
                another backend's.
            VendorError: the records could not be read. Not charged.
        """
        self._check_open()
        return reconcile(self._attempts, attempt, deadline_s=deadline_s)

    def close(self) -> None:
        """Give back what the backend and the gates hold. May be called more than once."""
        self._closed = True
        self._backend.close()
        for gate in self._attempts.gates:
            gate.close()

    def __repr__(self) -> str:
        return f"FaceVerifier({self._backend.name})"

    def _make(
        self, operation: Operation, images: list[Image], asked: Asked, since: float | None = None
    ) -> Answer:
        self._check_open()
        return self._attempts.make(operation, images, asked, since=since)

    def _refuse(self, operation: Operation, images: list[Image], asked: Asked) -> list[Image]:
        return self._attempts.refuse(operation, images, asked)

    def _now(self) -> float:
        return self._clock.monotonic()


def _calibration(given: object, backend: Backend, clock: Clock) -> Calibration | None:
    found = calibration_of(given)
    if found is not None:
        found.check(backend, clock.now())
    return found


def _gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    found = tuple(gates)
    for gate in found:
        if not isinstance(gate, Gate):
            raise ConfigurationError(f"gates must be gates, not {type(gate).__name__}.")
    return found


def _retries(retries: Retries | None) -> Retries | None:
    if retries is not None and not isinstance(retries, Retries):
        raise ConfigurationError(f"retries must be Retries, not {type(retries).__name__}.")
    return retries


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {type(value).__name__}.")


def _environment(value: Any) -> Environment | None:
    if value is None:
        return None
    try:
        return Environment(value)
    except ValueError:
        raise ConfigurationError(
            f"require_environment must be one of {', '.join(Environment)}."
        ) from None
