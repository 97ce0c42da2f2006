"""A vendor before it has a world: its claims, what may be set of it, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import attrs

from facematch_mock_server._keys import Key
from facematch_mock_server._ledger import amount
from facematch_mock_server._messages import Head, Headers, Request, Response
from facematch_mock_server.claims import Claim, Told
from facematch_mock_server.forms import Form, FormError, Upload, read_form
from facematch_mock_server.journal import SentFile, presentable, short
from facematch_mock_server.outcomes import MatchOutcome
from facematch_mock_server.state import Store

if TYPE_CHECKING:
    from facematch_mock_server.world import World


class VendorBehaviour(Protocol):
    """One vendor in one world: what the engine asks of it. Safe across threads.

    Attributes:
        name: ``didit``, say.
        title: As people write it.
        begins: How most of its paths begin, for whoever asks for another one.
    """

    name: str
    title: str
    begins: str

    def owns(self, head: Head) -> bool:
        """Whether this request is for this vendor."""
        ...

    def handle(self, request: Request) -> Response:
        """The vendor's answer, written into the journal."""
        ...

    def known_paths(self) -> tuple[str, ...]:
        """The paths that the vendor has, to say which one was probably meant."""
        ...

    def in_own_words(self, status: int, request: Request, told: Told) -> Response | None:
        """An answer of that status in the vendor's words, or None if they are not known."""
        ...


class Errand(Protocol):
    """What goes on in a world beside its requests. Safe across threads."""

    def start(self) -> None:
        """Go on until `stop`; does nothing if it does already."""
        ...

    def stop(self) -> None:
        """Come to an end."""
        ...


class Records(Protocol):
    """What a vendor remembers beyond keys, credit and sessions."""

    def written(self) -> None:
        """What this thread changed is written down now."""
        ...


