"""What a test may do to a mock vendor: a Python object, and the same over HTTP."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from facematch_core.backend.kinds import nearest
from facematch_mock_server.base.masking import presentable
from facematch_mock_server.base.operations import (
    Operation,
    annotations_of,
    hints_of,
    list_operations,
    operation,
    plain,
    read_fields,
)
from facematch_mock_server.base.state import UNSET, Selection, Unset, select
from facematch_mock_server.world.accounts import MAIN, Account, Accounts, World
from facematch_mock_server.world.faults import Fault, NearMiss, Stage, require_end
from facematch_mock_server.world.hosted import open_sessions
from facematch_mock_server.world.journal import Entry
from facematch_mock_server.world.kinds import Chosen, VendorKind, check_operation
from facematch_mock_server.world.services import Charge, Key, KeyKind, Rates, amount, name_keys

from .claims import Behaviours, Claim
from .recognition.outcomes import OUTCOME_FIELDS, Likeness, OutcomeKind, SetOutcome, as_field
from .vendors import explain
from .vendors.base import Route, begins_so


@attrs.frozen(kw_only=True)
class NewAccount:
    """An account that was opened.

    Attributes:
        account: Its name.
        keys: By vendor: ``live``, ``sandbox`` where the vendor has one, and ``client``, the client
            id, where its keys have one. Not in `repr`.
    """

    account: str
    keys: Mapping[str, Mapping[str, str]] = attrs.field(repr=False)


class Control:
    """What may be done to one account at one vendor; the control API has the same over HTTP. Safe
    across threads.

    Faults, time, latency, journal and `reset` are those of the account with all vendors; everything
    else is this vendor's. Nothing of it is another account's.

    What only some vendors have is an attribute, too, and `extensions` names those of this one:
    `sessions`, `webhooks`, `mailbox` and `payments` of Didit, `tokens` and `answers` of Deepvue.
    What this vendor has not got is an AttributeError.
    """

    def __init__(self, accounts: Accounts, account: Account, vendor: str) -> None:
        self._accounts, self._place, self._vendor = accounts, account.place, vendor

    @property
    def account(self) -> Account:
        """As it is now: a reset puts another in its place; or, for an hour, as it was when it was
        closed. LookupError for one that is forgotten."""
        return self._place.current

    @property
    def world(self) -> World:
        """What the account has with the vendor now."""
        return self.account.world(self._vendor)

    @property
    def open_world(self) -> World:
        """As `world`, for a change: every method that changes something asks for it. ValueError
        once the account is closed."""
        return self._place.open.world(self._vendor)

    def accounts(self) -> tuple[str, ...]:
        """The names of all accounts of the server, the oldest first."""
        return tuple(account.name for account in self._accounts.all)

    @operation("GET", "accounts", gives="accounts")
    def _list_accounts(self) -> Any:
        """The accounts of this server."""
        return [
            {"name": account.name, "calls": len(account.journal.entries),
                "opened": account.opened_at, "closed": account.closed_at}
            for account in (*self._accounts.all, *self._accounts.closed)
        ]  # fmt: skip

    @operation("GET", "")
    def _list_operations(self) -> Any:
        """All operations of this API."""
        world, vendors = self.world, self.vendors()
        below = "" if world.vendor == vendors[0] else f"{world.vendor}/"
        every = [f"{method} /__mock__/{below}{path}" for method, path in operations_of(world.kind)]
        overview = {"vendor": world.vendor, "edition": world.edition, "vendors": vendors}
        return {**overview, "operations": every}

    @operation("POST", "accounts")
    def new_account(self, name: str | None = None) -> NewAccount:
        """Open an account with a world of its own: nothing that is done in another reaches it.

        `name` is None for one that nobody has; ValueError for one that is taken or is none.
        """
        account = self._accounts.open(name)
        keys = {vendor: name_keys(texts) for vendor, texts in account.first_keys.items()}
        return NewAccount(account=account.name, keys=keys)

    @operation("POST", "accounts/close")
    def close_account(self, account: str) -> None:
        """Close an account, which can be read for an hour; ValueError for the first one,
        LookupError for none, or a closed one."""
        self._accounts.close(self._accounts.get(account).place)

    @property
    def extensions(self) -> tuple[str, ...]:
        """What this vendor has and not every one, by attribute: ``webhooks`` of Didit, say."""
        return tuple(self.world.kind.extensions)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.extensions:
            has = ", ".join(self.extensions) or "nothing beyond what every one has"
            raise AttributeError(f"the mock of {self._vendor} has no {name}; it has {has}")
        extension = self.world.kind.extension_class(name)(self)
        return self.__dict__.setdefault(name, extension)

    @operation("POST", "outcomes")
    def set_outcome(
        self,
        kind: OutcomeKind,
        *,
        score: float | Unset | None = UNSET,
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
        """Set what the next calls find. What is left out is decided as it would be else.

        Its arguments are the fields of `SetOutcome`, and `picture` instead of a digest: only calls
        with this picture, as it is or as the library sends it, without its metadata. A review is
        one that the edition or a switch can say.

        Raises:
            ValueError: a value of another type or range, values that do not go together, a field
                that the call has not, or a review in an edition without one.
        """
        arguments = {name: value for name, value in locals().items() if name != "self"}
        world = self.open_world
        vendor, outcome = world.kind, world.recognizer.make_outcome(**arguments)
        if outcome.review and not _has_review(world.claims):
            # Nobody would see it.
            able = [name for name, values in vendor.editions.items()
                if _has_review(Behaviours(vendor.claims, values))]  # fmt: skip
            hint = f"the editions that have it: {', '.join(able)}" if able else "no edition has it"
            if "in_review" in vendor.switches:
                hint += "; or set the switch in_review"
            raise ValueError(f'the edition {world.edition} has no "In Review" for a match; {hint}')
        routes = world.behaviour.routes
        _check_field(outcome.field, [route for route in routes if route.operation == outcome.kind])
        world.recognizer.waiting.add(outcome)
        return outcome

    @operation("GET", "outcomes", gives="outcomes")
    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that have not been used yet."""
        return self.world.recognizer.waiting.all

    @operation("POST", "outcomes/clear")
    def clear_outcomes(self) -> None:
        """Drop all outcomes."""
        self.open_world.recognizer.waiting.clear()

    def add_fault(self, fault: Fault) -> None:
        """Add a fault after the others; as `add_faults`."""
        self.add_faults(fault)

    def add_faults(self, *faults: Fault) -> None:
        """Add several after the others, all of them or none: each strikes a call after the one
        before it, unless they are aimed at different calls. ValueError for one that is aimed at
        what nobody can ask of this server.
        """
        account = self.open_world.account
        for fault in faults:
            if not isinstance(fault, Fault):
                raise TypeError(
                    "a fault is added as a Fault, such as "
                    f'Fault(stage="answer", kind="status", status=503), not {fault!r:.40}'
                )
            self._check_aim(fault)
        for fault in faults:
            account.faults.add(fault)

    @operation("POST", "faults", more=lambda _: annotations_of(Fault))
    def _add_faults(self, faults: Sequence[Mapping[str, Any]] | None = None, **fault: Any) -> Any:
        """Add a fault after the others, or several of them as a list, `faults`."""
        if faults is not None and fault:
            raise ValueError("faults is a list of faults, and nothing is beside it")
        records = [fault] if faults is None else faults
        if not all(isinstance(record, Mapping) for record in records):
            raise ValueError("faults must be a list of objects")
        rules = [require_end(read_fields(Fault, record)) for record in records]
        self.add_faults(*rules)
        return rules[0] if faults is None else {"faults": rules}

    def _check_aim(self, fault: Fault) -> None:
        """Refuse what would wait for ever."""
        if fault.stage is Stage.CONNECT and self.account.name != MAIN:
            raise ValueError(
                "a fault at connect strikes before anybody has shown a key, so only the first "
                "account can have one: use the stage mid_upload"
            )
        vendors = [world.behaviour for world in self.account.worlds]
        calls = {name for kind in self._accounts.kinds.values() for name in kind.operations}
        if fault.call is not None and fault.call not in calls:
            raise ValueError(f"there is no call {fault.call:.40}; {nearest(fault.call, calls)}")
        routes = [route for vendor in vendors for route in vendor.routes]
        is_for_calls = fault.call is not None or fault.is_pictured
        if is_for_calls:
            routes = [r for r in routes if r.operation and fault.call in (None, r.operation)]
        whose = "call with such a picture" if fault.is_pictured else fault.call or "request"
        if fault.path is not None:
            paths = {route.pattern for route in routes}
            if not is_for_calls:
                paths.update(path for vendor in vendors for path in vendor.known_paths())
            if not any(begins_so(path, fault.path) for path in paths):
                raise ValueError(
                    f"the path of no {whose} to this server begins with {fault.path:.80}; "
                    f"{nearest(fault.path, paths)}"
                )
            routes = [route for route in routes if begins_so(route.pattern, fault.path)]
        methods = {method for route in routes for method in route.answers}
        if is_for_calls and fault.method is not None and fault.method not in methods:
            raise ValueError(
                f"no {whose} is a {fault.method:.40}; {nearest(fault.method, methods)}"
            )
        _check_field(fault.field, routes)

    def unused(self) -> tuple[SetOutcome | Fault, ...]:
        """The outcomes, and faults without a chance below 1, that no call has used."""
        faults = [fault for fault in self.account.faults.unused if fault.chance == 1]
        return (*self.world.recognizer.waiting.unused, *faults)

    def near_misses(self) -> tuple[NearMiss, ...]:
        """Of each of `unused` the call since then that came closest."""
        nearest = {**self.world.recognizer.waiting.nearest, **self.account.faults.nearest}
        unused = ((rule, nearest.get(id(rule))) for rule in self.unused())
        return tuple(near[1] if near else NearMiss(rule=rule) for rule, near in unused)

    @operation("GET", "unused", gives="unused")
    def _list_unused(self) -> Any:
        """The outcomes and faults that no call has used, each with the call that came closest."""
        return [
            {**plain(miss.rule), "near_miss": {"call": miss.call and miss.call.number,
                "missed": miss.missed, "says": miss.says}}
            for miss in self.near_misses()
        ]  # fmt: skip

    @operation("GET", "faults", gives="faults")
    def faults(self) -> tuple[Fault, ...]:
        """The faults that have not struck yet."""
        return self.account.faults.all

    @operation("POST", "faults/clear")
    def clear_faults(self) -> None:
        """Drop all faults."""
        self.open_world.account.faults.clear()

    @operation("GET", "latency")
    def latency(self) -> dict[str, tuple[float, float]]:
        """The least and the most seconds that an answer takes, by operation; only what was set."""
        return dict(self.account.latency.spans)

    def set_latency(self, operation: str, least_s: float, most_s: float | None = None) -> None:
        """Answer an operation (``match``; `behaviours` lists them) after that many real seconds,
        0-3600; 0 for at once. With `most_s` they are drawn evenly between the two, by the seed.
        """
        check_operation(operation, self._accounts.kinds.values())
        span = (least_s,) if most_s is None else (least_s, most_s)
        self.open_world.account.latency.set(operation, *span)

    @operation("POST", "latency", then="latency")
    def _set_latency(self, operation: str, seconds: float | Sequence[float]) -> None:
        """Delay the answers of an operation by so many seconds, or by a random time of two."""
        span = seconds if isinstance(seconds, Sequence) else [seconds]
        if not 1 <= len(span) <= 2:
            raise ValueError("seconds must be a number, or the least and the most")
        self.set_latency(operation, *span)

    @operation("GET", "clock", gives="now")
    def now(self) -> dt.datetime:
        """The time of the world, UTC."""
        return self.account.clock.now()

    @operation("POST", "clock/advance", gives="now")
    def advance(self, seconds: float) -> dt.datetime:
        """Let that many seconds pass at once; ValueError unless from 0 on."""
        account = self.open_world.account
        now = account.clock.advance(seconds)
        # Whoever waits for the end of a hosted session hears of it without asking.
        for world in filter(None, map(account.find_world, self.vendors())):
            open_sessions(world)
        return now

    def balance(self) -> Decimal:
        """The credit that is left, in USD."""
        return self.world.ledger.balance

    @operation("POST", "ledger/balance", gives="balance", then="balance")
    def set_balance(self, balance: Decimal | int | str) -> None:
        """Set the credit; ValueError for no amount from 0 on with at most four places."""
        self.open_world.ledger.balance = amount(balance)

    def charges(
        self, *, what: str | None = None, since: int = 0, limit: int | None = None
    ) -> Selection[Charge]:
        """What was charged, in order; `what` is the service, `since` and `limit` are as in
        `journal`."""
        return select(self.world.ledger.entries, since=since, limit=limit, what=what)

    @operation("GET", "ledger")
    def _read_ledger(self, *, what: str | None = None, since: int = 0, limit: int = 0) -> Any:
        """The credit, and what was charged."""
        charges = self.charges(what=what, since=since, limit=limit)
        return {"balance": self.balance(), "entries": charges, "left_out": charges.left_out}

    @operation("POST", "keys", gives="key")
    def add_key(
        self,
        kind: KeyKind | str = KeyKind.LIVE,
        *,
        key: str | None = None,
        allowed: bool = True,
        expires: dt.date | None = None,
        client: str | None = None,
    ) -> str:
        """Let a key in, and give its text.

        Args:
            kind: Live or sandbox.
            key: Its text; None for a new one.
            allowed: Whether it has the right to the call.
            expires: Its last day, UTC; None for never.
            client: The client id that belongs to it, of a vendor that has such (Deepvue, where the
                key is the client secret); None for that of the first key.

        Raises:
            ValueError: a text that cannot be a key or is another account's, or a client id for a
                vendor that has none.
        """
        text = secrets.token_urlsafe(24) if key is None else key
        keys = self.account.first_keys.get(self._vendor) or self.world.kind.first_keys
        first = next(iter(keys.values())).client
        if client is not None and not (first and client.isprintable() and client.strip()):
            raise ValueError(
                "client must be a string, and the vendor one whose keys have a client id"
            )
        record = Key(kind=KeyKind(kind), allowed=allowed, expires=expires, client=client or first)
        self.open_world.add_key(text, record)
        return text

    @operation("POST", "keys/revoke")
    def revoke_key(self, key: str) -> None:
        """Take a key back; LookupError if there is none."""
        self.open_world.keys.revoke(key)

    @operation("GET", "keys", gives="keys")
    def keys(self) -> tuple[Key, ...]:
        """The keys, without their secrets."""
        return self.world.keys.all()

    @operation("GET", "limits")
    def limits(self) -> dict[str, int | None]:
        """Requests in a window by scope; None for no limit."""
        return self.world.rates.limits

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a limit at once; ValueError for an unknown scope or a wrong number."""
        self.set_limits({scope: limit})

    def set_limits(self, limits: Mapping[str, int | None]) -> None:
        """Change several limits, all of them or, with the ValueError of `set_limit`, none."""
        real = self.open_world.rates
        for rates in (Rates(real.limits), real):
            for scope, limit in limits.items():
                rates.set_limit(scope, limit)

    @operation(
        "POST", "limits", then="limits", more=lambda vendor: dict.fromkeys(vendor.rate_limits, Any)
    )
    def _set_limits(self, **limits: int | None) -> None:
        """Change rate limits."""
        self.set_limits(limits)

    def vendors(self) -> tuple[str, ...]:
        """The vendors of this server, the first one first."""
        return tuple(self._accounts.kinds)

    @operation("GET", "behaviours")
    def behaviours(self) -> dict[str, Any]:
        """Vendor, edition, what was switched, and all that may be; changed by `reset` only."""
        world, kind = self.world, self.world.kind
        return {
            "vendor": world.vendor,
            "edition": world.edition,
            "editions": list(kind.editions),
            "switches": dict(world.switches),
            "chosen": dict(kind.choose(world.edition, world.switches)[0]),
            "known": {**kind.switches, **{n: what for n, (_, what) in kind.settings.items()}},
            "operations": list(kind.operations),
        }

    @operation("POST", "reset", then="behaviours")
    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again, in another edition if you like: no session, no charge, no fault, no outcome,
        an empty journal, the numbers of each list from 1 on; the latency is that which the server
        was made with.

        The account gets a new world with every vendor, and what was under way ends in the old one.
        Its clock goes on, because time does not go back; editions and switches stay, unless others
        are given for this vendor. ValueError as for `MockServer`; then nothing was changed.
        """
        # First what may be refused: a world is changed whole or not at all.
        before = self.open_world
        kept = before.switches if switches is None else switches
        chosen = Chosen.of(before.kind, edition or before.edition, kept)
        self._accounts.reset(self._place, self._vendor, chosen)

    @operation("GET", "journal", gives="entries", named={"fields": "field"})
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
        """What was asked and answered, the oldest first; all of it, or what fits.

        Args:
            since: Only entries with a higher number: those after the last one that was seen.
            path: Only calls whose path begins so.
            status: Only calls that were answered so.
            person: Only calls with a test card of that person; the mock knows the 2,000 pictures
                that it saw last.
            fields: Only calls with these fields, as an entry shows them: ``vendor_data``, say.
            limit: Only so many, the newest; None for all. `left_out` of the result is how many
                others fit.
        """
        if type(status) not in (int, type(None)):
            raise ValueError(f"status must be a whole number, not {status!r:.40}")
        for name, text in (("path", path), ("person", person)):
            if type(text) not in (str, type(None)):
                raise ValueError(f"{name} must be a string, not {text!r:.40}")
        fields = as_field(fields or None) or {}
        card_of = self.world.recognizer.card_of
        shown = presentable(fields.items()).items()

        def fits(entry: Entry) -> bool:
            if not (entry.path.startswith(path or "") and shown <= entry.fields.items()):
                return False
            if person is None:
                return True
            cards = (card_of(file.digest) for file in entry.files if file.digest)
            return any(card is not None and card.person == person for card in cards)

        entries = self.account.journal.entries
        return select(entries, since=since, limit=limit, fits=fits, status=status)

    @operation(
        *("GET", "journal/count"),
        gives="count",
        named={"fields": "field"},
        more=lambda _: hints_of(Control.journal, without="limit"),
    )
    def _count_calls(self, **filters: Any) -> int:
        """How many calls fit."""
        return len(self.journal(**filters))

    @operation("POST", "journal/clear")
    def clear_journal(self) -> None:
        """Empty the journal."""
        self.open_world.account.journal.clear()

    def claims(self) -> tuple[Claim, ...]:
        """The claims in force."""
        return self.world.claims.claims

    @operation("GET", "claims", gives="claims")
    def _list_claims(self) -> Any:
        """The claims in force."""
        return [
            {"id": claim.id, "statement": claim.statement, "known": claim.origin.known,
                "source": claim.origin.document, "read": claim.origin.read}
            for claim in self.claims()
        ]  # fmt: skip

    @operation("GET", "claims/{}", gives="text")
    def explain(self, claim_id: str) -> str:
        """One claim in a few lines; LookupError if there is none of that id."""
        return explain(claim_id)


# For `help`: what an argument is, the table alone says.
_LINES = [f"        {row.name}: {row.says} {row.values}" for row in OUTCOME_FIELDS.values()]
Control.set_outcome.__doc__ = "\n".join([Control.set_outcome.__doc__ or "", *_LINES])


def _check_field(field: Mapping[str, str] | None, routes: Sequence[Route]) -> None:
    """Refuse a field that none of these routes has, if it is known what they have."""
    names = {name for route in routes for name in route.fields or ()}
    if field and routes and not any(route.fields is None for route in routes):
        for name in field:
            if name not in names:
                raise ValueError(f"no such call has a field {name:.40}; {nearest(name, names)}")


def _has_review(claims: Behaviours) -> bool:
    return "match.review" in claims and claims["match.review"] is not None


def operations_of(vendor: VendorKind) -> dict[tuple[str, str], Operation]:
    """The operations of every vendor and those of its extensions, by method and path."""
    owners = [(None, Control), *((n, vendor.extension_class(n)) for n in vendor.extensions)]
    every = (each for name, kind in owners for each in list_operations(kind, name, vendor))
    return {(each.method, each.path): each for each in every}
