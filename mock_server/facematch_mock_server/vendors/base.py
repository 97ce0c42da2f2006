"""What a vendor is made of: routes, the checks before them, and the call that passes both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar, NoReturn

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.forms import (
    MULTIPART,
    URLENCODED,
    Form,
    FormError,
    Upload,
    media_type,
    read_form,
)
from facematch_mock_server.base.masking import describe_fields, presentable
from facematch_mock_server.base.messages import Headers, Request, Response
from facematch_mock_server.claims import Citations
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.outcomes import (
    Fields,
    LivenessOutcome,
    MatchOutcome,
    SeenPicture,
)
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.faults import Fault, Kind, Stage, failure_of, note_misses
from facematch_mock_server.world.hosted import Rules
from facematch_mock_server.world.journal import SentFile, compose_note
from facematch_mock_server.world.kinds import VendorKind
from facematch_mock_server.world.services import Key

HINT_HEADER = "X-Facematch-Hint"
#: Beside a score that says nothing of the faces.
BY_BYTES = "no test card: the bytes decided the score; --engine local compares the faces of a match"
#: Beside a limit that ends with no waiting.
STANDS_STILL = (
    "the clock of this mock stands still: control.advance(60) lets a minute pass, "
    "control.set_limit(scope, None) lifts a limit"
)


@attrs.frozen(kw_only=True, eq=False)
class Vendor(VendorKind):
    """A vendor: what the entry points of the group ``facematch.mock_vendors`` name.

    Attributes:
        greeting: What the command line says of it once it runs: a line of keys, and lines to paste;
            with ``{url}``.
    """

    greeting: tuple[str, ...]


#: The claim that answers in the place of a vendor, by the kind of a fault.
_FAULTS = {
    Kind.HTML: "fault.html",
    Kind.WRONG_JSON: "fault.wrong_json",
    Kind.JSON: "fault.own",
}


class Refused(Exception):
    """A check ends the call with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@attrs.frozen(kw_only=True)
