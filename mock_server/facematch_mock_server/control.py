"""What a test may do to a mock vendor: a Python object, and the same over HTTP as a table."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from .account import MAIN, Account, Accounts, Chosen, VendorKind, World, check_operation
from .claims import Behaviours, Claim
from .faults import Fault, Stage, nearest
from .journal import Entry
from .operations import Operation
from .recognition.outcomes import Kind, Likeness, SetOutcome
from .services import Charge, Key, KeyKind, Rates, amount
from .state import UNSET, Unset
from .vendors import explain
from .vendors.base import begins_so


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

    def __init__(self, accounts: Accounts, account: str, vendor: str) -> None:
        self._accounts, self._name, self._vendor = accounts, account, vendor

    @property
    def account(self) -> Account:
        """As it is now: a reset puts another in its place. LookupError once it is closed."""
        return self._accounts.named(self._name)

    @property
    def world(self) -> World:
        """What the account has with the vendor now."""
        return self.account.world(self._vendor)

    # Accounts

    def accounts(self) -> tuple[str, ...]:
        """The names of all accounts of the server, the oldest first."""
        return tuple(account.name for account in self._accounts.all)

    def new_account(self, name: str | None = None) -> NewAccount:
        """Open an account with a world of its own: nothing that is done in another reaches it.

        `name` is None for one that nobody has; ValueError for one that is taken or is none.
        """
        made = self._accounts.open(name)
        return NewAccount(
            account=made.name,
            keys={vendor: _shown_keys(keys) for vendor, keys in made.first_keys.items()},
        )

    def close_account(self, account: str) -> None:
        """Forget an account with all it has; ValueError for the first one, LookupError for none."""
        self._accounts.close(account)

    # What only some vendors have

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
        made = self.world.kind.extension_class(name)(self)
        return self.__dict__.setdefault(name, made)

    # Outcomes

    def set_outcome(
        self,
        kind: Kind,
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
        digest: str | None = None,
        picture: bytes | None = None,
    ) -> SetOutcome:
        """Set what the next calls find. What is left out is decided as it would be else.

        Args:
            kind: ``match`` or ``liveness``.
            score: 0-100, not rounded. None: no pair of faces could be scored (match), or the model
                gave no confidence (liveness).
            review: Of a match only: whether a person is to look; True only where the edition or a
                switch can say so.
            faces: Of a liveness check only: how many there are, 0-10.
            attack: Of a liveness check only: whether an attack is recognised.
            quality, luminance: Of a liveness check only: 0-100.
            blocklist, duplicate: Of a liveness check only: whether the vendor knows the face from
                its blocklist or from another session, ``certain`` or ``possible``.
            times: For how many calls, from 1 on; None for all.
            digest: Only calls with a picture of this SHA-256 (64 hexadecimal digits).
            picture: Instead: only calls with this picture, as it is or as the library sends it,
                without its metadata.

        Raises:
            ValueError: a value of another type or range, values that do not go together, or a
                review in an edition without one.
        """
        set_outcome = getattr(self.world.recognizer, "set_outcome", None)
        if set_outcome is None:
            raise ValueError("the recognizer of this server takes no outcomes")
        if kind == "match" and review is True:
            self._check_review()
        outcome: SetOutcome = set_outcome(
            kind,
            score=score,
            review=review,
            faces=faces,
            attack=attack,
            quality=quality,
            luminance=luminance,
            blocklist=blocklist,
            duplicate=duplicate,
            times=times,
            digest=digest,
            picture=picture,
        )
        return outcome

    def _check_review(self) -> None:
        """Refuse a review that nobody would see."""
        world, kind = self.world, self.world.kind
        if _has_review(world.claims):
            return
        editions = kind.editions.items()
        able = [name for name, value in editions if _has_review(Behaviours(kind.claims, value))]
        others = f"the editions that have it: {', '.join(able)}" if able else "no edition has it"
        if "in_review" in kind.switches:
            others += "; or set the switch in_review"
        raise ValueError(f'the edition {world.edition} has no "In Review" for a match; {others}')

    def outcomes(self) -> tuple[SetOutcome, ...]:
        """The outcomes that have not been used yet."""
        return tuple(getattr(self.world.recognizer, "outcomes", ()))

    def clear_outcomes(self) -> None:
        """Drop all outcomes."""
        clear = getattr(self.world.recognizer, "clear", None)
        if clear is not None:
            clear()

    # Faults and latency

    def add_fault(self, fault: Fault) -> None:
        """Add a fault after the others; as `add_faults`."""
        self.add_faults(fault)

    def add_faults(self, *faults: Fault) -> None:
        """Add several after the others, all of them or none: each strikes a call after the one
        before it, unless they are aimed at different calls. ValueError for one that is aimed at
        what nobody can ask of this server.
        """
        for fault in faults:
            if not isinstance(fault, Fault):
                raise TypeError(
                    "a fault is added as a Fault, such as "
                    f'Fault(stage="answer", kind="status", status=503), not {fault!r:.40}'
                )
            self._check_aim(fault)
        for fault in faults:
            self.account.faults.add(fault)

    def _check_aim(self, fault: Fault) -> None:
        """Refuse what would wait for ever."""
        if fault.stage is Stage.CONNECT and self._name != MAIN:
            raise ValueError(
                "a fault at connect strikes before anybody has shown a key, so only the first "
                "account can have one: use the stage mid_upload"
            )
        vendors = [one.behaviour for one in self.account.worlds]
        calls = {name for one in vendors for name in one.world.kind.operations}
        if fault.call is not None and fault.call not in calls:
            raise ValueError(f"there is no call {fault.call:.40}; {nearest(fault.call, calls)}")
        path = fault.path
        paths = {known for one in vendors for known in one.paths_for(fault)}
        if path is not None and not any(begins_so(known, path) for known in paths):
            whose = "call with such a picture" if fault.is_pictured else fault.call or "request"
            raise ValueError(
                f"the path of no {whose} to this server begins with {path:.80}; "
                f"{nearest(path, paths)}"
            )

    def unused(self) -> tuple[SetOutcome | Fault, ...]:
        """The outcomes, and faults without a chance below 1, that no call has used."""
        faults = self.account.faults.unused
        outcomes: tuple[SetOutcome, ...] = getattr(self.world.recognizer, "unused", ())
        return (*outcomes, *(one for one in faults if one.chance == 1))

    def faults(self) -> tuple[Fault, ...]:
        """The faults that have not struck yet."""
        return self.account.faults.all

    def clear_faults(self) -> None:
        """Drop all faults."""
        self.account.faults.clear()

    def latency(self) -> dict[str, tuple[float, float]]:
        """The least and the most seconds that an answer takes, by operation; only what was set."""
        return self.account.latency.all()

    def set_latency(self, operation: str, least_s: float, most_s: float | None = None) -> None:
        """Answer an operation (``match``; `behaviours` lists them) after that many real seconds,
        0-3600; 0 for at once. With `most_s` they are drawn evenly between the two, by the seed.
        """
        check_operation(operation, [self.world.kind])
        span = (least_s,) if most_s is None else (least_s, most_s)
        self.account.latency.set(operation, *span)

    # Time

    def now(self) -> dt.datetime:
        """The time of the world, UTC."""
        return self.account.clock.now()

    def advance(self, seconds: float) -> dt.datetime:
        """Let that many seconds pass at once; ValueError unless from 0 on."""
        return self.account.clock.advance(seconds)

    # Money

    def balance(self) -> Decimal:
        """The credit that is left, in USD."""
        return self.world.ledger.balance

    def set_balance(self, balance: Decimal | int | str) -> None:
        """Set the credit; ValueError for no amount from 0 on with at most four places."""
        self.world.ledger.balance = amount(balance)

    def charges(self) -> tuple[Charge, ...]:
        """What was charged, in order."""
        return self.world.ledger.entries

    # Keys and limits

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
        made = Key(kind=KeyKind(kind), allowed=allowed, expires=expires, client=client or first)
        self.world.add_key(text, made)
        return text

    def revoke_key(self, key: str) -> None:
        """Take a key back; LookupError if there is none."""
        self.world.keys.revoke(key)

    def keys(self) -> tuple[Key, ...]:
        """The keys, without their secrets."""
        return self.world.keys.all()

    def limits(self) -> dict[str, int | None]:
        """Requests in a window by scope; None for no limit."""
        return self.world.rates.limits

    def set_limit(self, scope: str, limit: int | None) -> None:
        """Change a limit at once; ValueError for an unknown scope or a wrong number."""
        self.set_limits({scope: limit})

    def set_limits(self, limits: Mapping[str, int | None]) -> None:
        """Change several limits, all of them or, with the ValueError of `set_limit`, none."""
        trial = Rates(self.world.rates.limits)
        for rates in (trial, self.world.rates):
            for scope, limit in limits.items():
                rates.set_limit(scope, limit)

    # The world

    def vendors(self) -> tuple[str, ...]:
        """The vendors of this server, the first one first."""
        return tuple(self._accounts.kinds)

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

    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again: no session, no charge, no fault, no outcome, an empty journal; the latency
        is that which the server was made with.

        The account gets a new world with every vendor, and what was under way ends in the old one.
        Its clock goes on, because time does not go back; editions and switches stay, unless others
        are given for this vendor. ValueError as for `MockServer`; then nothing was changed.
        """
        # First what may be refused: a world is changed whole or not at all.
        before = self.world
        kept = before.switches if switches is None else switches
        chosen = Chosen.of(before.kind, edition or before.edition, kept)
        self._accounts.reset(self._name, self._vendor, chosen)

    def journal(
        self,
        *,
        since: int = 0,
        path: str | None = None,
        status: int | None = None,
        person: str | None = None,
        fields: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> tuple[Entry, ...]:
        """What was asked and answered, the oldest first; all of it, or what fits.

        Args:
            since: Only entries with a higher number.
            path: Only calls whose path begins so.
            status: Only calls that were answered so.
            person: Only calls with a test card of that person; the mock knows the 2,000 pictures
                that it saw last.
            fields: Only calls with these fields, as an entry shows them: ``vendor_data``, say.
            limit: Only so many, the newest; None for all.
        """
        for name, number in (("since", since), ("status", status), ("limit", limit)):
            if number is not None and (type(number) is not int or number < 0):
                raise ValueError(f"{name} must be a whole number from 0, not {number!r:.40}")
        journal = self.account.journal
        card_of = getattr(self.world.recognizer, "card_of", lambda _: None)

        def shows(entry: Entry) -> bool:
            cards = (card_of(file.digest) for file in entry.files if file.digest)
            return any(card is not None and card.person == person for card in cards)

        fits = None if person is None else shows
        found = journal.find(since=since, path=path, status=status, fields=fields, fits=fits)
        return tuple(found if limit is None else found[len(found) - min(limit, len(found)) :])

    def count(self, **filters: Any) -> int:
        """How many entries `journal` has for the same arguments."""
        return len(self.journal(**filters))

    def clear_journal(self) -> None:
        """Empty the journal."""
        self.account.journal.clear()

    def claims(self) -> tuple[Claim, ...]:
        """The claims in force."""
        return self.world.claims.claims

    def explain(self, claim_id: str) -> str:
        """One claim in a few lines; LookupError if there is none of that id."""
        return explain(claim_id)


def _has_review(claims: Behaviours) -> bool:
    return "match.review" in claims and claims["match.review"] is not None


def _shown_keys(keys: Mapping[str, Key]) -> dict[str, str]:
    shown = {str(key.kind): text for text, key in keys.items()}
    client = next((key.client for key in keys.values()), None)
    return shown if client is None else {**shown, "client": client}


# The same over HTTP


def _accounts(control: Control) -> Any:
    every = control._accounts.all  # noqa: SLF001 - one of our own
    return [{"name": one.name, "calls": len(one.journal.entries)} for one in every]


def _overview(control: Control) -> Any:
    behaviours, vendors = control.behaviours(), control.vendors()
    vendor = behaviours["vendor"]
    below = "" if vendor == vendors[0] else f"{vendor}/"
    every = operations_of(control.world.kind)
    return {
        "vendor": vendor,
        "edition": behaviours["edition"],
        "vendors": list(vendors),
        "operations": [f"{method} /__mock__/{below}{path}" for method, path in every],
    }


def _add_faults(control: Control, faults: Any = None, **sent: Any) -> Any:
    """Add one fault, or those of a list."""
    if faults is not None and (sent or not isinstance(faults, list)):
        raise ValueError("faults must be a list of faults, and then nothing is beside it")
    made: list[Fault] = []
    for one in [sent] if faults is None else faults:
        if not isinstance(one, dict):
            raise TypeError(f"each of faults must be an object, not {one!r:.40}")
        _FAULT(made, "", one)
        if made[-1].stage is Stage.CONNECT and made[-1].times is None:
            raise ValueError(
                "a fault at connect without an end would refuse the request that clears it, too: "
                "give times, or use the stage mid_upload with a path of the vendor"
            )
    control.add_faults(*made)
    return made[0] if faults is None else {"faults": made}


def _ledger(control: Control) -> Any:
    return {"balance": control.balance(), "entries": control.charges()}


def _set_balance(control: Control, balance: Any) -> Any:
    control.set_balance(balance)
    return {"balance": control.balance()}


def _add_key(control: Control, **sent: Any) -> str:
    sent = {name: value for name, value in sent.items() if value is not None}
    return control.add_key(**sent)


def _set_limits(control: Control, **limits: Any) -> Any:
    control.set_limits(limits)
    return control.limits()


def _set_latency(control: Control, operation: str, seconds: float | Sequence[float]) -> Any:
    span: list[Any] = list(seconds) if isinstance(seconds, list) else [seconds]
    if not 1 <= len(span) <= 2:
        raise ValueError("seconds must be a number, or the least and the most")
    control.set_latency(operation, *span)
    return control.latency()


def _reset(control: Control, edition: str | None = None, switches: Any = None) -> Any:
    control.reset(edition=edition, switches=switches)
    return control.behaviours()


def _journal(control: Control, limit: int | None = None, **asked: Any) -> Any:
    found = control.journal(**_asked(**asked))
    shown = min(_ENTRIES if limit is None else limit, len(found))
    entries = [entry.to_dict() for entry in found[len(found) - shown :]]
    return {"entries": entries, "left_out": len(found) - shown}


def _asked(field: str | None = None, **asked: Any) -> dict[str, Any]:
    """The arguments of `Control.journal` for what a query says."""
    if field is not None:
        name, equals, value = field.partition("=")
        if not equals:
            raise ValueError(f"field must be NAME=VALUE, not {field!r:.40}")
        asked["fields"] = {name: value}
    return asked


def _claim(claim: Claim) -> Any:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "known": str(claim.origin.known),
        "source": claim.origin.document,
        "read": claim.origin.read,
    }


