"""A vendor as a set of claims, switches and settings, and the switches of one account."""

from __future__ import annotations

import contextlib
import functools
import operator
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs

from facematch_core.backend.kinds import nearest
from facematch_mock_server.base.messages import Request
from facematch_mock_server.claims import MOCK_CLAIMS, Behaviours, Claim

from .services import Key, amount

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


@attrs.frozen
class Serve:
    """Serves a method of `Control`, or of an extension, in the control API, too.

    The method's annotations define its values; the docstring's first sentence is the help.

    Attributes:
        method, path: The HTTP method, and the path below the prefix; ``{}`` at the end of the path
            is the first argument.
        gives: The name of the result in the answer; None if the result is an object itself.
        count: Whether the answer has the length of the result instead of the result.
        named: The HTTP name of each argument whose name differs over HTTP.
        more: Returns the annotations of ``**`` arguments by name, for a vendor.
    """

    method: str
    path: str
    gives: str | None = attrs.field(default=None, kw_only=True)
    count: bool = attrs.field(default=False, kw_only=True)
    named: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)
    more: Callable[[Any], Mapping[str, Any]] = attrs.field(default=lambda _: {}, kw_only=True)

    def __call__(self, run: F) -> F:
        run.__dict__["rows"] = (self, *getattr(run, "rows", ()))
        return run


class Extension(Generic[R]):
    """The part of `Control` that only one vendor has. Thread-safe."""

    def __init__(self, control: Any) -> None:
        self._control = control

    @property
    def _records(self) -> R:
        # Read each time: a reset gives the account new ones.
        records: R = self._control.world.records
        return records


# There is one object for each vendor, compared by identity.
@attrs.frozen(kw_only=True, eq=False)
class VendorKind:
    """A vendor before it has a world: its claims and its settings.

    An entry point of the group ``facematch.mock_vendors`` names one.

    Attributes:
        name: The name of the vendor's folder, or of its entry point; `title` is as people write it.
        switches: Named behaviours that may be set, with their values; the first is the default.
        settings: Numbers that may be set: the claim's key, and the kind of number it takes.
        rate_limits: The claim that holds the limit, by scope.
        operations: The names of its calls for latency and faults: ``match``, say.
        hosts: The vendor's own hosts in lower case; ``*.`` at the beginning stands for one label.
        first_keys: The keys that work at once, by text.
        records, behaviour, outbox: Make the further state of a world, the object that answers its
            requests, and the one that sends its webhooks (None without).
        key_of: Returns the key or the client id that a request shows; it names the account.
        new_text: Makes a key or a client id of another account, from the first one and letters.
        extensions: The classes of the attributes that `Control` has for this vendor alone, by name.
        greeting: The output of the command line about it: its keys, then commands to paste, with
            ``{url}``. Empty for a list of `first_keys`.
        samples: Asks a `Sampler` what its OpenAPI document is made from; None for no document.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    switches: Mapping[str, tuple[Any, ...]] = attrs.field(factory=dict)
    settings: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    rate_limits: Mapping[str, str] = attrs.field(factory=dict)
    operations: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    first_keys: Mapping[str, Key]
    records: Callable[[], Any] = object
    behaviour: Callable[[Any], Any]
    outbox: Callable[[Any], Any] | None = None
    key_of: Callable[[Request], str | None] = operator.methodcaller("header", "x-api-key")
    new_text: Callable[[str, str], str] = "{}-{}".format
    extensions: Mapping[str, type[Extension[Any]]] = attrs.field(factory=dict)
    greeting: tuple[str, ...] = ()
    samples: Callable[[Any], None] | None = None

    def new_keys(self) -> dict[str, Key]:
        """Make the first keys of another account."""
        letters, keys = secrets.token_hex(8), {}
        for text, key in self.first_keys.items():
            client = key.client and self.new_text(key.client, letters)
            keys[self.new_text(text, letters)] = attrs.evolve(key, client=client)
        return keys

    def has_host(self, host: str | None) -> bool:
        """Whether a Host header, or the host of an address, is one of the vendor's own."""
        name = (host or "").partition(":")[0].lower()
        return name in self.hosts or f"*.{name.partition('.')[2]}" in self.hosts

    def choose(self, switches: Mapping[str, Any]) -> Behaviours:
        """Return the claims in force with these switches.

        A string is read as on the command line. Raises ValueError for an unknown switch or a value
        that does not fit.
        """
        chosen, settings = {name: values[0] for name, values in self.switches.items()}, {}
        for name, value in switches.items():
            if name in self.settings:
                key, kind = self.settings[name]
                settings[key] = _read(name, value, *NUMBERS[kind])
            elif name in self.switches:
                values = self.switches[name]
                takes = " or ".join(map(str, values))
                chosen[name] = _read(name, value, functools.partial(_choose, values), takes)
            else:
                hint = nearest(name, (*self.switches, *self.settings))
                raise ValueError(f"there is no switch {name:.60}; {hint}")
        return Behaviours((*self.claims, *MOCK_CLAIMS), chosen, settings, switches)


def _read(name: str, value: Any, read: Callable[[Any], Any], takes: str) -> Any:
    with contextlib.suppress(ValueError, TypeError):
        return read(value)
    raise ValueError(f"the switch {name} takes {takes}, not {value!r:.60}")


def _choose(values: tuple[Any, ...], value: Any) -> Any:
    for each in values:
        # True equals 1, so the type counts as well.
        is_equal = type(each) is type(value) and each == value
        if is_equal or (isinstance(value, str) and str(each).lower() == value.lower()):
            return each
    raise ValueError


def _count(value: Any, least: int = 1) -> int:
    number = int(value) if isinstance(value, str) else value
    if type(number) is not int or number < least:
        raise ValueError
    return number


#: The reader and the description of each kind of number.
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
    kinds: Sequence[VendorKind], switches: Mapping[str, Any] | None
) -> dict[str, Behaviours]:
    """Return each vendor's claims by name; a bare switch applies to the first that has it."""
    each: dict[str, dict[str, Any]] = {kind.name: {} for kind in kinds}
    for word, value in (switches or {}).items():
        owner, given = word, value
        if not isinstance(value, Mapping):
            owner, name = owner_of(kinds, word)
            given = {name: value}
        if owner not in each:
            raise ValueError(f"there is no vendor {owner:.60} here; there is {', '.join(each)}")
        for name in given.keys() & each[owner]:
            raise ValueError(f"the switch {owner}.{name} is given twice")
        each[owner] |= given
    return {kind.name: kind.choose(each[kind.name]) for kind in kinds}


def owner_of(kinds: Sequence[VendorKind], word: str) -> tuple[str, str]:
    """Return the vendor of a switch, the first if none has it, and its bare name."""
    name, dot, switch = word.partition(".")
    if dot:
        return name, switch
    owners = (kind.name for kind in kinds if word in {*kind.switches, *kind.settings})
    return next(owners, kinds[0].name), word
