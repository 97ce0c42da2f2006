"""`Control`: a test's operations on one account at one vendor, in Python and over HTTP.

The control API serves each method marked with `endpoint`. A method whose name begins with
``_http_`` exists for HTTP only, where JSON needs other arguments or results than Python.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import secrets
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.masking import mask_and_shorten
from facematch_mock_server.base.messages import Request
from facematch_mock_server.base.state import UNSET, Selection, Unset, select
from facematch_mock_server.claims import MOCK, ActiveClaims, Claim
from facematch_mock_server.compared import latest_comparison
from facematch_mock_server.recognition.outcomes import (
    OUTCOME_FIELDS,
    Likeness,
    OutcomeKind,
    SetOutcome,
    as_field,
)
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.replies import MAPPING_NAMES, OwnReply, read_mappings
from facematch_mock_server.vendors.base import MockVendor, Route, can_start_with
from facematch_mock_server.world.accounts import MAIN, Account, World
from facematch_mock_server.world.faults import Fault, Stage
from facematch_mock_server.world.hosted import expire_due_sessions
from facematch_mock_server.world.journal import Entry
from facematch_mock_server.world.keys import Key, KeyKind, name_keys
from facematch_mock_server.world.latency import Latency, read_latency
from facematch_mock_server.world.links import NamedPictures
from facematch_mock_server.world.money import Charge, amount
from facematch_mock_server.world.set_values import DocumentedValues, SetValue
from facematch_mock_server.world.vendor import Vendor, endpoint

from .table import ControlOperation, hints_of, list_operations, read_record, to_json_types

#: Fields, at any vendor, that follow from the outcome of a call or a session.
_DECIDED: Final = frozenset(
    (
        "decision",
        "isIdentical",
        "IsMatch",
        "last_error.code",
        "livenessDecision",
        "result",
        "status",
        "Status",
        "sub_result",
    )
)


@attrs.frozen(kw_only=True)
class NewAccount:
    """A newly opened account.

    Attributes:
        account: The name of the account.
        keys: The account's keys by vendor: ``live``, ``sandbox`` if the vendor has a sandbox, and
            ``client`` (the client id) if the vendor has client ids. Not in `repr`.
    """

    account: str
    keys: Mapping[str, Mapping[str, str]] = attrs.field(repr=False)


class Control:
    """Controls one account at one vendor. Also served over HTTP. Thread-safe.

    Faults, time, latency, journal and `reset` apply to the account at all vendors. Everything else
    applies to this vendor only. In the control of one vendor (``mock.of("deepvue").control``, or
    ``/__mock__/deepvue/``), faults and latency apply to this vendor only, too. Other accounts are
    unaffected. A closed account raises LookupError.

    `extensions` lists the attributes that only this vendor has, such as `sessions` and `webhooks`
    for Didit, or `tokens` for Deepvue. Attributes of other vendors raise AttributeError.
    """

    def __init__(self, account: Account, vendor: str, *, is_of_one_vendor: bool = False) -> None:
        self._accounts = account.shared
        self._account_ref = account.ref
        self._vendor = vendor
        #: Whether faults and latency apply to this vendor alone, and there are others.
        self._is_of_one_vendor = is_of_one_vendor and len(self._accounts.vendors) > 1

    @property
    def account(self) -> Account:
        """The account; a reset replaces it. Raises LookupError once it is closed."""
        return self._account_ref.current

    @property
    def world(self) -> World:
        """The account's state at the vendor."""
        return self.account.worlds[self._vendor]

    @property
    def extensions(self) -> tuple[str, ...]:
        """The attributes that only this vendor has, such as ``webhooks``."""
        return tuple(self.world.vendor.extensions)

    def __getattr__(self, name: str) -> Any:
        """Return the vendor's own extension of this name, made at first use.

        Raise AttributeError, with the names that there are, for any other one.
        """
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.extensions:
            extension_names = ", ".join(self.extensions) or "no attributes of its own"
            raise AttributeError(
                f"the mock of {self._vendor} has no {name}; it has {extension_names}"
            )
        extension = self.world.vendor.extensions[name]
        return self.__dict__.setdefault(name, extension(self))

    def vendors(self) -> tuple[str, ...]:
        """Return the names of this server's vendors, in the order given to the server."""
        return tuple(self._accounts.vendors)

    @endpoint("GET", "")
    def _http_operations(self) -> dict[str, Any]:
        """List all operations of this API."""
        vendors = self.vendors()
        # The first vendor's paths need no name of a vendor.
        folder = "" if self._vendor == vendors[0] else f"{self._vendor}/"
        operations = []
        for method, path in operations_of(self.world.vendor):
            operations.append(f"{method} /__mock__/{folder}{path}")
        return {"vendor": self._vendor, "vendors": vendors, "operations": operations}

    # Accounts

    def accounts(self) -> tuple[str, ...]:
        """Return the names of the server's accounts, oldest first."""
        return tuple(account.name for account in self._accounts.all)

    @endpoint("GET", "accounts", result_key="accounts")
    def _http_accounts(self) -> list[dict[str, Any]]:
        """List the accounts of this server."""
        return [
            {
                "name": account.name,
                "calls": len(account.journal.entries),
                "opened": account.ref.opened_at,
            }
            for account in self._accounts.all
        ]

    @endpoint("POST", "accounts")
    def new_account(self, name: str | None = None) -> NewAccount:
        """Open an account that is isolated from the others.

        If `name` is None, a name is generated. Raises ValueError if it is invalid or in use.
        """
        account = self._accounts.open(name)
        keys = {vendor: name_keys(texts) for vendor, texts in account.first_keys.items()}
        return NewAccount(account=account.name, keys=keys)

    @endpoint("POST", "accounts/close")
    def close_account(self, account: str) -> None:
        """Close an account: its keys become invalid, and its journal is deleted.

        Raises ValueError for the first account, LookupError for an unknown or closed account.
        """
        self._accounts.close(self._accounts.get(account).ref)

    # Outcomes and faults

    @endpoint("POST", "outcomes")
    def set_outcome(
        self,
        kind: OutcomeKind,
        *,
        score: float | Unset | None = UNSET,
        smaller_face_score: float | None = None,
        review: bool | None = None,
        faces: int | None = None,
        attack: bool | None = None,
        quality: float | None = None,
        luminance: float | None = None,
        blocklist: Likeness | None = None,
        duplicate: Likeness | None = None,
        times: int | None = 1,
        field: Mapping[str, str] | None = None,
        digest: str | None = None,
        picture: bytes | None = None,
    ) -> SetOutcome:
        """Set the outcome of the next calls. The mock determines omitted values.

        The arguments are the fields of `SetOutcome`. `picture` replaces `digest`: the outcome
        applies to calls with this picture, unchanged or stripped of metadata as facematch sends it.

        Raises:
            ValueError: a value has the wrong type or range, values contradict each other, the call
                has no such field, or a review needs a switch that is not set.
        """
        if digest is not None and picture is not None:
            raise ValueError("give a digest or a picture, not both")
        outcome = SetOutcome(
            kind=kind,
            score=score,
            smaller_face_score=smaller_face_score,
            review=review,
            faces=faces,
            attack=attack,
            quality=quality,
            luminance=luminance,
            blocklist=blocklist,
            duplicate=duplicate,
            times=times,
            field=field,
            digests=[each for each in (digest, picture) if each is not None],
        )
        world = self.world
        has_reviews = "match.review" in world.claims and world.claims["match.review"] is not None
        if outcome.review and not has_reviews:
            hint = "; set the switch in_review" if "in_review" in world.vendor.switches else ""
            raise ValueError(f'{world.vendor.title} has no "In Review" for a match{hint}')
        routes = [route for route in world.behaviour.routes if route.operation == kind]
        _check_field_if_all_are_known(outcome.field, routes)
        world.recognizer.outcome_queue.add(outcome)
        return outcome

    @endpoint("GET", "outcomes", result_key="outcomes")
    def outcomes(self) -> tuple[SetOutcome, ...]:
        """Return the outcomes that are still pending."""
        return self.world.recognizer.outcome_queue.all

    @endpoint("POST", "outcomes/clear")
    def clear_outcomes(self) -> None:
        """Drop all outcomes."""
        self.world.recognizer.outcome_queue.clear()

    def add_fault(self, fault: Fault) -> None:
        """Append a fault to the existing ones; see `add_faults`."""
        self.add_faults(fault)

    def add_faults(self, *faults: Fault) -> None:
        """Append faults to the existing ones. If one is invalid, append none of them.

        Raises ValueError for a fault that no call to this server can trigger.
        """
        self._add_faults(faults)

    def _add_faults(self, faults: Iterable[Fault]) -> list[Fault]:
        """Append faults as `add_faults` does; return them as they were added."""
        account = self.account
        added = []
        for fault in faults:
            if not isinstance(fault, Fault):
                raise TypeError(
                    "pass faults as Fault objects, such as "
                    f'Fault(stage="answer", kind="status", status=503), not {fault!r:.40}'
                )
            is_narrowed = self._is_of_one_vendor and fault.vendor is None
            rule = attrs.evolve(fault, vendor=self._vendor) if is_narrowed else fault
            self._check_can_apply(rule)
            added.append(rule)
        for rule in added:
            account.faults.add(rule)
        return added

    @endpoint("POST", "faults", extra_parameters=lambda _: hints_of(Fault))
    def _http_add_faults(
        self, faults: Sequence[Mapping[str, Any]] | None = None, **fault: Any
    ) -> Any:
        """Append a fault, or the list `faults`, to the existing faults."""
        if faults is not None and fault:
            raise ValueError("send faults (a list) or the fields of one fault, not both")
        records = [fault] if faults is None else faults
        if not all(isinstance(record, Mapping) for record in records):
            raise ValueError("faults must be a list of objects")
        rules = [read_record(Fault, record) for record in records]
        if any(rule.stage is Stage.CONNECT and rule.times is None for rule in rules):
            raise ValueError(
                "an unlimited fault at connect would also refuse the request that clears it: "
                "set times, or use the stage mid_upload with a path of the vendor"
            )
        added = self._add_faults(rules)
        return added[0] if faults is None else {"faults": added}

    def _check_can_apply(self, fault: Fault) -> None:
        """Raise ValueError for a fault that no call to this server can trigger."""
        if fault.stage is Stage.CONNECT and self.account.name != MAIN:
            raise ValueError(
                "a fault at connect applies before the key of a request is known, so only the "
                "first account can have one: use the stage mid_upload"
            )
        _check_word("there is no vendor", fault.vendor, self._accounts.vendors)
        worlds = [
            world for name, world in self.account.worlds.items() if fault.vendor in (None, name)
        ]
        operations = {name for world in worlds for name in world.vendor.operations}
        _check_word("there is no call", fault.call, operations)
        if fault.claim is not None:
            _check_claim(fault.claim, [world.claims for world in worlds])
            worlds = [world for world in worlds if fault.claim in world.claims.answers]
        routes = [route for world in worlds for route in world.behaviour.routes]
        # Only a call, which has an operation, has pictures.
        if fault.call is not None or fault.is_pictured:
            reached = _routes_of_call(fault, routes)
        elif fault.path is not None:
            # A fault also applies to paths without a route, such as a health check.
            paths = {path for world in worlds for path in world.behaviour.known_paths()}
            paths |= {route.pattern for route in routes}
            _check_path_start("request", fault.path, paths)
            reached = _routes_below(fault.path, routes)
        else:
            reached = routes
        _check_field_if_all_are_known(fault.field, reached)

    @endpoint("GET", "faults", result_key="faults")
    def faults(self) -> tuple[Fault, ...]:
        """Return the faults that are still pending."""
        return tuple(fault for fault in self.account.faults.all if self._concerns(fault))

    def _concerns(self, fault: Fault) -> bool:
        """Return whether the fault can affect calls to a vendor of this control."""
        return not self._is_of_one_vendor or fault.vendor in (None, self._vendor)

    @endpoint("POST", "faults/clear")
    def clear_faults(self) -> None:
        """Drop all faults; in the control of one vendor, those of that vendor alone."""
        self.account.faults.clear(self._vendor if self._is_of_one_vendor else None)

    # Documented values

    @endpoint("POST", "values")
    def answer(
        self, call: str, field: str, value: str | bool, *, times: int | None = 1
    ) -> SetValue:
        """Set a documented value of a field in the next answer of a call that has the field.

        The arguments are those of `SetValue`. Nothing else changes: neither the charge, nor a
        signature, nor the state of a session.

        Raises:
            ValueError: the vendor's documents have no such value, or it follows from the outcome.
        """
        name = re.split(r"[.\]]", field)[-1]
        if name in _DECIDED or field in _DECIDED:
            raise ValueError(
                f"{name} follows from the outcome of a call or a session: use set_outcome, or "
                "sessions.finish and sessions.decide"
            )
        documented = self.world.vendor.documented_values
        _check_word("no value can be set in the answer of", call, documented)
        _check_word("no value can be set in the field", field, documented[call])
        # As written in Python, so that 1 is not True.
        allowed = [repr(each) for each in documented[call][field]]
        _check_word("there is no documented value", repr(value), allowed)
        rule = SetValue(call=call, field=field, value=value, times=times)
        self.world.set_values.add(rule)
        return rule

    @endpoint("GET", "values", result_key="values")
    def pending_values(self) -> tuple[SetValue, ...]:
        """Return the set values that are still pending."""
        return self.world.set_values.all

    @endpoint("GET", "values/documented")
    def documented_values(self) -> DocumentedValues:
        """Return the values that `answer` can set, by call and field."""
        return self.world.vendor.documented_values

    @endpoint("POST", "values/clear")
    def clear_values(self) -> None:
        """Drop all set values."""
        self.world.set_values.clear()

    # Own replies

    def add_replies(self, *replies: Mapping[str, Any]) -> tuple[OwnReply, ...]:
        """Add own replies, for calls that the mock does not imitate; return them as they were read.

        They apply to this account. A reset removes them, but not those of the server. A test's
        fixture fails the test if no call uses one. A reply answers only where the mock has no
        answer of its own, unless its ``metadata`` has ``"instead": true``; it checks no key and
        charges nothing. ``docs/test/use-the-mock.md`` has the format, a part of WireMock's.

        Example:
            ``control.add_replies({"request": {"method": "POST", "urlPath": "/v1/extra"},
            "response": {"jsonBody": {"id": "{{randomValue type='UUID'}}"}}})``

        Args:
            replies: Mappings, or objects with a list of ``mappings``.

        Raises:
            ValueError: a mapping has what this mock does not know, or another vendor. None is
                added.
        """
        account = self.account
        number = len(account.replies.all) - len(self._accounts.replies) + 1
        added: list[OwnReply] = []
        for document in replies:
            added += read_mappings(document, "control", number + len(added))
        for reply in added:
            reply.check_vendor(self._accounts.vendors)
        account.replies.add(added)
        return tuple(added)

    @endpoint(
        "POST",
        "replies",
        result_key="replies",
        extra_parameters=lambda _: dict.fromkeys(MAPPING_NAMES, Any),
    )
    def _http_add_replies(self, **mapping: Any) -> list[str]:
        """Add own replies: one mapping, or a list of ``mappings``; return their places."""
        return [reply.source for reply in self.add_replies(mapping)]

    def replies(self) -> tuple[OwnReply, ...]:
        """Return the own replies: those of the server, then those of this account."""
        return self.account.replies.all

    @endpoint("GET", "replies", result_key="replies")
    def _http_replies(self) -> list[dict[str, Any]]:
        """List the own replies, each with the number of calls that it has answered."""
        replies = self.account.replies
        return [{**reply.to_dict(), "used": replies.uses_of(reply)} for reply in replies.all]

    @endpoint("POST", "replies/clear")
    def clear_replies(self) -> None:
        """Remove the own replies of this account, and begin all scenarios again."""
        self.account.replies.clear()

    def unused(self) -> tuple[SetOutcome | SetValue | Fault | OwnReply, ...]:
        """Return the outcomes, values, faults and added replies that no call has used."""
        faults = (fault for fault in self.account.faults.unused if self._concerns(fault))
        replies = self.account.replies.unused
        outcomes = self.world.recognizer.outcome_queue.unused
        return (*outcomes, *self.world.set_values.unused, *faults, *replies)

    @endpoint("GET", "unused", result_key="unused")
    def _http_unused(self) -> list[dict[str, Any]]:
        """List the unused outcomes, values, faults and replies, with the closest call."""
        return [{**to_json_types(rule), "closest": self.closest(rule)} for rule in self.unused()]

    def closest(self, rule: SetOutcome | SetValue | Fault | OwnReply) -> str:
        """Describe the call that comes closest to an unused rule; ``no call`` if there is none."""

        def count_met(entry: Entry) -> int:
            """Count the conditions of the rule that a call meets."""
            head = Request(method=entry.method, target=entry.path)
            mock_vendor: MockVendor = self.account.worlds[entry.vendor or self._vendor].behaviour
            if isinstance(rule, OwnReply):
                path = rule.request.path.fullmatch(entry.path)
                return (path is not None) + (rule.request.method in (None, entry.method))
            if isinstance(rule, SetValue):
                return fnmatchcase(mock_vendor.name_of_call(head), rule.call)
            if isinstance(rule, SetOutcome):
                conditions = [mock_vendor.operation(head) == rule.kind]
            else:
                conditions = [
                    rule.call in (None, mock_vendor.operation(head)),
                    rule.method in (None, entry.method),
                    entry.path.startswith(rule.path or "/"),
                ]
            # The journal shows fields in this way.
            fields = mask_and_shorten((rule.field or {}).items())
            return sum(conditions) + len(fields.items() & entry.fields.items())

        entries = [entry for entry in self.account.journal.entries if entry.status is not None]
        if not entries:
            return "no call"
        closest = max(reversed(entries), key=count_met)
        return f"{closest.method} {closest.path}, answered {closest.status}"

    # Time

    @endpoint("GET", "latency")
    def latency(self) -> dict[str, Latency]:
        """Return the latency of each operation that has one, in seconds."""
        latencies = dict(self.account.latency.by_operation)
        if self._is_of_one_vendor:
            latencies |= self.world.latency.by_operation
        return {operation: latency for operation, latency in latencies.items() if latency}

    @endpoint("POST", "latency")
    def set_latency(
        self,
        operation: str,
        seconds: float | str | Sequence[float],
    ) -> dict[str, Latency]:
        """Delay the responses of an operation by seconds of real time; return `latency`.

        `behaviours` lists the operations, such as ``match``.

        Args:
            operation: The operation.
            seconds: 0-3600 seconds; or the least and the most seconds, such as ``(0.4, 2.0)``.
        """
        vendors = self._accounts.vendors
        latencies = self.account.latency
        if self._is_of_one_vendor:
            vendors = {self._vendor: vendors[self._vendor]}
            latencies = self.world.latency
        latencies.by_operation[operation] = read_latency(operation, seconds, vendors.values())
        return self.latency()

    @endpoint("GET", "clock", result_key="now")
    def now(self) -> dt.datetime:
        """Return the time of the account's clock, UTC."""
        return self.account.clock.now()

    @endpoint("POST", "clock/freeze", result_key="now")
    def freeze(self) -> dt.datetime:
        """Stop the account's clock, so that only `advance` moves it; return its time, UTC."""
        return self.account.clock.freeze()

    @endpoint("POST", "clock/advance", result_key="now")
    def advance(self, seconds: float) -> dt.datetime:
        """Advance the clock by 0 or more `seconds`. Raises ValueError for a negative number."""
        account = self.account
        now = account.clock.advance(seconds)
        for world in account.worlds.values():
            expire_due_sessions(world)
        return now

    # Money, keys and limits

    def balance(self) -> Decimal:
        """Return the remaining credit in USD."""
        return self.world.ledger.balance

    @endpoint("POST", "ledger/balance", result_key="balance")
    def set_balance(self, balance: Decimal | int | str) -> Decimal:
        """Set the credit in USD. Raises ValueError for a negative amount or over four decimals."""
        self.world.ledger.balance = amount(balance)
        return self.balance()

    def charges(
        self, *, what: str | None = None, since: int = 0, limit: int | None = None
    ) -> Selection[Charge]:
        """Return charges, oldest first; `what` is the service. Other arguments: see `journal`."""
        return select(self.world.ledger.charges.all(), since=since, limit=limit, what=what)

    @endpoint("GET", "ledger")
    def _http_ledger(
        self, *, what: str | None = None, since: int = 0, limit: int = 0
    ) -> dict[str, Any]:
        """Return the credit and the charges."""
        charges = self.charges(what=what, since=since, limit=limit)
        return {"balance": self.balance(), "entries": charges, "left_out": charges.left_out}

    @endpoint("POST", "keys", result_key="key")
    def add_key(
        self,
        kind: KeyKind | str = KeyKind.LIVE,
        *,
        key: str | None = None,
        allowed: bool = True,
        expires: dt.date | None = None,
        client: str | None = None,
    ) -> str:
        """Add a key and return its text.

        Args:
            kind: Live or sandbox.
            key: The text of the key; None to generate one.
            allowed: Whether the key may make calls.
            expires: The key's last day, UTC; None if it never expires.
            client: The key's client id, for a vendor with client ids (Deepvue's key is the client
                secret). None uses the client id of the first key.

        Raises:
            ValueError: the key or client id is invalid, or another account has the key.
        """
        text = secrets.token_urlsafe(24) if key is None else key
        first_keys = self.account.first_keys.get(self._vendor) or self.world.vendor.first_keys
        first_client = next(iter(first_keys.values())).client
        takes_client = any(key.client is not None for key in first_keys.values())
        if client is not None and not (takes_client and client.isprintable() and client.strip()):
            raise ValueError("client must be a string, and only vendors with client ids take one")
        record = Key(
            kind=KeyKind(kind), allowed=allowed, expires=expires, client=client or first_client
        )
        self.world.add_key(text, record)
        return text

    @endpoint("GET", "keys", result_key="keys")
    def keys(self) -> tuple[Key, ...]:
        """Return the keys, without their secrets."""
        return self.world.keys.all()

    @endpoint("POST", "keys/revoke")
    def revoke_key(self, key: str) -> None:
        """Revoke a key. Raises LookupError for an unknown key."""
        if self.world.keys.change(key, lambda record: attrs.evolve(record, revoked=True)) is None:
            # The message omits the key, which may belong to another account.
            raise LookupError("there is no such key")

    @endpoint("GET", "limits")
    def limits(self) -> dict[str, int | None]:
        """Return the rate limits by scope; None means no limit."""
        return self.world.rates.limits

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a rate limit. Raises ValueError for an unknown scope or an invalid number."""
        self.set_limits({scope: limit})

    @endpoint(
        "POST", "limits", extra_parameters=lambda vendor: dict.fromkeys(vendor.rate_limits, Any)
    )
    def set_limits(
        self, limits: Mapping[str, int | None] | None = None, /, **more: int | None
    ) -> dict[str, int | None]:
        """Change several rate limits; if one is invalid, change none (errors: see `set_limit`)."""
        self.world.rates.set_limits({**(limits or {}), **more})
        return self.limits()

    # The vendor

    @endpoint("GET", "behaviours")
    def behaviours(self) -> dict[str, Any]:
        """Return the vendor's name, operations, switches and settings.

        ``switches`` has those that were set, ``chosen`` the value of every switch, and ``known``
        the values that each switch allows, and the type of number of each setting. ``vendor`` is
        the vendor's name, and ``operations`` lists its operations, such as ``match``.
        """
        world = self.world
        vendor = world.vendor
        number_types = {name: number_type for name, (_, number_type) in vendor.settings.items()}
        return {
            "vendor": world.vendor_name,
            "switches": dict(world.switches),
            "chosen": world.claims.switch_values,
            "known": {**vendor.switches, **number_types},
            "operations": list(vendor.operations),
        }

    @property
    def pictures(self) -> NamedPictures:
        """The pictures at links and in buckets, which clients name instead of sending them.

        They apply to the account at all vendors: see `NamedPictures`. A reset restores the first.
        """
        return self.account.named_pictures

    @endpoint("GET", "pictures", result_key="pictures")
    def _http_pictures(self) -> tuple[str, ...]:
        """List the names of the pictures at links and in buckets."""
        return tuple(self.pictures)

    @endpoint("POST", "pictures")
    def _http_name_picture(
        self, name: str, *, card: str | None = None, base64: str | None = None
    ) -> None:
        """Put an included card, or a picture in base64, at a link or a BUCKET/KEY."""
        if card is not None and base64 is not None:
            raise ValueError("give a card or base64, not both")
        if base64 is not None:
            self.pictures[name] = b64decode(base64, validate=True)
        elif card is not None and card in READY:
            self.pictures[name] = READY[card].data
        else:
            # A text that names no card would be a file of this machine.
            raise ValueError(f"give base64 or one of the cards {', '.join(READY)}")

    @endpoint("POST", "pictures/clear")
    def _http_clear_pictures(self) -> None:
        """Remove all pictures at links and in buckets."""
        self.pictures.clear()

    @endpoint("POST", "reset")
    def reset(self, *, switches: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Reset the account: remove sessions, charges, faults, outcomes, journal; restart numbers.

        The account gets a new state at every vendor. Requests in progress finish in the old state.
        Latency is reset; the clock is not. `switches` replaces this vendor's; None keeps them.
        Returns `behaviours`. For invalid switches, raises ValueError and changes nothing.
        """
        world = self.world
        claims = world.vendor.choose(world.switches if switches is None else switches)
        self._accounts.reset(self._account_ref, self._vendor, claims)
        return self.behaviours()

    @endpoint("GET", "claims")
    def _http_claims(self) -> dict[str, Any]:
        """Return the claims that apply now, and when they were compared with the vendor."""
        return {"claims": self.claims(), "compared": latest_comparison(self.world.vendor.name)}

    def claims(self) -> tuple[Claim, ...]:
        """Return the claims that apply with the vendor's current switches."""
        return self.world.claims.claims

    # The journal

    @endpoint("GET", "journal", result_key="entries", aliases={"fields": "field"})
    @endpoint("GET", "journal/count", result_key="count", count=True, aliases={"fields": "field"})
    def journal(
        self,
        *,
        since: int = 0,
        path: str | None = None,
        status: int | None = None,
        person: str | None = None,
        fields: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Selection[Entry]:
        """Return the recorded requests that match, oldest first.

        Args:
            since: Only requests with a number higher than this.
            path: Only calls whose path begins with this.
            status: Only calls with this response status.
            person: Only calls with a test card of this person, among the last 2,000 pictures.
            fields: Only calls whose entry has these fields, such as ``vendor_data``.
            limit: Return at most this many of the newest requests; None for all. The result's
                `left_out` is the number of older matches.
        """
        for name, value in (("path", path), ("person", person)):
            if not isinstance(value, (str, type(None))):
                raise ValueError(f"{name} must be a string, not {value!r:.40}")  # noqa: TRY004
        wanted = as_field(fields or None) or {}
        # The journal shows fields in this way.
        wanted_shown = mask_and_shorten(wanted.items()).items()
        card_of = self.world.recognizer.card_of

        def fits(entry: Entry) -> bool:
            if path is not None and not entry.path.startswith(path):
                return False
            if not wanted_shown <= entry.fields.items():
                return False
            if person is None:
                return True
            cards = [card_of(file.digest) for file in entry.files if file.digest]
            return any(card is not None and card.person == person for card in cards)

        entries = self.account.journal.entries
        return select(entries, since=since, limit=limit, fits=fits, status=status)

    @endpoint("POST", "journal/clear")
    def clear_journal(self) -> None:
        """Clear the journal."""
        self.account.journal.clear()


# For `help`, add the descriptions of the arguments from the table of outcome fields.
_LINES = [f"        {row.name}: {row.description} {row.values}" for row in OUTCOME_FIELDS.values()]
Control.set_outcome.__doc__ = "\n".join([Control.set_outcome.__doc__ or "", *_LINES])


@functools.cache
def operations_of(vendor: Vendor) -> dict[tuple[str, str], ControlOperation]:
    """Return the operations of `Control` and of a vendor's extensions, by method and path."""
    return list_operations({None: Control, **vendor.extensions}, vendor)


def _check_word(problem: str, word: str | None, allowed: Collection[str]) -> None:
    """Raise ValueError, which begins with `problem`, unless the word is None or one of `words`."""
    if word is not None and word not in allowed:
        raise ValueError(f"{problem} {word:.40}; {suggest_name(word, allowed)}")


def _check_claim(name: str, vendors_claims: Sequence[ActiveClaims]) -> None:
    """Raise ValueError unless a vendor has an answer for the claim with this key or id."""
    keys: set[str] = set()
    for claims in vendors_claims:
        if name in claims.answers:
            return
        keys.update(claims.answers.values())
    for claims in vendors_claims:
        for claim in claims.claims:
            if claim.vendor != MOCK and name in (claim.key, claim.id):
                raise ValueError(
                    f"the claim {name} has no answer that a fault can send: it is a fact, or its "
                    "body is built for each call; use the kind json with a body"
                )
    # Of a whole area, such as didit.rate, rather than the first ones of the alphabet.
    words = set(name.split("."))
    alike = {key for key in keys if not words.isdisjoint(key.split("."))}
    _check_word("there is no claim", name, alike or keys)


def _routes_of_call(fault: Fault, routes: Iterable[Route]) -> list[Route]:
    """Return the routes of the calls at which a fault aims. Raises ValueError if it has none."""
    subject = fault.call or "call with such a picture"
    aimed = []
    for route in routes:
        if route.operation is not None and fault.call in (None, route.operation):
            aimed.append(route)
    if fault.path is not None:
        _check_path_start(subject, fault.path, {route.pattern for route in aimed})
        aimed = _routes_below(fault.path, aimed)
    methods = {method for route in aimed for method in route.handlers}
    _check_word(f"no {subject} is a", fault.method, methods)
    return aimed


def _routes_below(path: str, routes: Iterable[Route]) -> list[Route]:
    """Return the routes of which a path can start with `path`."""
    return [route for route in routes if can_start_with(route.pattern, path)]


def _check_path_start(subject: str, path: str, patterns: Collection[str]) -> None:
    """Raise ValueError unless a path that matches one of the patterns can start with `path`."""
    if not any(can_start_with(pattern, path) for pattern in patterns):
        raise ValueError(
            f"the path of no {subject} to this server begins with {path:.80}; "
            f"{suggest_name(path, patterns)}"
        )


def _check_field_if_all_are_known(field: Mapping[str, str] | None, routes: Sequence[Route]) -> None:
    """Raise ValueError for a field that no route has, if the fields of all routes are known."""
    if not routes or any(route.fields is None for route in routes):
        return
    names = {name for route in routes for name in route.fields or ()}
    for name in field or ():
        _check_word("no such call has a field", name, names)
