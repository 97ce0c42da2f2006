"""An opened system of a run: a verifier that records its calls in the run database."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from facematch_core.errors import (
    ConfigurationError,
    FaceMatchError,
    InvalidRequest,
    Unsupported,
)
from facematch_core.models import Environment, Operation, Retention
from facematch_core.resilience import Budget
from facematch_core.store import CallStore
from facematch_core.verifier.events import CallEvent, EventKind
from facematch_core.verifier.verifier import FaceVerifier

from .pairs import RunDatabase
from .recover import stores_of
from .stored import Price, StoredSystem


class HeldBack(BaseException):
    """Raised to stop a call before its first byte, because its transition could not be stored.

    Not an `Exception`: the verifier only logs an `Exception` raised by a hook.
    """

    def __init__(self, call_id: str, error: FaceMatchError) -> None:
        super().__init__("held back")
        self.call_id = call_id
        self.error = error


class RunSystem:
    """A system of a run.

    Attributes:
        stored: The system in the run database.
        current: Thread-local: the `pair` being asked, and its `call_id`.
    """

    stored: StoredSystem

    def __init__(
        self,
        name: str,
        opener: Callable[..., Any],
        database: RunDatabase,
        retention: Retention,
        undo: contextlib.ExitStack,
    ) -> None:
        """Open the system; `undo` closes the verifier, even if a check below fails."""
        self.name, self.database, self.retention = name, database, retention
        self.current = threading.local()
        on_event = self._write
        self.verifier = verifier = opener(on_event=on_event)
        if callable(closing := getattr(verifier, "close", None)):
            undo.callback(closing)
        if not isinstance(verifier, FaceVerifier):
            raise InvalidRequest(
                f"The system {name[:60]!r} is a {type(verifier).__name__}, but must be a single "
                "backend. Name the members of a failover instead."
            )
        if verifier.on_event is not on_event:
            raise InvalidRequest(
                f"The opener of {name[:60]!r} ignored its argument on_event, so calls would not be "
                "recorded. Pass it to FaceVerifier."
            )
        self.backend = backend = verifier.backend
        what = "" if retention in backend.capabilities.retention else f"retention {retention}"
        if Operation.MATCH not in backend.capabilities.operations:
            what = str(Operation.MATCH)
        if what:
            raise Unsupported(
                f"The backend {backend.name} does not support {what}: leave out {name[:60]!r}, or "
                "change its settings. Nothing was sent.",
                backend=backend.name,
                what=what,
            )

    def _write(self, event: CallEvent) -> None:
        """Store the transition that matches an event of a call; raise `HeldBack` if that fails."""
        pair = getattr(self.current, "pair", None)
        if pair is None:
            return
        number, call_id = self.stored.number, event.call_id
        try:
            if event.kind is EventKind.STARTED and event.call is not None:
                self.current.call_id = call_id
                self.database.begin(number, pair, event.call)
            elif event.kind is EventKind.SENT:
                self.database.ask(number, pair, call_id)
            elif event.kind is EventKind.RETRYING:
                self.database.repeat(number, pair, call_id)
        except FaceMatchError as error:
            raise HeldBack(call_id, error) from None
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing was written
            why = f"The run database failed with {type(error).__name__}: nothing was sent."
            raise HeldBack(call_id, ConfigurationError(why)) from None

    @property
    def is_billed(self) -> bool:
        """Whether the backend declares comparisons as billed, in whatever environment."""
        return Operation.MATCH in self.backend.capabilities.billed_operations

    @property
    def costs_money(self) -> bool:
        """Whether a real vendor charges for a comparison."""
        return self.is_billed and self.backend.environment in (None, Environment.PRODUCTION)

    @property
    def is_careful(self) -> bool:
        """Whether each transition is stored; False for a local engine that is not billed."""
        return self.is_billed or self.backend.environment is not Environment.LOCAL

    @property
    def budget_price(self) -> Price | None:
        """The price that the system's budget reserves for a call, or None."""
        for policy in self.verifier.policies:
            if isinstance(policy, Budget) and (price := policy.price(Operation.MATCH)):
                return Price(amount=price[0], currency=price[1])
        return None

    @property
    def stores(self) -> list[CallStore]:
        return stores_of(self.verifier.policies)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the system, as stored in the run database."""
        backend, kept = self.backend, self.retention is Retention.KEEP
        threshold, review = self.verifier.thresholds(Operation.MATCH)
        privacy = f"Both pictures of each pair were sent; {backend.name} "
        if backend.environment is Environment.LOCAL:
            privacy = "Nothing left this machine."
        elif kept:
            privacy = f"{backend.name} was asked to keep each call as a record, pictures included."
        elif Retention.KEEP in backend.capabilities.retention:
            privacy += "was asked to keep nothing."
        else:
            privacy += "cannot be asked to keep nothing, and what it keeps is not known."
        return {
            "backend": backend.name,
            "environment": (backend.environment or Environment.PRODUCTION).value,
            "threshold": threshold and threshold.value,
            "rule": (threshold.rule if threshold else backend.capabilities.threshold_rule).value,
            "review_threshold": review and review.value,
            "billed": self.is_billed,
            "kept": kept,
            "privacy": privacy,
        }
