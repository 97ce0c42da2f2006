"""Control of Didit's sessions and webhooks."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

import attrs

from facematch_mock_server.base.state import Selection, check_text, select
from facematch_mock_server.world.hosted import HostedSessions, hosted_of, open_sessions
from facematch_mock_server.world.receivers import ReceiverTrial, post_trial_deliveries
from facematch_mock_server.world.sessions import Review, Session
from facematch_mock_server.world.vendor import Extension, endpoint
from facematch_mock_server.world.webhooks import (
    DeliveryFault,
    DeliveryState,
    Destination,
    Outbox,
    SignedPayload,
    WebhookDelivery,
    WebhookLetter,
    may_send,
)

from . import webhooks
from .receivers import trial_deliveries
from .records import KEPT_REVIEWS, STATUSES, DiditRecords, Workflow

T = TypeVar("T")


def _require(record: T | None, what: str) -> T:
    if record is None:
        raise LookupError(f"there is no {what} with that id")
    return record


def _check_string(name: str, text: object) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{name} must be a string, or None")  # noqa: TRY004 - as for any bad value
    check_text(name, text)


def _check_date(name: str, value: object) -> None:
    # A datetime is an instance of date, too.
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise ValueError(f"{name} must be a datetime.date, or None")  # noqa: TRY004 - as for any bad value


def _check_word(name: str, word: object, words: Collection[str]) -> None:
    if word not in words:
        raise ValueError(f"unknown {name} {word!r:.40}; must be one of {', '.join(words)}")


class Sessions(HostedSessions[DiditRecords]):
    """Control of one world's sessions: list and decide them, and act as the person. Thread-safe."""

    @endpoint("GET", "sessions", result_key="sessions")
    def all(
        self,
        *,
        status: str | None = None,
        service: str | None = None,
        vendor_data: str | None = None,
        since: int = 0,
        limit: int | None = None,
    ) -> Selection[Session]:
        """Return the sessions in order, filtered by status, service and `vendor_data`. Raises
        ValueError for an unknown status. For `since` and `limit` see `Control.journal`."""
        if status is not None:
            _check_word("status", status, STATUSES)
        filters: Any = {"status": status, "service": service, "vendor_data": vendor_data}
        open_sessions(self._control.world)
        sessions = self._control.world.sessions.all()
        return select(sessions, since=since, limit=limit, **filters)

    def decide(self, session_id: str, status: str, comment: str | None = None) -> Session:
        """Decide a session like a reviewer at the vendor: record the review and send webhooks.

        Args:
            session_id: The id from the vendor's responses.
            status: ``Approved``, ``Declined`` or another of the vendor's statuses (``In Review``).
            comment: The reviewer's comment, or None.

        Raises:
            LookupError: the session is unknown.
            ValueError: the vendor has no such status, or the comment is not a string.
        """
        world = self._control.world
        _check_word("status", status, STATUSES)
        if comment is not None:
            _check_string("comment", comment)
        # Didit stores the name of the console's user.
        review = Review(
            user="Console", new_status=status, comment=comment, created_at=world.clock.now()
        )

        def change(session: Session) -> Session:
            reviews = (*session.reviews, review)[-KEPT_REVIEWS:]
            return attrs.evolve(session, status=status, reviews=reviews)

        session: Session = _require(world.sessions.change(session_id, change), "session")
        webhooks.announce(world, session)
        return session

    @endpoint("POST", "sessions/decide")
    def _http_decide(
        self, session_id: str, status: str, comment: str | None = None
    ) -> dict[str, str]:
        """Decide a session like a reviewer: record the review and send webhooks."""
        session = self.decide(session_id, status, comment)
        return {"session_id": session.id, "status": session.status}

    @endpoint("POST", "sessions/document")
    def document(
        self,
        session_id: str,
        *,
        full_name: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        document_number: str | None = None,
        date_of_birth: dt.date | None = None,
        date_of_issue: dt.date | None = None,
        expiration_date: dt.date | None = None,
    ) -> None:
        """Set the values that the vendor reads from the person's document, at any time.

        Replaces all earlier values: those left out are null, as if the workflow hid them.

        Raises:
            LookupError: there is no hosted session with that id.
            ValueError: the session has no document step, or a value has the wrong type.
        """
        texts = {
            "full_name": full_name,
            "first_name": first_name,
            "last_name": last_name,
            "document_number": document_number,
        }
        dates = {
            "date_of_birth": date_of_birth,
            "date_of_issue": date_of_issue,
            "expiration_date": expiration_date,
        }
        fields = dict[str, str]()
        for name, text in texts.items():
            if text is not None:
                _check_string(name, text)
                fields[name] = text
        for name, date in dates.items():
            if date is not None:
                _check_date(name, date)
                fields[name] = date.isoformat()

        def change(session: Session) -> Session:
            hosted = hosted_of(session)
            if hosted.kind != "kyc":
                raise ValueError("a biometric session has no document step")
            return attrs.evolve(session, hosted=attrs.evolve(hosted, document_fields=fields))

        _require(self._control.world.sessions.change(session_id, change), "session")

    @endpoint(
        *("POST", "sessions/workflows"),
        aliases={"workflow_id": "id"},
        extra_parameters=lambda _: {
            "kind": str,
            "method": str,
            "callback": str | None,
            "settings": Mapping[str, Any],
        },
    )
    def workflow(self, workflow_id: str, *, version: int | None = None, **facts: Any) -> Workflow:
        """Publish a workflow with the attributes of `Workflow`; `version` defaults to the next.

        Once a workflow is published, sessions with unpublished ones are refused. Raises ValueError
        for an invalid value.
        """
        workflows = self._records.workflows
        workflow = Workflow(id=workflow_id, **facts)
        former = workflows.find(workflow.id)
        version = version or (former.version + 1 if former else 1)
        return workflows.put(workflow.id, attrs.evolve(workflow, version=version))

    @endpoint("GET", "sessions/workflows", result_key="workflows")
    def workflows(self) -> tuple[Workflow, ...]:
        """The published workflows, in order."""
        return self._records.workflows.all()

    @endpoint("POST", "sessions/block")
    def block(self, vendor_data: str) -> None:
        """Block a user, who then cannot start sessions."""
        check_text("vendor_data", vendor_data)
        self._records.blocked.put(vendor_data, vendor_data)


