"""Definitions of vendors (claims, switches, settings), and the choice of their switches."""

from __future__ import annotations

import contextlib
import functools
import operator
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from facematch_core.backend.kinds import suggest_name
from facematch_mock_server.base.messages import Request
from facematch_mock_server.claims import MOCK_CLAIMS, ActiveClaims, Claim

from .drilled import DrillFacts
from .keys import Key
from .money import amount
from .set_values import DocumentedValues
from .variables import Variables

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


@attrs.frozen(kw_only=True)
class ControlEndpoint:
    """How the control API serves a method; for the attributes see `endpoint`."""

    method: str
    path: str
    result_key: str | None = None
    count: bool = False
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    extra_parameters: Callable[[Vendor], Mapping[str, Any]] = lambda _: {}


def endpoint(method: str, path: str, **options: Any) -> Callable[[F], F]:
    """Mark a method of `Control` or of an extension as served by the control API.

    Values are parsed according to the annotations. The docstring's first sentence is the help. A
    method can be marked several times.

    Args:
        method: The HTTP method.
        path: The path below the prefix; ``{}`` at its end is the first argument.
        options: `result_key`: The key of the result in the response; None if the result itself is
            the response. `count`: Whether to return the length of the result instead of the
            result. `aliases`: The HTTP names of arguments, if different from the Python names.
            `extra_parameters`: A function that returns the annotations of a vendor's ``**``
            arguments by name.
    """

    def mark(run: F) -> F:
        served = ControlEndpoint(method=method, path=path, **options)
        run.__dict__["endpoints"] = (served, *getattr(run, "endpoints", ()))
        return run

    return mark


class Extension(Generic[R]):
    """A part of `Control` that only one vendor has. Thread-safe."""

    def __init__(self, control: Any) -> None:
        self._control = control

    @property
    def _records(self) -> R:
        # Looked up each time, because a reset replaces the account's records.
        records: R = self._control.world.records
        return records


@attrs.frozen
class Credentials:
    """The key in a request and the client id beside it; None for what the request lacks."""

    key: str | None
    client: str | None = None


# Each vendor has one object, so objects are compared by identity.
def _usual_settings(vendor: Vendor) -> Mapping[str, tuple[str, str]]:
    has_price = any(claim.key == "credit.price" for claim in vendor.claims)
    return {"price": ("credit.price", "amount")} if has_price else {}


# With a decorated default in place of a factory, Pyright asks plug-ins for an argument.
@attrs.frozen(kw_only=True, eq=False)
class Vendor:
    """The definition of a vendor, shared by all its worlds.

    Other distributions can add vendors with entry points in the group ``facematch.mock_vendors``.

    Attributes:
        name, title: The name of the vendor's folder or entry point, and its display name.
        switches: The values that each switch allows; the first value is the default.
        settings: The numeric settings, each with the key of its claim and its type of number. By
            default ``price``, if there is a claim ``credit.price``.
        rate_limits: Keys of the claims that define the rate limits, by scope.
        documented_values: The values that a test can set in answers.
        operations: The vendor's calls, as named in latency and faults, such as ``match``.
        hosts: The vendor's own hosts in lower case. A leading ``*.`` matches one label.
        page_host: The one of `hosts` with the pages of sessions, to which links lead behind a door;
            None if they lead to the host that was called.
        demo_hosts: The vendor's public demonstrations of a server that customers run themselves.
        first_keys: The keys that are valid from the start, by their text.
        sandbox_prefixes: The texts with which the vendor's keys, or client ids, of a sandbox begin.
        variables: The environment variables from which programs take the keys and the address.
        records, behaviour, outbox: Factories for a world's additional state, for the object that
            handles its requests, and for its webhook outbox (None if the vendor has none).
        key_of: Returns the key or client id in a request, which identifies the account.
        credentials_of: Returns a request's key with its client id; without a key for a token that
            the mock itself issued. None if the key is what `key_of` returns. Not for a vendor whose
            requests are signed.
        sign_again: Returns a request with the key id ``client`` and the signature of ``secret``;
            None if requests are not signed.
        drilled: The facts by which `facematch drill` judges an application.
        new_text: Makes a new account's key or client id from one in `first_keys` and letters.
        extensions: The classes of the `Control` attributes that only this vendor has, by name.
        greeting: The lines that the command line prints about the vendor: the keys, then commands
            to paste, with ``{url}``. If empty, it prints the keys in `first_keys`.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    switches: Mapping[str, tuple[Any, ...]] = attrs.field(factory=dict)
    settings: Mapping[str, tuple[str, str]] = attrs.field(
        default=attrs.Factory(_usual_settings, takes_self=True)
    )
    rate_limits: Mapping[str, str] = attrs.field(factory=dict)
    documented_values: DocumentedValues = attrs.field(factory=dict)
    operations: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    page_host: str | None = None
    demo_hosts: frozenset[str] = frozenset()
    first_keys: Mapping[str, Key]
    sandbox_prefixes: tuple[str, ...] = ()
    variables: Variables = attrs.field(factory=Variables)
    records: Callable[[], Any] = object
    behaviour: Callable[[Any], Any]
    outbox: Callable[[Any], Any] | None = None
    key_of: Callable[[Request], str | None] = operator.methodcaller("header", "x-api-key")
    credentials_of: Callable[[Request], Credentials] | None = None
    sign_again: Callable[..., Request] | None = None
    drilled: DrillFacts = DrillFacts()  # noqa: RUF009 - it is frozen
    new_text: Callable[[str, str], str] = "{}-{}".format
    extensions: Mapping[str, type[Extension[Any]]] = attrs.field(factory=dict)
    greeting: tuple[str, ...] = ()

    def new_keys(self) -> dict[str, Key]:
        """Make the first keys for an additional account."""
        letters = secrets.token_hex(8)
        keys = {}
        for text, key in self.first_keys.items():
            client = None if key.client is None else self.new_text(key.client, letters)
            keys[self.new_text(text, letters)] = attrs.evolve(key, client=client)
        return keys

    def read_credentials(self, request: Request) -> Credentials:
        """Return the key in a request, as the mock reads it, and its client id."""
        if self.credentials_of is None:
            return Credentials(self.key_of(request))
        return self.credentials_of(request)

    def has_host(self, host: str | None) -> bool:
        """Return whether a host, with or without a port, is one of the vendor's hosts."""
        name = (host or "").partition(":")[0].lower()
        known_hosts = self.hosts | self.demo_hosts
        return name in known_hosts or f"*.{name.partition('.')[2]}" in known_hosts

    def choose(self, switches: Mapping[str, Any]) -> ActiveClaims:
        """Return the claims that apply with these switches and settings.

        Strings are parsed as on the command line. Raises ValueError for an unknown switch or an
        invalid value.
        """
        chosen = {name: values[0] for name, values in self.switches.items()}
        settings = {}
        for name, value in switches.items():
            if name in self.settings:
                claim, number_type = self.settings[name]
                read_number, description = NUMBERS[number_type]
                settings[claim] = _read_switch(name, value, read_number, description)
            elif name in self.switches:
                values = self.switches[name]
                description = " or ".join(map(str, values))
                choose = functools.partial(_choose, values)
                chosen[name] = _read_switch(name, value, choose, description)
            else:
                hint = suggest_name(name, (*self.switches, *self.settings))
                raise ValueError(f"unknown switch {name[:60]!r}; {hint}")
        return ActiveClaims((*self.claims, *MOCK_CLAIMS), chosen, settings, switches)