#: Reads one fault into a list.
_FAULT = Operation(
    "POST",
    "faults",
    lambda made, **sent: made.append(Fault(**sent)),
    "Add a fault.",
    {"stage!": "text", "kind!": "text"}
    | dict.fromkeys((one.name for one in attrs.fields(Fault)[2:]), "any")
    | {"chance": "number", "seconds": "number"},
)
_OUTCOME = {
    "kind!": "text",
    **dict.fromkeys(("score", "quality", "luminance"), "number"),
    **dict.fromkeys(
        ("review", "faces", "attack", "blocklist", "duplicate", "times", "digest"), "any"
    ),
}
#: What narrows the journal down, and how many entries an answer has unless more are asked for.
_FILTERS = {"since": "count", "path": "text", "status": "count", "person": "text", "field": "text"}
_ENTRIES = 1000

# fmt: off
#: Of every vendor.
OPERATIONS = (
    Operation("GET", "", _overview, "All operations of this API."),
    Operation("GET", "accounts", _accounts, "The accounts of this server.", gives="accounts"),
    Operation("POST", "accounts", Control.new_account,
        "Open an account with keys, credit, faults and a clock of its own.", {"name": "text"}),
    Operation("POST", "accounts/close", Control.close_account, "Forget an account.",
        {"account!": "text"}),
    Operation("GET", "outcomes", Control.outcomes, "The outcomes that have not been used yet.",
        gives="outcomes"),
    Operation("POST", "outcomes", Control.set_outcome, "Set the outcome of the next calls.",
        _OUTCOME),
    Operation("POST", "outcomes/clear", Control.clear_outcomes, "Drop all outcomes."),
    Operation("GET", "faults", Control.faults, "The faults that have not struck yet.",
        gives="faults"),
    Operation("POST", "faults", _add_faults,
        "Add a fault after the others, or several of them: a list, `faults`.",
        dict.fromkeys(("faults", *(one.name for one in attrs.fields(Fault))), "any")),
    Operation("POST", "faults/clear", Control.clear_faults, "Drop all faults."),
    Operation("GET", "unused", Control.unused, "The outcomes and faults that no call has used.",
        gives="unused"),
    Operation("GET", "latency", Control.latency, "How long answers take, where you set it."),
    Operation("POST", "latency", _set_latency,
        "Delay the answers of an operation by that many seconds, or by a random time between two.",
        {"operation!": "text", "seconds!": "seconds"}),
    Operation("GET", "clock", Control.now, "The time of the mock.", gives="now"),
    Operation("POST", "clock/advance", Control.advance, "Let that many seconds pass at once.",
        {"seconds!": "number"}, gives="now"),
    Operation("GET", "ledger", _ledger, "The credit, and what was charged."),
    Operation("POST", "ledger/balance", _set_balance, "Set the credit.", {"balance!": "any"}),
    Operation("GET", "keys", Control.keys, "The keys, without their secrets.", gives="keys"),
    Operation("POST", "keys", _add_key, "Add a key.",
        {"kind": "text", "key": "text", "allowed": "flag", "expires": "date", "client": "text"},
        gives="key"),
    Operation("POST", "keys/revoke", Control.revoke_key, "Revoke a key.", {"key!": "text"}),
    Operation("GET", "limits", Control.limits, "The rate limits, by scope."),
    Operation("GET", "behaviours", Control.behaviours,
        "Vendor, edition, the switches set, and all switches."),
    Operation("GET", "journal", _journal,
        "The calls, with what was sent and answered: the newest 1,000 that fit, unless limit says "
        "otherwise.", {**_FILTERS, "limit": "count"}),
    Operation("GET", "journal/count",
        lambda control, **asked: control.count(**_asked(**asked)),
        "How many calls fit.", _FILTERS, gives="count"),
    Operation("POST", "journal/clear", Control.clear_journal, "Empty the journal."),
    Operation("POST", "reset", _reset, "Start again, in another edition if you like.",
        {"edition": "text", "switches": "object"}),
    Operation("GET", "claims", lambda control: [_claim(one) for one in control.claims()],
        "The claims in force.", gives="claims"),
    Operation("GET", "claims/{}", Control.explain, "One claim in a few lines.", gives="text"),
)
# fmt: on


def operations_of(vendor: VendorKind) -> dict[tuple[str, str], Operation]:
    """The operations of every vendor and those of its extensions, by method and path."""
    takes = dict.fromkeys(vendor.rate_limits, "any")
    limits = Operation("POST", "limits", _set_limits, "Change rate limits.", takes)
    found = {(one.method, one.path): one for one in (*OPERATIONS, limits)}
    for name in vendor.extensions:
        for one in vendor.extension_class(name).OPERATIONS:
            found[one.method, one.path] = one
    return found