def _loaded(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


Operations = Mapping[tuple[str, str], Callable[[Any, str, dict[str, Any]], Any]]


@attrs.frozen
class Extension:
    """What `Control` has for one vendor and not for every one; loaded with its first use.

    Attributes:
        attribute: ``module:name`` of its class; it is called with the world.
        table: ``module:name`` of its operations of the control API: by method and path below the
            prefix, or a function that makes such a table with what turns a value into JSON.
    """

    attribute: str
    table: str

    def make(self, world: World) -> Any:
        """The object that is an attribute of `Control`."""
        return _loaded(self.attribute)(world)

    def operations(self, plain: Callable[[Any], Any]) -> Operations:
        """The same over HTTP; `plain` turns a value into JSON."""
        table = _loaded(self.table)
        made: Operations = table(plain) if callable(table) else table
        return made


# There is one object for each vendor: it is compared as such.
@attrs.frozen(kw_only=True, eq=False)
class Vendor:
    """A vendor before it has a world; what an entry point of `GROUP` names.

    Attributes:
        name: Of the vendor: that of its folder, or of its entry point.
        title: As people write it.
        claims: All that are made about it.
        editions: Named behaviours by edition.
        default_edition: The one that is meant without a word.
        switches: Named behaviours that may be set, with their values.
        settings: Numbers that may be set: the behaviour, and what kind of number it takes.
        rate_limits: The behaviour that holds the limit, by scope.
        hosts: Its own, in lower case: a request that names one of them is for this vendor.
        first_keys: The keys that work at once, by text.
        extensions: What `Control` has for this vendor and not for every one, by attribute.
        section: What its kinds of records begin with in a store.
        greeting: What the command line says of it once it runs: a line of keys, and one to paste;
            with ``{url}``.
        make: Makes the vendor of a world.
        records: Makes what it remembers beyond keys, credit and sessions, from what the store
            kept.
        errand: Makes what goes on beside requests; None for nothing.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    editions: Mapping[str, Mapping[str, Any]]
    default_edition: str
    switches: Mapping[str, tuple[Any, ...]]
    settings: Mapping[str, tuple[str, str]]
    rate_limits: Mapping[str, str]
    hosts: frozenset[str]
    first_keys: Mapping[str, Key]
    extensions: Mapping[str, Extension] = attrs.field(factory=dict)
    section: str = ""
    greeting: tuple[str, str]
    make: Callable[[World], VendorBehaviour]
    records: Callable[[Store], Records]
    errand: Callable[[World], Errand] | None = None

    def choose(
        self, edition: str, switches: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The value of every switch, and the numbers that were set, by behaviour.

        Raises:
            ValueError: an unknown edition or switch, or a value that does not fit.
        """
        if edition not in self.editions:
            raise ValueError(f"there is no edition {edition}; there are {', '.join(self.editions)}")
        chosen, settings = dict(self.editions[edition]), {}
        for name, value in switches.items():
            if name in self.settings:
                key, kind = self.settings[name]
                settings[key] = NUMBERS[kind](value)
            elif name not in self.switches:
                known = ", ".join((*self.switches, *self.settings))
                raise ValueError(f"there is no switch {name}; there are {known}")
            elif not any(type(value) is type(one) and value == one for one in self.switches[name]):
                known = ", ".join(str(one) for one in self.switches[name])
                raise ValueError(f"the switch {name} takes one of {known}")
            else:
                chosen[name] = value
        return chosen, settings


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("this switch takes a whole number from 1 on")
    return value


def _limit(value: object) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError("this switch takes a whole number from 0 on, or nothing for no limit")
    return value


def _score(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError("this switch takes a number from 0 to 100")
    return float(value)


#: What checks each kind of number that may be set.
NUMBERS: Mapping[str, Callable[[object], Any]] = {
    "count": _count,
    "limit": _limit,
    "seconds": _count,
    "amount": amount,
    "score": _score,
}


@attrs.define
class Chosen:
    """What is set of one vendor.

    Attributes:
        edition: None for the vendor's default.
        switches: By name, without the vendor's.
    """

    edition: str | None = None
    switches: dict[str, Any] = attrs.field(factory=dict)


def choose_each(
    vendors: Sequence[Vendor],
    edition: str | Mapping[str, str] | None,
    switches: Mapping[str, Any] | None,
) -> dict[str, Chosen]:
    """What is set of each vendor, by its name, in their order.

    Args:
        vendors: The vendors, at least one.
        edition: Of the first vendor that has it, or by name of the vendor.
        switches: By name, for the first vendor that has such a switch; by ``vendor.name``; or a
            mapping of them by name of the vendor.

    Raises:
        ValueError: a vendor that is not among them, or a switch that is named twice. Whether a
            vendor takes a value is not asked here.
    """
    chosen = {one.name: Chosen() for one in vendors}

    def of(name: str) -> Chosen:
        if name not in chosen:
            raise ValueError(f"there is no vendor {name} here; there is {', '.join(chosen)}")
        return chosen[name]

    if isinstance(edition, Mapping):
        for name, its_edition in edition.items():
            of(name).edition = its_edition
    elif edition is not None:
        has = (one.name for one in vendors if edition in one.editions)
        chosen[next(has, vendors[0].name)].edition = edition
    for word, value in (switches or {}).items():
        several = value if isinstance(value, Mapping) else None
        owner, switch = (word, "") if several is not None else owner_of(vendors, word)
        for name, setting in ({switch: value} if several is None else several).items():
            mine = of(owner).switches
            if name in mine:
                raise ValueError(f"the switch {owner}.{name} is given twice")
            mine[name] = setting
    return chosen


def owner_of(vendors: Sequence[Vendor], word: str) -> tuple[str, str]:
    """Whose switch a word is, and its bare name.

    The first vendor is meant if none has it.
    """
    name, dot, switch = word.partition(".")
    if dot:
        return name, switch
    has = (one.name for one in vendors if word in one.switches or word in one.settings)
    return next(has, vendors[0].name), word


class Nothing:
    """The records of a vendor that remembers nothing beyond keys, credit and sessions."""

    def __init__(self, _: Store) -> None:
        pass

    def written(self) -> None:
        """Nothing waits for that."""


# What vendors of a few paths have in common: `Routed` answers by routes, each of them one function
# from a `Call` to a response, read from top to bottom.


class Refused(Exception):
    """A check of a route ends the call with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@attrs.define(kw_only=True)
class Call:
    """One request while it is answered.

    Attributes:
        world: Where.
        request: What was asked.
        told: The vendor's behaviours, and what was cited of them so far.
        key: The key that was let in; None before, and for a path that needs none.
        key_word: For the journal.
        fields: For the journal: texts of the request that are no secret and no picture.
        files: For the journal: its files.
    """

    world: World
    request: Request
    told: Told
    key: Key | None = None
    key_word: str = "none"
    fields: list[tuple[str, str]] = attrs.field(factory=list)
    files: list[SentFile] = attrs.field(factory=list)

    def cite(self, *claims: Claim) -> None:
        """The answer rests on these facts, too."""
        for claim in claims:
            self.told.note(claim.key)

    def answer(
        self, claim: Claim, /, body: Any = None, headers: Headers = (), **words: object
    ) -> Response:
        """The answer whose status and words are a claim; `body` where the claim leaves it open."""
        return self.told.answer(claim.key, body, headers, **words)

    def refuse(self, claim: Claim, /, headers: Headers = (), **words: object) -> NoReturn:
        """End the call with that answer."""
        raise Refused(self.answer(claim, None, headers, **words))

    def let_in(self, text: str | None) -> bool:
        """Whether this key is known, in force and allowed; notes it for the journal."""
        found = self.world.keys.find(text) if text else None
        if found is None or found.revoked or found.expired(self.world.clock.now()):
            self.key_word = "wrong" if text else "none"
            return False
        self.key, self.key_word = found, str(found.kind)
        return True

    def upload(self, field: str, name: str, content: bytes, digest: str | None = None) -> Upload:
        """A picture that was sent, noted for the journal and digested once."""
        if digest is None and self.world.digest is not None:
            digest = self.world.digest(content)
        self.files.append(SentFile(field=field, name=name, size=len(content), digest=digest))
        return Upload(name, content, digest)

    def compare(self, probe: Upload, reference: Upload) -> MatchOutcome:
        """What is seen in two pictures."""
        return self.world.decider.match(
            probe.content,
            reference.content,
            rotate=False,
            probe_digest=probe.digest,
            reference_digest=reference.digest,
        )

    def form(self) -> Form:
        """The request as a multipart form, its files noted; an empty one if it is none."""
        try:
            form = read_form(
                self.request.header("content-type") or "",
                self.request.body,
                digest=self.world.digest,
            )
        except FormError:
            return Form()
        self.fields += [(name, text) for name, many in form.fields.items() for text in many]
        for name, many in form.files.items():
            for one in many:
                self.upload(name, one.name, one.content, one.digest)
        return form


@attrs.frozen
class Route:
    """One path of a vendor.

    Attributes:
        method, path: Of it.
        answer: The answer to a call, or `Refused`.
    """

    method: str
    path: str
    answer: Callable[[Call], Response]


class Routed:
    """A vendor that is a table of routes, in one world. Safe across threads.

    Derive from it for a vendor that finds its route by something else than the path.

    Args:
        world: Its state.
        routes: What it answers.
        elsewhere: The answer to a path or method that it has not.
        words: The claims whose words stand for a status that a test asks for.
    """

    def __init__(
        self,
        world: World,
        *,
        routes: Sequence[Route],
        elsewhere: Callable[[Call], Response],
        words: Mapping[int, Claim],
    ) -> None:
        self.name = world.kind.name
        self.title = world.kind.title
        self.begins = routes[0].path
        self._world = world
        self._routes = routes
        self._elsewhere = elsewhere
        self._words = words

    def route(self, request: Request) -> Route | None:
        """The route of a request; None for none."""
        wanted = (request.method, request.path)
        return next((one for one in self._routes if (one.method, one.path) == wanted), None)

    def owns(self, head: Head) -> bool:
        """Whether this request is for the vendor: by path, or by the name of its host."""
        host = (head.header("host") or "").partition(":")[0].lower()
        return head.path in self.known_paths() or host in self._world.kind.hosts

    def known_paths(self) -> tuple[str, ...]:
        """The paths that the vendor has."""
        return tuple(dict.fromkeys(one.path for one in self._routes))

    def handle(self, request: Request) -> Response:
        """The vendor's answer, written into the journal."""
        call = Call(world=self._world, request=request, told=self._world.behaviours.told())
        route = self.route(request)
        try:
            response = self._elsewhere(call) if route is None else route.answer(call)
        except Refused as refused:
            response = refused.response
        response = call.told.sealed(response)
        self._world.log(
            method=short(request.method),
            path=short(request.path, 200),
            status=response.status,
            vendor=self.name,
            key=call.key_word,
            fields=presentable((*request.query, *call.fields)),
            files=tuple(call.files),
            claims=response.claims,
        )
        return response

    def in_own_words(self, status: int, request: Request, told: Told) -> Response | None:
        """An answer of that status in the vendor's words; None where the words are not known."""
        claim = self._words.get(status)
        if claim is None:
            return None
        return attrs.evolve(told.answer(claim.key), status=status)