def _read_switch(name: str, value: Any, read: Callable[[Any], Any], description: str) -> Any:
    """Return `read(value)`; if that fails, raise ValueError with a description of valid values."""
    with contextlib.suppress(ValueError, TypeError):
        return read(value)
    raise ValueError(f"the switch {name} takes {description}, not {value!r:.60}")


def _choose(values: tuple[Any, ...], value: Any) -> Any:
    """Return the allowed value that equals `value`, or has the same text. Raises ValueError."""
    for allowed in values:
        # Compare the type as well: True == 1.
        if type(allowed) is type(value) and allowed == value:
            return allowed
        if isinstance(value, str) and str(allowed).lower() == value.lower():
            return allowed
    raise ValueError


def _count(value: Any, low: int = 1) -> int:
    number = int(value) if isinstance(value, str) else value
    if type(number) is not int or number < low:
        raise ValueError
    return number


#: The parser and the description of each type of number.
NUMBERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "count": (_count, "a whole number from 1"),
    "seconds": (_count, "a whole number from 1"),
    "limit": (
        lambda value: None if value in (None, "none") else _count(value, 0),
        "a whole number from 0, or none for no limit",
    ),
    "amount": (
        amount,
        'an amount from 0 to 1e12 with at most four decimals, as text ("0.02") or a whole number',
    ),
}


def choose_each(
    vendors: Sequence[Vendor], switches: Mapping[str, Any] | None
) -> dict[str, ActiveClaims]:
    """Return the claims by vendor. Raise ValueError for an unknown name, and a switch given twice.

    A switch without a vendor's name applies to each vendor that has it.
    """
    switches_of: dict[str, dict[str, Any]] = {vendor.name: {} for vendor in vendors}
    for word, value in (switches or {}).items():
        if isinstance(value, Mapping):
            # A vendor's name, with its switches.
            owners = [word]
            added = value
        else:
            owners = owners_of(vendors, word)
            added = {word.rpartition(".")[2]: value}
        for owner in owners:
            if owner not in switches_of:
                vendor_names = ", ".join(switches_of)
                raise ValueError(f"unknown vendor {owner:.60}; known are {vendor_names}")
            for name in added.keys() & switches_of[owner]:
                raise ValueError(f"the switch {owner}.{name} is given twice")
            switches_of[owner] |= added
    return {vendor.name: vendor.choose(switches_of[vendor.name]) for vendor in vendors}


def owners_of(vendors: Sequence[Vendor], switch: str) -> list[str]:
    """Return the vendors that get a switch, by name: the one in it, or all that have it.

    If none has it, it is the first, which refuses it.
    """
    owner, dot, _ = switch.partition(".")
    if dot:
        return [owner]
    owners = [each.name for each in vendors if switch in each.switches or switch in each.settings]
    return owners or [vendors[0].name]