class Route:
    """A path, and who answers there.

    Attributes:
        pattern: The path; ``{uuid}`` is one segment that must be a UUID, or else no route of the
            vendor's has the path, and ``{word}`` is any one segment.
        answers: Who answers which method.
        checks: Asked in this order before that, by name; each may refuse the call, and then a
            claim of that name, if there is one, says why it is there.
        operation: What it is called where latency is set; None for what is never late.
        credentials: The headers that say who asks, all of them needed; in ``authorization`` it is a
            bearer token.
        is_form: Whether it takes a form rather than JSON.
        shown: The fields of a body whose values the journal may hold; of others it has type and
            length.
        fields: The names of all fields that are not files; None where that is not known.
        own: The claim that has the words of a status, where this path has words of its own.
        more: What else a vendor keeps of it.
    """

    pattern: str
    answers: Mapping[str, Callable[[Any], Response]]
    checks: Mapping[str, Callable[[Any], None]] = attrs.field(factory=dict)
    operation: str | None = None
    credentials: tuple[str, ...] = ("x-api-key",)
    is_form: bool = False
    shown: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    own: Mapping[int, str] = attrs.field(factory=dict)
    more: Any = None
    expression: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)

    @expression.default
    def _compile(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{(\w+)\\\}", "([^/]+)", re.escape(self.pattern)))


def bearer_token(head: Request) -> str | None:
    """The token of the Authorization header; None for none, and for another scheme."""
    scheme, _, token = (head.header("authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@attrs.define(kw_only=True)
class Call:
    """One request while it is answered.

    Attributes:
        world, request: What it is answered with.
        claims: The vendor's behaviour, and what was cited of it so far.
        route: Whom it is for; None for no route.
        now: When it is answered.
        words: What stands for the placeholders of its path.
        headers: That every answer to it carries.
        key: The key that was accepted; None before, and for a path that needs none.
        key_word: For the journal: ``live``, ``sandbox``, ``none`` or ``wrong``.
        shown: For the journal: names of fields with what may be shown of them.
        files: For the journal: the files that were sent.
        note: For the journal.
        values: What was read from the body, by name.
        outcome: What was seen in the pictures.
        fault: What strikes it; None for nothing.
    """

    world: World
    request: Request
    claims: Citations
    route: Route | None
    now: Any
    words: tuple[str, ...] = ()
    headers: Headers = ()
    key: Key | None = None
    key_word: str = "none"
    shown: dict[str, str] = attrs.field(factory=dict)
    files: list[SentFile] = attrs.field(factory=list)
    note: str | None = None
    values: dict[str, Any] = attrs.field(factory=dict)
    outcome: Any = None
    fault: Fault | None = None
    _fields: dict[str, str] | None = attrs.field(default=None, init=False, repr=False)

    def answer(
        self, key: str, /, body: Any = None, headers: Headers = (), **filled: object
    ) -> Response:
        """The answer that the claim of `key` gives, with the headers of this call."""
        return self.claims.answer(key, body, (*headers, *self.headers), **filled)

    def refuse(
        self, key: str, /, body: Any = None, headers: Headers = (), **filled: object
    ) -> NoReturn:
        """End the call with that answer."""
        raise Refused(self.answer(key, body, headers, **filled))

    @property
    def query(self) -> dict[str, str]:
        """The query; of a name that stands twice the last value counts."""
        return dict(self.request.query)

    def let_in(self, text: str | None) -> bool:
        """Whether this key is known, in force and allowed; notes it for the journal."""
        key = self.world.keys.find(text) if text else None
        if key is None or key.revoked or key.expired(self.now):
            self.key_word = "wrong" if text else "none"
            return False
        self.key, self.key_word = key, str(key.kind)
        return True

    def upload(self, field: str, name: str, content: bytes | bytearray) -> Upload:
        """A picture that was sent outside a form, noted for the journal and digested once."""
        digest, picture = self.world.digest(content)
        self.files.append(SentFile(field=field, name=name, size=len(picture), digest=digest))
        return Upload(name, picture, digest)

    def read_form(self) -> Form:
        """The request as a form, its files noted for the journal; `FormError` if it is none."""
        kind = self.request.header("content-type") or ""
        form = read_form(kind, self.request.body, digest=self.world.digest)
        for field, files in form.files.items():
            for file in files:
                size = len(file.content)
                sent = SentFile(field=field, name=file.name, size=size, digest=file.digest)
                self.files.append(sent)
        return form

    def read_object(self, refusal: str) -> dict[str, Any]:
        """The JSON object of the body; the call is refused by that claim for any other body."""
        try:
            body = load_json(self.request.body)
        except ValueError:
            body = None
        return body if isinstance(body, dict) else self.refuse(refusal)

    def compare(self, probe: Upload, reference: Upload, *, rotate: bool = False) -> MatchOutcome:
        """What is seen in two pictures."""
        self._meet_faults(probe, reference)
        digests = probe.digest, reference.digest
        self.outcome = outcome = self.world.recognizer.match(
            probe.content, reference.content, rotate=rotate, digests=digests, fields=self.fields
        )
        return outcome

    def check_liveness(self, picture: Upload, *, rotate: bool = False) -> LivenessOutcome:
        """What a liveness check finds in one picture."""
        self._meet_faults(picture)
        self.outcome = outcome = self.world.recognizer.liveness(
            picture.content, rotate=rotate, digest=picture.digest, fields=self.fields
        )
        return outcome

    def look(self, picture: Upload, *, rotate: bool = False) -> SeenPicture:
        """What is seen in one picture, which nobody compares yet."""
        self._meet_faults(picture)
        return self.world.recognizer.look(picture.content, rotate=rotate, digest=picture.digest)

    def fields(self) -> dict[str, str]:
        """What was sent beside files, as text by name, whatever its type: the query, and a form or
        the top level of JSON. Of a name that stands twice the last value counts.
        """
        if self._fields is None:
            request, fields = self.request, dict(self.request.query)
            kind = request.header("content-type") or ""
            try:
                if media_type(kind) in (MULTIPART, URLENCODED):
                    texts = read_form(kind, request.body, digest=None).fields
                    fields |= {name: many[-1] for name, many in texts.items()}
                else:
                    # A number stays as it was written.
                    values = load_json(
                        request.body, parse_int=str, parse_float=str, parse_constant=str
                    )
                    for name, value in values.items() if isinstance(values, dict) else ():
                        text = json.dumps(value) if type(value) is bool else value
                        fields |= {name: text} if isinstance(text, str) else {}
            except ValueError:
                pass  # A body that cannot be read has no fields.
            self._fields = fields
        return self._fields

    def strike(self, fault: Fault) -> None:
        """Let a fault strike this call; the journal says so."""
        self.fault = fault
        self.request = attrs.evolve(self.request, fault=fault)

    def _meet_faults(self, *pictures: Upload) -> None:
        """Faults aimed at these pictures, and cards that say how their call fails."""
        if self.request.fault is not None:
            return
        world, fault = self.world, None
        cards: list[Card] = []
        for picture in pictures:
            card = world.recognizer.facts.of(picture.content, picture.digest).card
            if card is not None:
                cards.append(card)
        if not cards:
            return
        if world.account.faults:
            operation = None if self.route is None else self.route.operation
            fault = world.account.faults.for_pictures(
                lambda rule: rule.fits(self.request, operation, fields=self.fields), cards
            )
        fault = fault or next((failure_of(card) for card in cards if card.fails), None)
        if fault is not None:
            self.strike(fault)
            if not fault.is_carried_out:
                raise Refused(_unanswered())


@attrs.define(kw_only=True)
class NumberedCall(Call):
    """A call whose answer has an id."""

    request_id: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.request_id = self.world.account.ids.uuid()


class Routed:
    """A vendor in one world: a table of routes. Safe across threads.

    Derive from it, and say at least what becomes of other paths and methods.

    Attributes:
        routes: What it answers, in order.
        begins: How most of its paths begin, for whoever asks for another one.
        nowhere: The claim that answers another path or method; ``{method}`` in it is filled in.
        errors: By status, the claim that has the vendor's words for it, and facts that they rest
            on; ``{key}`` is filled in. A fault of a status that is not here has no words.
        hosted: What becomes of its hosted sessions; None of a vendor without.
    """

    routes: Sequence[Route] = ()
    begins = "/"
    nowhere: str
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {}
    hosted: Rules | None = None
    #: The class of its calls.
    call: type[Call] = Call
    _by_path: ClassVar[Mapping[str, Route]] = {}
    _patterns: ClassVar[Sequence[Route]] = ()

    def __init__(self, world: World) -> None:
        self.world = world
        self.title = world.kind.title

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls._by_path = {route.pattern: route for route in cls.routes if "{" not in route.pattern}
        cls._patterns = [route for route in cls.routes if "{" in route.pattern]

    def owns(self, head: Request) -> bool:
        """Whether this request is for the vendor: by path, or by the name of its host."""
        return self.world.kind.has_host(head.header("host")) or self.find(head)[0] is not None

    def known_paths(self) -> tuple[str, ...]:
        """The paths that the vendor has, to say which one was probably meant."""
        return tuple(route.pattern for route in self.routes)

    def find(self, head: Request) -> tuple[Route | None, tuple[str, ...]]:
        """As `route_of`, of a request."""
        route = self._by_path.get(head.path)
        return self.route_of(head.path) if route is None else (route, ())

    def route_of(self, path: str) -> tuple[Route | None, tuple[str, ...]]:
        """The route of a path, and what stands for its placeholders; None for none."""
        route = self._by_path.get(path)
        if route is not None:
            return route, ()
        for route in self._patterns:
            match = route.expression.fullmatch(path)
            if match is not None:
                return route, match.groups()
        return None, ()

    def handle(self, request: Request) -> Response:
        """The vendor's answer, written into the journal; with the fault that strikes."""
        # No webhook leaves before its request is over, and none of one that failed.
        with self.world.together():
            return self._carry_out(request)

    def _carry_out(self, request: Request) -> Response:
        call = self.new_call(request, *(request.routed or self.find(request)))
        faults = self.world.account.faults
        if request.fault is None and faults:
            aim = self._aim(request, call.route, call.fields)
            # Of a request whose body has the key, only now it is known whose it is.
            fault = faults.at_head(aim) if is_keyless(call.route) else None
            fault = fault or faults.for_request(aim)
            if fault is not None:
                call.strike(fault)
        if call.fault is not None and not call.fault.is_carried_out:
            return self._fail(call, call.fault, self._note_request(call))
        try:
            route = call.route
            response = self.elsewhere(call) if route is None else self.answer(call, route)
        except Refused as refused:
            response = refused.response
        hint, seen = None, call.outcome
        if response.status == 429 and not call.world.clock.running:
            hint = STANDS_STILL
        elif response.status == 200 and seen is not None:
            # For whoever wonders why two photographs of one person are not alike.
            hint = BY_BYTES if seen.by == "bytes" and seen.score is not None else None
        if hint is not None:
            response.headers = (*response.headers, (HINT_HEADER, hint))
        response = call.claims.sealed(self.finished(call, response))
        # The pictures may have brought a fault.
        if call.fault is not None:
            return self._fail(call, call.fault, response)
        self.log(call, response)
        return response

    def fault_at_head(self, head: Request) -> Fault | None:
        """The fault that breaks the upload of this request, counted; None for none."""
        return self.world.account.faults.at_head(self._aim(head, self.find(head)[0]))

    def _aim(
        self, head: Request, route: Route | None, fields: Fields = dict
    ) -> Callable[[Fault], bool]:
        kind, shared, operation = self.world.kind, self.world.account.shared, self.operation(head)
        needs_key = not is_keyless(route) or kind.key_of(head) is not None
        # Nobody's call uses up what a test waits for, unless it says where.
        is_call = route is not None and not (needs_key and shared.is_stranger(kind, head))
        return lambda rule: rule.fits(head, operation, is_call=is_call, fields=fields)

    def _note_request(self, call: Call) -> Response:
        """Note the key and the form of a call that is not carried out."""
        route = call.route
        for name in route.credentials if route is not None else ():
            if "key" in name:
                call.let_in(call.request.header(name))
        if route is not None and route.is_form:
            fields = read_or_empty(call).fields.items()
            call.shown = describe_fields(((name, texts[-1]) for name, texts in fields), route.shown)
        return _unanswered()

    def _fail(self, call: Call, fault: Fault, response: Response) -> Response:
        """What is sent of a call that a fault strikes; `response` if it was carried out."""
        if fault.is_postponed:
            response = _unanswered()
            response.fault = fault
            return response
        done = response if fault.is_carried_out else None
        if fault.stage is not Stage.ANSWER:
            self.log(call, done)
            response.fault = fault
            return response
        claims, status = self.world.claims.citations(), fault.status
        key, instead = _FAULTS.get(fault.kind), None
        if key is None:
            instead = self.vendor_error(status, call.request)
            key = "fault.server" if status >= 500 else "fault.other"
        if instead is None:
            instead = claims.sealed(claims.answer(key, fault.body, status=status))
        names = {name.lower() for name in fault.headers}
        headers = [line for line in instead.headers if line[0].lower() not in names]
        headers += [(name, str(text)) for name, text in fault.headers.items() if text is not None]
        instead.status, instead.headers = status, tuple(headers)
        self.log(call, done or instead)
        instead.instead_of = done
        return instead

    def log(self, call: Call, response: Response | None) -> None:
        """Write a call into the journal, with its answer; None for a call that had none."""
        request = call.request
        query = presentable(request.query) if "?" in request.target else {}
        world = call.world
        entry = world.log(
            request,
            status=None if response is None else response.status,
            vendor=self.world.vendor,
            key=call.key_word,
            fields={**query, **call.shown},
            files=tuple(call.files),
            claims=() if response is None else response.claims,
            note=call.note if request.fault is None else compose_note(request, call.note),
        )
        if entry is not None and (world.recognizer.waiting or world.account.faults):
            note_misses(call, self.operation(request), entry)

    def new_call(self, request: Request, route: Route | None, words: tuple[str, ...] = ()) -> Call:
        return self.call(
            world=self.world,
            request=request,
            claims=self.world.claims.citations(),
            route=route,
            now=self.world.clock.now(),
            words=words,
        )

    def answer(self, call: Call, route: Route) -> Response:
        """The answer of a route, after its checks; they may raise `Refused`."""
        for claim, check in route.checks.items():
            try:
                check(call)
            except Refused:
                if claim in call.claims:
                    call.claims.cite(claim)
                raise
        # HEAD is answered as GET; whoever sends the answer leaves its body away.
        method = "GET" if call.request.method == "HEAD" else call.request.method
        answer = route.answers.get(method)
        return self.elsewhere(call) if answer is None else answer(call)

    def elsewhere(self, call: Call) -> Response:
        """The answer to a path or a method that is not there; by default that of `nowhere`."""
        return call.answer(self.nowhere, method=call.request.method)

    def unknown(self, call: Call) -> Response:
        """The answer `path.unknown`, with a hint of the path that was probably meant."""
        from difflib import get_close_matches  # not above: few requests need a hint

        close = get_close_matches(call.request.path, self.known_paths(), n=1)
        call.note = f"did you mean {close[0]}?" if close else None
        hint = ((HINT_HEADER, call.note),) if call.note else ()
        return call.answer("path.unknown", headers=hint)

    def finished(self, call: Call, response: Response) -> Response:
        """What is done with an answer before it is sent, a refusal too."""
        return response

    def operation(self, head: Request) -> str | None:
        """What the request is called where latency is set; None for what is never late."""
        route, _ = self.find(head)
        return None if route is None else route.operation

    def vendor_error(self, status: int, request: Request) -> Response | None:
        """An answer of that status in the vendor's words; None where the words are not known."""
        call = self.new_call(request, *self.find(request))
        try:
            response = self._answer_error(call, status)
        except Refused as refused:
            response = refused.response
        if response is None:
            return None
        # A switch may have given the claim another status; the words are the same.
        response.status = status
        return call.claims.sealed(response)

    def _answer_error(self, call: Any, status: int) -> Response | None:
        """The answer in the words of `errors` for that status; None where there are none."""
        if status not in self.errors:
            return None
        claim, *facts = self.errors[status]
        call.claims.cite(*facts)
        key = call.request.header(self.routes[0].credentials[0]) or ""
        return call.answer(claim, key=key)  # type: ignore[no-any-return]  # of a `Call`


def is_keyless(route: Route | None) -> bool:
    """Whether the head of a request shows no key there: its body may."""
    return route is not None and not route.credentials


def _unanswered() -> Response:
    """In the place of an answer that nobody is sent."""
    return Response(status=500)


def begins_so(pattern: str, path: str) -> bool:
    """Whether a path of this pattern can begin with `path`."""
    words, parts = pattern.split("/"), path.split("/")
    if len(parts) > len(words):
        return False
    *whole, last = zip(words, parts, strict=False)
    return all(word == part or (word[:1] == "{" and part) for word, part in whole) and (
        last[0].startswith(last[1]) or last[0][:1] == "{"
    )


def as_fraction(score: float) -> float:
    """A score, 0-100, as a number from 0 to 1 with five decimals."""
    return float((Decimal(str(score)) / 100).quantize(Decimal("0.00001"), ROUND_HALF_UP))


def read_or_empty(call: Call) -> Form:
    """The form of a call; an empty one if it cannot be taken apart."""
    try:
        return call.read_form()
    except FormError:
        return Form()