class Webhooks(Extension[DiditRecords]):
    """The webhook destinations and deliveries of one world. Thread-safe."""

    @property
    def _outbox(self) -> Outbox:
        outbox: Outbox = self._control.world.outbox
        return outbox

    @endpoint("GET", "webhooks/destinations", result_key="destinations")
    def destinations(self) -> tuple[Destination, ...]:
        """The webhook destinations, oldest first."""
        return self._outbox.destinations.all()

    @endpoint("POST", "webhooks/destinations")
    def add(
        self,
        url: str,
        *,
        events: Collection[str] | None = None,
        enabled: bool | None = None,
        secret: str | None = None,
    ) -> Destination:
        """Add a destination for webhooks; return it with the `secret` that signs them.

        Args:
            url: An address on this machine, or on a host in the server's `deliver_to`; the mock
                sends nothing anywhere else.
            events: The events to send, by the vendor's names; None for ``status.updated``.
            enabled: Whether to send deliveries; by default True.
            secret: The secret that the receiver already uses; None for a new secret.

        Raises:
            ValueError: the address is not allowed, the event is unknown, or a value has the
                wrong type.
        """
        if secret is not None and (type(secret) is not str or not secret.strip()):
            raise ValueError("secret must be a non-empty string")
        check_text("secret", secret)
        ids = self._control.world.account.ids
        # Derived from the world's ids, so the same seed gives the same secret.
        made = base64.urlsafe_b64encode(hashlib.sha256(ids.uuid().encode()).digest()).decode()
        destination = Destination(
            uuid=ids.uuid(),
            **{"events": (webhooks.EVENT,), **self._read_changes(url or "", events, enabled)},
            secret=secret or made.rstrip("="),
        )
        return self._outbox.destinations.put(destination.uuid, destination)

    @endpoint("POST", "webhooks/destinations/change")
    def change(
        self,
        destination: str,
        *,
        url: str | None = None,
        events: Collection[str] | None = None,
        enabled: bool | None = None,
    ) -> Destination:
        """Change attributes of a destination (see `add`) but not its secret.

        Raises LookupError if there is no destination with that id.

        Args:
            enabled: Whether to send deliveries; False also drops the pending ones.
        """
        changes = self._read_changes(url, events, enabled)
        destinations = self._outbox.destinations
        changed = destinations.change(destination, lambda x: attrs.evolve(x, **changes))
        return _require(changed, "destination")

    @endpoint("POST", "webhooks/destinations/remove")
    def remove(self, destination: str) -> None:
        """Remove a destination. Raises LookupError if there is none with that id."""
        _require(self._outbox.destinations.remove(destination), "destination")

    def _read_changes(self, url: Any, events: Any, enabled: Any) -> dict[str, Any]:
        """Validate a destination's settings, and return those that are set. Raises ValueError."""
        names, hosts = webhooks.EVENTS, self._control.account.shared.deliver_to
        if url is not None and not (isinstance(url, str) and may_send(url, hosts)):
            raise ValueError(
                "url must be an http or https address on this machine, or on a host that "
                "deliver_to lists"
            )
        if events is not None:
            if isinstance(events, str) or not events or any(name not in names for name in events):
                raise ValueError(f"events must be a list of one or more of {', '.join(names)}")
            events = tuple(dict.fromkeys(events))
        if type(enabled) not in (bool, type(None)):
            raise ValueError("enabled must be true or false")
        changes = {"url": url, "events": events, "enabled": enabled}
        return {name: value for name, value in changes.items() if value is not None}

    @endpoint("GET", "webhooks/deliveries", result_key="deliveries")
    def deliveries(
        self,
        state: DeliveryState | str | None = None,
        *,
        session_id: str | None = None,
        event: str | None = None,
        destination: str | None = None,
        since: int = 0,
        limit: int | None = None,
    ) -> Selection[WebhookDelivery]:
        """Return the matching deliveries, sent or queued, in order; `delivery` returns the body.

        For `since` and `limit` see `Control.journal`.

        Args:
            state: Only deliveries in this state. Raises ValueError for an unknown state.
            session_id, event, destination: Only deliveries with this session, event or
                destination id.
        """
        if state is not None:
            _check_word("state", state, [*DeliveryState])
        filters: Any = {"session_id": session_id, "event": event, "destination": destination}
        urls = {place.uuid: place.url for place in self.destinations()}
        every = self._outbox.deliveries.all()
        deliveries = (attrs.evolve(each, url=urls.get(each.destination)) for each in every)
        return select(deliveries, since=since, limit=limit, state=state, **filters)

    @endpoint("GET", "webhooks/deliveries/{}")
    def delivery(self, delivery_id: str) -> WebhookLetter:
        """Return a delivery with headers and body. Raises LookupError for an unknown id."""
        world, outbox = self._control.world, self._outbox
        delivery = _require(outbox.deliveries.find(delivery_id), "delivery")
        destination, url = outbox.destinations.find(delivery.destination), None
        payload = SignedPayload(headers=(), body=b"")
        if destination is not None:
            url = destination.url
            payload = webhooks.compose(world.claims.cited(), world, delivery, destination)
        facts: Any = attrs.asdict(attrs.evolve(delivery, url=url), recurse=False)
        return WebhookLetter(**facts, headers=dict(payload.headers), body=payload.body)

    def wait(self, timeout_s: float = 10.0, *, since: int = 0) -> Selection[WebhookDelivery]:
        """Wait until no delivery is due, then return the deliveries after number `since`. Does not
        wait for deliveries that become due later by the world's clock.

        Raises:
            TimeoutError: a delivery is still due after `timeout_s` seconds of real time, or can
                never be sent: the account was reset or closed, or the server has stopped.
        """
        if type(timeout_s) not in (int, float) or not timeout_s >= 0:
            raise ValueError("timeout_s must be 0 or more seconds")
        outbox = self._outbox
        if not outbox.wait(timeout_s):
            why = ": the account was reset or closed, or the server has stopped"
            raise TimeoutError(
                f"{self.due()} deliveries are still due{'' if outbox.is_running else why}"
            )
        return self.deliveries(since=since)

    @endpoint("POST", "webhooks/wait")
    def _http_wait(self, timeout_s: float = 10, since: int = 0) -> dict[str, int]:
        """Count the deliveries by state once none is due; 504 after timeout_s (default 10)."""
        if not 0 <= timeout_s <= 60:
            raise ValueError("timeout_s must be a number of seconds from 0 to 60")
        deliveries = self.wait(timeout_s, since=since)
        states = [delivery.state for delivery in deliveries]
        last = deliveries[-1].number if deliveries else since
        counts: dict[str, int] = {state: states.count(state) for state in DeliveryState}
        return {"due": self.due(), "last": last, **counts}

    @endpoint("GET", "webhooks/due", result_key="due")
    def due(self) -> int:
        """Return the number of deliveries that are due now or in progress."""
        return self._outbox.count_due(self._control.now())

    @endpoint("POST", "webhooks/resend", aliases={"delivery_id": "delivery"})
    def resend(self, delivery_id: str) -> None:
        """Resend a delivery, as Didit's console does, with a new timestamp and the current secret.
        Raises LookupError if the delivery is unknown or its destination was removed."""
        world, outbox = self._control.world, self._outbox
        delivery = _require(outbox.deliveries.find(delivery_id), "delivery")
        _require(outbox.destinations.find(delivery.destination), "destination")
        now, state = world.clock.now(), DeliveryState.PENDING
        at = {"due": now, "timestamp": int(now.timestamp())}
        outbox.enqueue(attrs.evolve(delivery, **at, retries=0, state=state))

    @endpoint("POST", "webhooks/corrupt")
    def corrupt(self, times: int = 1) -> None:
        """Change one byte of the next `times` deliveries (1-10,000) after signing them."""
        self._outbox.add_fault(DeliveryFault.CORRUPT, times)

    @endpoint("POST", "webhooks/sign-wrong")
    def sign_wrong(self, times: int = 1) -> None:
        """Sign the next `times` deliveries (1-10,000) with a wrong secret."""
        self._outbox.add_fault(DeliveryFault.SIGN_WRONG, times)

    @endpoint("POST", "webhooks/try-receiver")
    def try_receiver(self, url: str, *, secret: str, timeout_s: float = 10.0) -> ReceiverTrial:
        """Send forged and genuine deliveries about the newest session to a receiver; return its
        answers. It passes if it answers 2xx to the genuine ones, and nothing else.

        Args:
            url: The receiver's address, on this machine or on a host in the server's `deliver_to`.
            secret: The secret that the receiver verifies signatures with.
            timeout_s: Seconds for each delivery, above 0.

        Raises:
            LookupError: there is no session to tell of: make a call with `save_api_request`.
            ValueError: the address is not allowed, or a value has the wrong type.
        """
        self._read_changes(url or "", None, None)
        if type(secret) is not str or not secret.strip():
            raise ValueError("secret must be a non-empty string")
        if type(timeout_s) not in (int, float) or not timeout_s > 0:
            raise ValueError("timeout_s must be a number of seconds above 0")
        world = self._control.world
        sessions = world.sessions.all()
        if not sessions:
            raise LookupError("there is no session: make a call with save_api_request=true")
        deliveries = trial_deliveries(world, sessions[-1], url=url, secret=secret)
        return post_trial_deliveries(url, deliveries, timeout_s=timeout_s)

    @endpoint("POST", "webhooks/drop")
    def drop(self, times: int = 1) -> None:
        """Silently drop the next `times` deliveries (1-10,000)."""
        self._outbox.add_fault(DeliveryFault.DROP, times)
