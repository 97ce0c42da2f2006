"""What is asked, as data: steps in chains, and what a vendor's answers are made of."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome

Outcome = MatchOutcome | LivenessOutcome


class Shown(enum.StrEnum):
    """Which key a request shows."""

    OWN = "own"
    NONE = "none"
    WRONG = "wrong"


class Picture(enum.StrEnum):
    """What a file of a request is."""

    #: Those of the owner: somebody, the same person, somebody else.
    PROBE = "probe"
    REFERENCE = "reference"
    OTHER = "other"
    #: Made of them: the probe below the reference, and the probe on its side.
    TWO = "two"
    TURNED = "turned"
    #: A grey area, bytes that are no picture, no bytes, and files around the limit of size.
    BLANK = "blank"
    NOISE = "noise"
    EMPTY = "empty"
    NEARLY = "nearly"
    BIG = "big"


class How(enum.StrEnum):
    """What is made of a value of an answer before it is sent."""

    AS_IT_IS = "as it is"
    BELOW = "somewhat below"
    ROUNDED = "rounded to two decimals"
    DAY = "its day"


@attrs.frozen(kw_only=True)
class Value:
    """A value of an answer that later requests send, as ``{name}``.

    Attributes:
        name: Of the placeholder.
        at: Keys down to it; ``*`` is the part that holds the verdict, whatever it is called.
        how: What is made of it.
        shared: Whether the model sends the target's own: a score, never an id.
    """

    name: str
    at: tuple[str, ...]
    how: How = How.AS_IT_IS
    shared: bool = False


@attrs.frozen(kw_only=True)
class File:
    """A file of a form.

    Attributes:
        field: Of the form.
        picture: What it is.
        name: Of the file; None for that of the field with the ending of the picture.
    """

    field: str
    picture: Picture
    name: str | None = None


@attrs.frozen(kw_only=True)
class Step:
    """One request. ``{name}`` in path, fields and query stands for a `Value`, or for ``ref``.

    Attributes:
        name: Unique in the script; told in reports.
        path, method: Of the request.
        key: Which one it shows.
        fields, files, query, json: As in `facematch_core.http.HttpRequest`.
        pays: The operation that an answer 200 is charged as; None for what is free.
        values: What later requests send of the answer.
        compares: Keys of amounts whose change since the last such answer of the chain is looked at.
        removes: The value with the id of the session that it deletes.
        keeps: The value with the id of the session that it leaves behind.
    """

    name: str
    path: str
    method: str = "POST"
    key: Shown = Shown.OWN
    fields: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[File, ...] = ()
    query: Mapping[str, str] = attrs.field(factory=dict)
    json: Any = None
    pays: str | None = None
    values: tuple[Value, ...] = ()
    compares: tuple[str, ...] = ()
    removes: str | None = None
    keeps: str | None = None


@attrs.frozen(kw_only=True)
class Chain:
    """Steps that rest on one another; a chain rests on no other one.

    Attributes:
        name: Unique in the script.
        group: What people leave out as a whole.
        steps: In order.
    """

    name: str
    group: str
    steps: tuple[Step, ...]


@attrs.frozen(kw_only=True)
class Forms:
    """How values of an answer are told without telling them: keys, most of all.

    Attributes:
        words: The value is a word of the vendor's, and told.
        guarded: It is told if a claim knows it: else it may be somebody's name.
        scores: A number whose decimals matter.
        numbers: A number that is told.
        listed: An array whose length is told.
        rows: An array of which only the items of our own sessions count.
        told_apart: Arrays of objects, and the key by which those are told apart.
        amounts: An amount of money as text, of which the decimals are told.
        optional: A text or nothing, as the owner has set it.
        addresses: An address of the vendor's own API: path and query are told.
        headers: Headers that are there or not.
        ids: Keys of a row that hold the id of its session.
    """

    words: frozenset[str]
    guarded: frozenset[str]
    scores: frozenset[str]
    numbers: frozenset[str]
    listed: frozenset[str]
    rows: frozenset[str]
    told_apart: tuple[tuple[str, str], ...]
    amounts: frozenset[str]
    optional: frozenset[str]
    addresses: frozenset[str]
    headers: tuple[str, ...]
    ids: frozenset[str]


@attrs.frozen(kw_only=True)
class Heard:
    """One step as it was asked of the target, with its answer.

    Attributes:
        step: Which one.
        rotate: Whether it asked for turned pictures, in plain words.
        status: Of the answer.
        body: The decoded body, if it is an object; None for any other.
    """

    step: Step
    rotate: bool
    status: int
    body: Any


@attrs.frozen(kw_only=True)
class Reason:
    """Why some claims cannot be seen from outside.

    Attributes:
        title: A few words.
        text: One sentence or two.
        claims: Ids, or beginnings of ids that end in ``*``, without the vendor's name.
    """

    title: str
    text: str
    claims: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Script:
    """What is asked of a vendor.

    Attributes:
        vendor, title: Its name, and as people write it.
        chains: In the order in which they are asked; the first step asks whether the key is good,
            and is free.
        forms: How its answers are told.
        key_header: The header of the key.
        prices: The behaviour that is the list price of an operation, by its word in `Step.pays`.
        currency: Of the prices.
        groups: What each group is, for people, in order.
        seen: What the target saw in the pictures of a chain, by the name of the step.
        delete: The path that deletes the session ``{id}``.
        unsaved: The step that is answered 200 if calls are kept against the caller's will; None for
            a vendor without such a step.
        reasons: Why claims cannot be seen; the first that fits counts.
    """

    vendor: str
    title: str
    chains: tuple[Chain, ...]
    forms: Forms
    key_header: str
    prices: Mapping[str, str]
    currency: str
    groups: Mapping[str, str]
    seen: Callable[[Sequence[Heard]], Mapping[str, Outcome]]
    delete: str
    unsaved: str | None = None
    reasons: tuple[Reason, ...] = ()
