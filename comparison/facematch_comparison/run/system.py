"""`RunSystem`: an opened system of a run, whose answers must be comparable."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from facematch_comparison.study.reading import Study
from facematch_core.base.deadline import Clock
from facematch_core.base.files import read_regular
from facematch_core.batch.charges import stores_of, write_charges
from facematch_core.batch.records import (
    PairOutcome,
    PairState,
    Price,
    Progress,
    StoredSystem,
)
from facematch_core.batch.system import RecordedSystem
from facematch_core.errors import (
    FATAL,
    ConfigurationError,
    EnvironmentMismatch,
    FaceMatchError,
    InvalidRequest,
    UnexpectedResponse,
    Unsupported,
    VendorError,
)
from facematch_core.images.image import MAX_FILE_BYTES, Image
from facematch_core.models import Billing, Charged, Environment, MatchResult, Operation, Retention
from facematch_core.verifier.verifier import FaceVerifier

from .database import RunDatabase
from .records import compare

#: Called from any thread with the system's name and the state of a finished pair.
OnEnd: TypeAlias = Callable[[str, PairState], None]


class RunSystem(RecordedSystem):
    """A system in a run: a verifier whose calls are recorded in the run database.

    Args:
        asks_to_keep: Whether to ask the vendor to keep a record of each call.
        price: Price of a call; defaults to the price that the system's budget reserves.
        digests: SHA-256 of each picture when the run began.
        undo: Exit stack that closes the verifier, even if the constructor raises.

    Attributes:
        progress: States of the system's pairs, over all runs; a run sends `Progress.left` pairs.
        on_end: Called for each finished pair.
    """

    progress: Progress
    on_end: OnEnd

    def __init__(
        self,
        name: str,
        opener: Callable[..., Any],
        *,
        asks_to_keep: bool,
        price: Price | None,
        database: RunDatabase,
        study: Study,
        caller_ref_of: Callable[[int], str],
        digests: Mapping[Path, str],
        clock: Clock,
        undo: contextlib.ExitStack,
    ) -> None:
        """Open a system whose calls are recorded; `undo` closes its verifier.

        Raise InvalidRequest if the opener returns anything but a FaceVerifier of one backend, or
        does not pass on `on_event`, without which calls would not be recorded; and if the backend
        has no comparison or not this retention. Without `price`, that of the budgets counts.
        """
        super().__init__(name, database, clock)
        self.study = study
        self.digests = digests
        self.retention = Retention.KEEP if asks_to_keep else Retention.MINIMAL
        self._database = database
        self._caller_ref_of = caller_ref_of
        on_event = self.record
        self.verifier = verifier = opener(on_event=on_event)
        close = getattr(verifier, "close", None)
        if callable(close):
            undo.callback(close)
        if not isinstance(verifier, FaceVerifier):
            raise InvalidRequest(
                f"The system {name[:60]!r} is a {type(verifier).__name__}, but must be a single "
                "backend. Name the members of a failover or a share instead."
            )
        if verifier.on_event is not on_event:
            raise InvalidRequest(
                f"The opener of {name[:60]!r} ignored its argument on_event, so calls would not be "
                "recorded. Pass it to FaceVerifier."
            )
        self.members = (verifier,)
        self.backend = backend = verifier.backend
        capabilities = backend.capabilities
        if self.retention not in capabilities.retention:
            raise self._unsupported(f"retention {self.retention}")
        if Operation.MATCH not in capabilities.operations:
            raise self._unsupported(str(Operation.MATCH))
        self.budget_stores = stores_of(verifier.policies)
        self.is_billed = Operation.MATCH in capabilities.billed_operations
        # The first call of a local engine loads its models, so its duration is not recorded.
        self._is_warm = backend.environment is not Environment.LOCAL
        price = price or Price.of_budgets(verifier.policies)
        self.stored = StoredSystem(name=name, settings=self._settings(), price=price)

    def _unsupported(self, feature: str) -> Unsupported:
        return Unsupported(
            f"The backend {self.backend.name} does not support {feature}: leave out "
            f"{self.name[:60]!r}, or change its settings. Nothing was sent.",
            backend=self.backend.name,
            what=feature,
        )

    @property
    def costs_money(self) -> bool:
        """Whether a comparison is billed, and by a real vendor."""
        return self.is_billed and self.backend.environment in (None, Environment.PRODUCTION)

    def _settings(self) -> dict[str, Any]:
        """Return the settings that a later run of the same database must have, too.

        A threshold that is not set is None.
        """
        backend = self.backend
        thresholds = self.verifier.thresholds(Operation.MATCH)
        threshold = thresholds.threshold
        review = thresholds.review_threshold
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "billed": self.is_billed,
        }

    def count_pairs(self) -> None:
        """Update `progress` from the run database."""
        self.progress = self._database.progress(self.stored.number)

    def load(self, pair: int) -> list[Image]:
        """Return both pictures; raise `ConfigurationError` if one has changed."""
        pictures = self.study.pairs[self.study.pair_numbers.index(pair)]
        return [self._picture(pictures.probe), self._picture(pictures.reference)]

    def options_of(self, pair: int) -> dict[str, Any]:
        is_kept = self.retention is Retention.KEEP
        is_named = self.backend.capabilities.sends_caller_ref and is_kept
        caller_ref = self._caller_ref_of(pair) if is_named else None
        return {"retention": self.retention, "caller_ref": caller_ref}

    def outcome_of(self, result: MatchResult) -> PairOutcome:
        is_warm = self._is_warm
        self._is_warm = True
        return PairOutcome.of_result(result, elapsed_s=result.elapsed_s if is_warm else None)

    def complete(
        self,
        pair: int,
        outcome: PairOutcome,
        result: MatchResult | None,
        error: FaceMatchError | None,
    ) -> tuple[PairOutcome, FaceMatchError | None]:
        """Return the outcome to store; of an answer that is not comparable, only its charge."""
        with self._lock:
            self.stored, difference = compare(self.stored, outcome)
        if difference is None:
            return outcome, None
        outcome = outcome.charge()
        return outcome, UnexpectedResponse(
            f"{self.name} answered {difference}, so its answers are not comparable. "
            "If an address or a setting was changed, use another name for the system, "
            "or another run database.",
            billing=Billing(outcome.billed or Charged.NO),
        )

    def ended(self, pair: int, outcome: PairOutcome, *, is_stored: bool) -> None:
        if is_stored:
            self.on_end(self.name, outcome.state)

    def resolve_lost_calls(self) -> None:
        """Resolve calls without a stored answer: from budgets, then from the vendor's records."""
        super().resolve_lost_calls()
        database = self._database
        now = self._clock.now()
        for charge in database.unresolved(self.stored):
            if not charge.is_due(now):
                continue
            call = attrs.evolve(charge.call, caller_ref=self._caller_ref_of(charge.pair))
            try:
                # If the call was never sent, this reads a whole day of records.
                result = self.verifier.reconcile(call).result
            except FATAL:
                return
            except (VendorError, EnvironmentMismatch):
                continue
            if not isinstance(result, MatchResult):
                database.answer_late(charge, None)
                continue
            billed = result.billing.charged
            if billed is not Charged.UNKNOWN:
                write_charges(self.budget_stores, [call.id], billed, now)
            answer = PairOutcome.of_result(result, elapsed_s=None)
            changed, difference = compare(self.stored, answer)
            if difference is None:
                self.stored = changed
                is_stored = database.answer_late(charge, answer, changed)
            else:
                # It is not comparable with the others, so only its charge is stored.
                is_stored = database.answer_late(charge, None)
            if not is_stored and billed is not Charged.UNKNOWN:
                database.resolve(charge.system, call.id, billed)

    def _picture(self, path: Path) -> Image:
        """Read a picture of the test set; raise `ConfigurationError` if it has changed."""
        try:
            data = read_regular(path, MAX_FILE_BYTES)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ConfigurationError(
                f"The picture {path} can no longer be read ({reason}): it was not sent."
            ) from None
        if hashlib.sha256(data).hexdigest() != self.digests[path]:
            raise ConfigurationError(
                f"The picture {path} has changed since the run began: it was not sent."
            )
        return Image.from_bytes(data)
