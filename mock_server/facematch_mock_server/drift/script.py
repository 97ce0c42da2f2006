"""What is asked of a vendor, as data.

A vendor's script is a module of `scripts` named after it, or the entry point of that name in the
group ``facematch.drift_scripts``; either way its name for it is ``SCRIPT``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal
from urllib.parse import quote

import attrs

GROUP = "facematch.drift_scripts"


#: Which key a request shows.
Key = Literal["own", "none", "wrong"]


#: What is sent as a file. Given by the owner: somebody, the same person, somebody else. Made
#: of them: the probe below the reference, and the probe on its side. Else a grey area, bytes that
#: are no picture, no bytes, and files around the limit of size.
Picture = Literal[
    "probe", "reference", "other", "two", "turned", "blank", "noise", "empty", "nearly", "big"
]


@attrs.frozen
class File:
    """A file of a form; `name` None is the field's name with the ending of the picture.

    `data` is what the model is shown instead of its own card for the picture.
    """

    field: str
    picture: Picture
    name: str | None = None
    data: bytes | None = attrs.field(default=None, repr=False)


#: Reads a value of a decoded answer, for a later request; None if it is not there.
Reader = Callable[[Mapping[str, Any]], str | None]


@attrs.frozen(kw_only=True)
class Step:
    """One request. ``{name}`` in path, fields and query stands for a value of an earlier answer.

    Attributes:
        name: Unique in the script, for reports.
        method, path, fields, files, query, json: Of the request.
        key: Which one it shows.
        pays: The operation that an answer 200 is charged as; None for what is free.
        reads: Values of the answer for later requests, each side its own: ids.
        shares: Likewise, but the model sends the target's: scores.
        change: The key of an amount of money of which its change is compared, not its value.
        keeps, removes: The value with the id of the session that is kept, or deleted.
    """

    name: str
    path: str
    method: str = "POST"
    key: Key = "own"
    fields: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[File, ...] = ()
    query: Mapping[str, str] = attrs.field(factory=dict)
    json: Any = None
    pays: str | None = None
    reads: Mapping[str, Reader] = attrs.field(factory=dict)
    shares: Mapping[str, Reader] = attrs.field(factory=dict)
    change: str | None = None
    keeps: str | None = None
    removes: str | None = None

    def filled(self, values: Mapping[str, str]) -> Step | None:
        """The request with the values in place; None if one is missing."""
        try:
            return attrs.evolve(
                self,
                path=self.path.format_map({name: quote(v, safe="") for name, v in values.items()}),
                fields={name: text.format_map(values) for name, text in self.fields.items()},
                query={name: text.format_map(values) for name, text in self.query.items()},
            )
        except KeyError:
            return None


@attrs.frozen(kw_only=True)
class Chain:
    """Steps that build on each other and on no other chain; `group` is what people leave out."""

    name: str
    group: str
    steps: tuple[Step, ...]


@attrs.frozen(kw_only=True)
class Heard:
    """A request and its answer. Its `repr` shows neither.

    Attributes:
        step: The request as the script has it.
        status: Of the answer.
        headers: Names in lower case.
        body: Decoded; a text for what is no JSON; None without one.
        own: Ids of our sessions so far.
        change: By how much the amount of `Step.change` fell since it was last read, in words.
        claims: Ids of the claims that a mock's answer names.
    """

    step: Step = attrs.field(repr=False)
    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: Any = attrs.field(default=None, repr=False)
    own: frozenset[str] = attrs.field(default=frozenset(), repr=False)
    change: str | None = None
    claims: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Sight:
    """What the target saw in the pictures of a request, for the model to see the same.

    Attributes:
        operation, outcome: Arguments of `Control.set_outcome`; no outcome leaves it to the model.
        cards: Test cards that the model is shown instead of its usual ones, by field.
    """

    operation: Literal["match", "liveness"]
    outcome: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    cards: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Script:
    """What is asked of a vendor.

    Attributes:
        vendor, title: Its name, and as people write it.
        chains: In order; the very first step is free and shows whether the key is good.
        groups: What each group is, for people.
        opt_in: Groups that are only asked if somebody says so.
        leaves_records: Groups whose calls are kept until the end.
        seen: What the target saw in the pictures of a chain, by the name of the step.
        credentials: Attributes of the backend with a secret, by the name of the value: ``key`` and,
            where the vendor has such, ``client``. Headers and fields name them as ``{key}``.
        headers: Of each request with a key; those with a missing value are left out.
        prices: The claim with the list price of an operation, by its word in `Step.pays`.
        currency: Of the prices.
        session: The key of an answer that holds the id of the session, if one was kept.
        delete: The path that deletes the session ``{id}``.
        unsaved: The step that is answered 200 if calls are kept against the caller's will, or None.
        words: Keys whose text is a word of the vendor's, never of somebody's data.
        scores: Keys of numbers whose decimals matter.
        rows: Keys of lists of which only the items of our own sessions are looked at.
        ids: Keys of such an item that hold the id of its session.
        account: Keys that are as the owner has set them, and so say nothing.
        compared_headers: Those whose presence is compared, in lower case.
    """

    vendor: str
    title: str
    chains: tuple[Chain, ...]
    groups: Mapping[str, str]
    opt_in: frozenset[str] = frozenset()
    leaves_records: frozenset[str] = frozenset()
    seen: Callable[[Sequence[Heard]], Mapping[str, Sight]]
    credentials: Mapping[str, str]
    headers: Mapping[str, str]
    prices: Mapping[str, str]
    currency: str
    session: str
    delete: str
    unsaved: str | None = None
    words: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    account: frozenset[str] = frozenset()
    compared_headers: tuple[str, ...] = ()


def script_names() -> list[str]:
    """The vendors that have a script."""
    from importlib.metadata import entry_points

    return sorted({*_bundled(), *(point.name for point in entry_points(group=GROUP))})


def script_named(vendor: str) -> Script | None:
    """The script of a vendor; None if it has none."""
    if vendor in _bundled():
        script: Script = import_module(f"{__package__}.scripts.{vendor}").SCRIPT
        return script
    from importlib.metadata import entry_points

    loaded: Script | None = next((p.load() for p in entry_points(group=GROUP, name=vendor)), None)
    return loaded


def _bundled() -> list[str]:
    from . import scripts

    return [found.name for found in iter_modules(scripts.__path__)]
