"""Base classes for mock vendors: routes, checks and calls.

- A *vendor* (`Vendor`) is the definition of a vendor: claims, switches, keys.
- A *mock vendor* (`MockVendor`) handles the requests to one vendor in one account.
- A *route* (`Route`) is a path with its checks, and a handler for each method.
- A *call* (`Call`) is the state of one request: the checks fill it, the handler answers from it.
- A *check* is a function that returns nothing, or ends the call with `Call.refuse`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import ROUND_HALF_UP, Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, ClassVar, NoReturn, TypeGuard

import attrs

from facematch_core.base.addresses import HINT_HEADER
from facematch_core.base.nesting import load_json
from facematch_mock_server.base.masking import (
    describe_fields,
    hide_secrets,
    mask_and_shorten,
    shorten,
)
from facematch_mock_server.base.messages import (
    ACTION_HEADERS,
    MULTIPART,
    URLENCODED,
    Form,
    FormError,
    Headers,
    Request,
    Response,
    Upload,
    form_of,
    media_type,
    read_form,
)
from facematch_mock_server.claims import CitedClaims, encode, placeholders_of, response
from facematch_mock_server.recognition.cards import Card
from facematch_mock_server.recognition.outcomes import (
    Fields,
    LivenessOutcome,
    MatchOutcome,
    SeenPicture,
)
from facematch_mock_server.recognition.recognizer import Facts
from facematch_mock_server.replies import Filling, OwnReply
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.faults import Fault, Kind, Stage, failure_of
from facematch_mock_server.world.hosted import SessionRules, compare_names, origin_of
from facematch_mock_server.world.journal import SentFile, compose_note
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.links import fetch_picture, find_card
from facematch_mock_server.world.money import Charge
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.rates import ExceededLimit
from facematch_mock_server.world.vendor import Vendor as Vendor  # noqa: PLC0414 - for vendors

from .not_imitated import NotImitated

#: The hint for a score computed from the bytes.
BY_BYTES = "not a test card: the score comes from the bytes; --engine local compares the faces"
#: The hint for a 429 while the clock is stopped.
STANDS_STILL = (
    "the mock's clock is stopped: control.advance(60) advances it by a minute, "
    "control.set_limit(scope, None) removes a limit"
)
#: The hint for a key that no account has.
NOT_OUR_KEY = (
    "this is not the mock's key: read it later than at import, because a pytest fixture sets it "
    "for its test, or pass the mock's live_key"
)

#: The page about own replies, which every call that is not imitated names.
OWN_REPLIES_PAGE = "docs/test/use-the-mock.md"
#: The most letters of a name, such as that of an object in S3, that a hint shows.
_LONGEST_SHOWN_NAME = 100

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
#: The claim that a fault's response cites, by the kind of fault. A STATUS has the vendor's own.
_FAULT_CLAIMS = {
    Kind.HTML: "fault.html",
    Kind.WRONG_JSON: "fault.wrong_json",
    Kind.JSON: "fault.own",
}


class Refused(Exception):
    """Raised by a check to end the call with this response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


@attrs.frozen(kw_only=True)
class Route:
    """A path and its handlers.

    Attributes:
        pattern: The path. ``{uuid}`` matches a UUID in lower case (with any other text the
            route is unknown); ``{word}`` matches any one segment.
        handlers: The handlers by method.
        checks: Checks by name, run in order before the handler. If a check refuses the call, the
            response cites the claim with the check's name, if there is one.
        operation: The name of the call in latency and fault rules; None if no rule can match it.
        credentials: The headers that identify the caller, all required; ``authorization`` carries
            a bearer token, or a user and password (Basic).
        is_form: Whether the body is a form rather than JSON.
        shown_fields: Body fields whose values the journal may store; it stores only the type and
            length of the others.
        fields: The names of all fields that are not files; None if unknown.
        picture_fields: The names of the form's fields with pictures; empty if unknown.
        error_claims: Claims with errors specific to this path, by status.
        rate_scope: The rate limit that counts requests to this path, for the vendor's own checks.
        extra: Extra data for the vendor's own code.
    """

    pattern: str
    handlers: Mapping[str, Callable[[Any], Response]]
    checks: Mapping[str, Callable[[Any], None]] = attrs.field(factory=dict)
    operation: str | None = None
    credentials: tuple[str, ...] = ("x-api-key",)
    is_form: bool = False
    shown_fields: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    picture_fields: tuple[str, ...] = ()
    error_claims: Mapping[int, str] = attrs.field(factory=dict)
    rate_scope: str | None = None
    extra: Any = None
    expression: re.Pattern[str] = attrs.field(init=False, repr=False, eq=False)
    #: The names of all known fields of the form.
    form_fields: frozenset[str] = attrs.field(init=False, repr=False, eq=False)

    @expression.default
    def _compile(self) -> re.Pattern[str]:
        expression = re.escape(self.pattern).replace(r"\{uuid\}", f"({_UUID})")
        return re.compile(re.sub(r"\\\{(\w+)\\\}", "([^/]+)", expression))

    @form_fields.default
    def _join_fields(self) -> frozenset[str]:
        return frozenset((*self.picture_fields, *(self.fields or ())))


def _suggest_field(sent_names: AbstractSet[str], known_names: AbstractSet[str]) -> str | None:
    """Return a hint at the known field that an unknown one was probably meant to be, or None."""
    missing = sorted(known_names - sent_names)
    for name in sorted(sent_names - known_names):
        close = get_close_matches(name, missing, n=1, cutoff=0.5)
        if close:
            return f"{shorten(name, 60)}: did you mean {close[0]}?"
    return None


def _show_link(link: str) -> str:
    """Return a link for a hint: without user and query, shortened, and as printable ASCII.

    A long text that is no URL may be a picture in base64: of it nothing is shown.
    """
    if len(link) > _LONGEST_SHOWN_NAME and "://" not in link:
        return "LINK"
    shown = hide_secrets(link).partition("?")[0]
    if len(shown) > 300:
        shown = f"{shown[:300]}..."
    return ascii(shown)[1:-1]


def bearer_token(head: Request) -> str | None:
    """Return the bearer token of the Authorization header; None if there is none."""
    scheme, _, token = head.header("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@attrs.define(kw_only=True, eq=False)
class Call:
    """The state of one request while it is handled.

    Attributes:
        world, request: The vendor's world, and the request.
        claims: The vendor's claims; they record which claims the response cites.
        route: The route that matches the path, or None.
        now: The time of the response.
        path_values: The values of the path's placeholders, in order.
        headers: Headers of every response to the call.
        key: The accepted key; None before the check, and for a path that needs no key.
        key_label: For the journal: ``live``, ``sandbox``, ``none`` or ``wrong``.
        journal_fields: Fields that the journal shows, by name, or a function that returns them.
        files: The files that were sent, for the journal.
        note: A remark for the journal, or None.
        hint: A hint for the caller, sent in a header and noted in the journal; None for none.
        charged: The charge for the call; None if it is free.
        values: Values parsed from the body, by name.
        outcome: The outcome of the comparison or liveness check; None before it.
        fault: The fault to apply to the call, or None.
        own_reply: The own reply that answers the call; None if the mock answers.
    """

    world: World
    request: Request
    claims: CitedClaims
    route: Route | None
    now: Any
    path_values: tuple[str, ...] = ()
    headers: Headers = ()
    key: Key | None = None
    key_label: str = "none"
    journal_fields: Any = attrs.field(factory=dict)
    files: list[SentFile] = attrs.field(factory=list)
    note: str | None = None
    hint: str | None = None
    charged: Charge | None = None
    values: dict[str, Any] = attrs.field(factory=dict)
    outcome: Any = None
    fault: Fault | None = None
    own_reply: OwnReply | None = None
    _fields: dict[str, str] | None = attrs.field(default=None, init=False, repr=False)

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build the response that the claim `key` describes, with this call's headers."""
        return self.claims.answer(key, body, (*headers, *self.headers), **filled)

    def answer_file(
        self, key: str, media_type: str, content: bytes, headers: Headers = ()
    ) -> Response:
        """Build the response with a file, which cites the claim `key`; with this call's headers."""
        self.claims.cite(key)
        return response(200, media_type, content, (*headers, *self.headers))

    def refuse(
        self, key: str, /, *facts: str, body: object = None, headers: Headers = (), **filled: object
    ) -> NoReturn:
        """Raise `Refused` with the response of the claim `key`, which also cites `facts`."""
        self.claims.cite(*facts)
        raise Refused(self.answer(key, body, headers, **filled))

    def charge(self, price: Decimal, *, service: str, request_id: str) -> bool:
        """Charge the call. Return False without charging if the credit is insufficient.

        Args:
            price: The amount in USD.
            service: The vendor's name for the service, for the ledger.
            request_id: The request id in the response.
        """
        self.charged = self.world.ledger.charge(
            price, at=self.now, what=service, request_id=request_id
        )
        return self.charged is not None

    def refund(self) -> None:
        """Refund the charge, because a call without a response is free."""
        if self.charged is not None:
            self.world.ledger.refund(self.charged)
            self.charged = None

    def use_newest_version(self, version: str, newest: str) -> None:
        """Say that a call of an older version is answered in the newest one's form.

        The response cites the claim `version.older`. The first call of each version in an account
        has a hint, too.

        Args:
            version: The version that the caller asked for, as the vendor's documents name it:
                ``v1.0``. It must be known, because the hint repeats it.
            newest: The version whose form the answer has.
        """
        self.claims.cite("version.older")
        told = self.world.behaviour.told_versions
        if version not in told:
            told.add(version)
            self.hint = (
                f"{version} of {self.world.vendor.title} is answered in the form of {newest}"
            )

    def hint_unless_sent(self, url: str, sentence: str) -> None:
        """Hint with this sentence, and the reason, if the mock sends no webhook to a URL."""
        shared = self.world.account.shared
        if not may_send(url, shared.deliver_to):
            self.hint = (
                f"{sentence}: the mock sends to this machine, and to hosts that deliver_to lists"
            )
            shared.report_once(self.hint)

    def hint_at_unfilled(self, asked: Iterable[str]) -> None:
        """Hint at the fields of the claim `answer.unfilled` among those that a request asks for."""
        names = [name for name in asked if name in self.claims.get("answer.unfilled")]
        if names:
            self.claims.cite("answer.unfilled")
            self.hint = f"this mock never fills {', '.join(names)}: answer with an own reply"

    def hint_at_name(self, values: Mapping[str, str], requested_name: Mapping[str, str]) -> None:
        """Hint at the name on a test card's document if the request gave the person another one.

        The two arguments are those of `compare_names`.
        """
        sentence = compare_names(values, requested_name)
        if sentence is not None:
            self.claims.cite("document.name")
            # A name may contain the end of a line.
            self.hint = repr(sentence)[1:-1]

    @property
    def origin(self) -> str:
        """The scheme and host for links to this server."""
        return origin_of(self.world, self.request)

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; for a repeated name, the last value wins."""
        return dict(self.request.query)

    @property
    def path_value(self) -> str:
        """The value of the path's placeholder; of the first one, if it has several."""
        return self.path_values[0]

    def authenticate(self, text: str | None) -> bool:
        """Return whether this key is known and valid; set `key`, and the journal's `key_label`."""
        if not text:
            self.key_label = "none"
            return False
        key = self.world.keys.find(text)
        if key is None or key.revoked or key.expired(self.now):
            self.key_label = "wrong"
            return False
        self.key = key
        self.key_label = str(key.kind)
        return True

    def authenticate_client(self, client: str | None, secret: str | None) -> bool:
        """Return whether a secret is valid and this client's; see `authenticate`."""
        if self.authenticate(secret) and self.key is not None and self.key.client == client:
            return True
        self.key = None
        self.key_label = "wrong"
        return False

    @property
    def is_live(self) -> bool:
        """Whether the accepted key is one of production, not of a sandbox."""
        return self.key is not None and self.key.kind is KeyKind.LIVE

    def check_permission(self, refusal: str, **filled: Any) -> None:
        """Refuse the call with the claim `refusal` if its key lacks the permission."""
        if self.key is not None and not self.key.allowed:
            self.refuse(refusal, **filled)

    def check_signing_time(self, signed_at: dt.datetime, tolerance: dt.timedelta) -> None:
        """Refuse a time that is current neither by the machine's clock nor by the mock's.

        The claim is `key.late`.
        """
        if abs(signed_at - self.now) <= tolerance:
            return
        # OURS: The machine's clock counts, too, because tests advance the mock's.
        if abs(signed_at - dt.datetime.now(dt.UTC)) > tolerance:
            away_s = abs((signed_at - self.now).total_seconds())
            self.hint = f"the call's time is {away_s:.0f} seconds from the mock's"
            self.refuse("key.late")

    def find_signer(self, client: str, signature: str, sign: Callable[[str], str]) -> str | None:
        """Return the client's secret by which `sign` makes this signature; None if there is none.

        The key may have expired.
        """
        for secret, _ in self.world.keys.of_client(client):
            if hmac.compare_digest(sign(secret).encode(), signature.encode(errors="replace")):
                return secret
        return None

    def check_signer(self, client: str, signature: str, sign: Callable[[str], str]) -> None:
        """Refuse a call unless `sign` makes this signature with a valid secret of the client.

        The claims are `key.unknown`, `key.wrong`, `key.expired` and `key.denied`.
        """
        if not self.world.keys.of_client(client):
            self.refuse("key.unknown")
        secret = self.find_signer(client, signature, sign)
        if secret is None:
            self.refuse("key.wrong")
        if not self.authenticate(secret):
            self.refuse("key.expired")
        self.check_permission("key.denied")

    def count_request(self, windows: Mapping[str, float], client: str = "") -> ExceededLimit | None:
        """Count the call in these rate limits; return the one that it exceeds, or None.

        Args:
            windows: Seconds by scope.
            client: Whose calls are counted; "" for those of the whole account.
        """
        return self.world.rates.count_request(windows, client, now=self.now.timestamp())

    def upload(self, field: str, name: str, content: bytes | bytearray) -> Upload:
        """Hash a picture that was sent outside a form, and record it for the journal."""
        picture = self.world.pictures.store(content)
        self.files.append(SentFile(field, name, len(picture.content), picture.digest))
        return Upload(name, picture.content, picture.digest)

    def upload_base64(self, field: str, text: str, *, refusal: str, **filled: Any) -> Upload:
        """Decode a picture, and record it; white space is ignored.

        Refuse other texts with the claim `refusal`.
        """
        try:
            content = base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            self.refuse(refusal, **filled)
        return self.upload(field, "", content)

    def picture_at(
        self,
        field: str,
        link: object,
        *,
        max_bytes: int,
        refusal: str,
        is_s3_key: bool = False,
        **filled: Any,
    ) -> Upload:
        """Return the picture that a client names instead of sending it, and record it.

        It is the picture of `control.pictures` with this name. A link without one is fetched, from
        this machine only; elsewhere it is the test card whose file name the link ends with. Refuse
        anything else with the claim `refusal`, and with a hint that says how to name the link. The
        vendor's class needs ``takes_links = True``.

        Example:
            ``call.picture_at("url", body["url"], max_bytes=6 << 20, refusal="image.url")``

        Args:
            field: The name of the request's field, for the journal.
            link: The URL, or a bucket and a key as ``BUCKET/KEY``; it may be any value of a body.
            max_bytes: The vendor's limit. Of a longer picture one byte more is returned, so that
                the vendor's check of sizes refuses it.
            refusal: The claim with the vendor's refusal of a link that it cannot read.
            is_s3_key: Whether the link is a bucket and a key.
            filled: Values for the ``{names}`` in that claim's body.
        """
        # Without it the server could wait for itself.
        assert self.world.behaviour.takes_links  # noqa: S101 - a mistake of the vendor's author
        if not isinstance(link, str):
            self.refuse(refusal, **filled)
        content = self.world.account.named_pictures.find(link)
        if content is not None:
            self.claims.cite("link.named")
            return self.upload(field, "", content[: max_bytes + 1])
        self.claims.cite("link.fetched")
        # Others must not be able to reach this machine's own services through the mock.
        if not self.world.account.shared.is_open:
            content = fetch_picture(link, max_bytes + 1)
        if content is None:
            self.claims.cite("link.card")
            content = find_card(link, is_s3_key=is_s3_key)
        if content is None:
            self.hint = (
                f"name this link: --picture {_show_link(link)}=FILE, or control.pictures; "
                "a far link to p1.png is that card"
            )
            self.refuse(refusal, **filled)
        return self.upload(field, "", content)

    def read_form(self, refusal: str | None = None, *, unnamed: str | None = None) -> Form:
        """Parse the request as a form, and record its files for the journal.

        Refuse a malformed form with the claim `refusal`; without a claim, raise `FormError`. The
        field `unnamed` has a file even without a file name.
        """
        content_type = self.request.header("content-type", "")
        try:
            form = read_form(
                content_type, self.request.body, pictures=self.world.pictures, unnamed=unnamed
            )
        except FormError as error:
            if refusal is None:
                raise
            self.refuse(refusal, problem=error)
        for field, files in form.files.items():
            for file in files:
                self.files.append(SentFile(field, file.name, len(file.content), file.digest))
        route = self.route
        if route is not None and route.picture_fields:
            sent = form.files.keys() | form.fields.keys()
            if not sent <= route.form_fields:
                self.note = _suggest_field(sent, route.form_fields)
        return form

    def read_object(self, refusal: str | None = None) -> dict[str, Any]:
        """Return the body's JSON object.

        Refuse any other body with the claim `refusal`; without a claim, return an empty object.
        """
        body = self.load_body()
        if isinstance(body, dict):
            return body
        return {} if refusal is None else self.refuse(refusal)

    def read_list(self, refusal: str) -> list[Any]:
        """Return the body's JSON list; refuse any other body with the claim `refusal`."""
        body = self.load_body()
        return body if isinstance(body, list) else self.refuse(refusal)

    def load_body(self) -> Any:
        """Return the body's JSON; None if it is none."""
        try:
            return load_json(self.request.body)
        except ValueError:
            return None

    def facts_of(self, picture: Upload) -> Facts:
        """Return what is known of a picture from its bytes alone."""
        return self.world.recognizer.facts.of(picture.content, picture.digest)

    def compare(self, probe: Upload, reference: Upload, *, rotate: bool = False) -> MatchOutcome:
        """Compare two pictures."""
        self._apply_picture_faults(probe, reference)
        self.outcome = outcome = self.world.recognizer.match(
            probe.content,
            reference.content,
            rotate=rotate,
            probe_digest=probe.digest,
            reference_digest=reference.digest,
            fields=self.fields,
        )
        return outcome

    def score_stored(self, picture: Upload, number: int, stored: Upload) -> float:
        """Return how alike a picture's face, 0 for the largest, is to a stored picture's: 0-100."""
        outcome = self.world.recognizer.match(
            picture.content,
            stored.content,
            rotate=False,
            probe_digest=picture.digest,
            reference_digest=stored.digest,
            fields=self.fields,
        )
        score = outcome.score if number == 0 else outcome.smaller_face_score
        return score or 0.0

    def check_liveness(self, picture: Upload, *, rotate: bool = False) -> LivenessOutcome:
        """Check one picture for liveness."""
        self._apply_picture_faults(picture)
        self.outcome = outcome = self.world.recognizer.liveness(
            picture.content, rotate=rotate, digest=picture.digest, fields=self.fields
        )
        return outcome

    def detect_faces(self, picture: Upload, *, rotate: bool = False) -> SeenPicture:
        """Find the faces in one picture."""
        self._apply_picture_faults(picture)
        return self.world.recognizer.detect_faces(
            picture.content, rotate=rotate, digest=picture.digest
        )

    def fields(self) -> dict[str, str]:
        """Return the values of the query and of the form or JSON body as text, without files.

        For a repeated name, the last value wins. Numbers keep their spelling, such as 1.50.
        """
        if self._fields is None:
            self._fields = self.query | self._read_body_fields()
        return self._fields

    def _read_body_fields(self) -> dict[str, str]:
        """Return the texts and booleans of a form or of JSON, for fault rules.

        Other values are left out. A body that cannot be read has no fields.
        """
        content_type = self.request.header("content-type", "")
        if media_type(content_type) in (MULTIPART, URLENCODED):
            return form_of(self.request).texts
        try:
            body = load_json(self.request.body, parse_int=str, parse_float=str, parse_constant=str)
        except ValueError:
            # A body that cannot be read has no fields.
            return {}
        if not isinstance(body, dict):
            return {}
        fields = {}
        for name, value in body.items():
            if type(value) is bool:
                fields[name] = json.dumps(value)
            elif isinstance(value, str):
                fields[name] = value
        return fields

    def apply_fault(self, fault: Fault) -> None:
        """Apply a fault to this call, and record it for the journal."""
        self.fault = fault
        self.request = attrs.evolve(self.request, fault=fault)

    def _apply_picture_faults(self, *pictures: Upload) -> None:
        """Apply the faults for these pictures, and the failures that their test cards request.

        Refuse the call if the fault prevents it.
        """
        if self.request.fault is not None:
            return
        facts = self.world.recognizer.facts
        cards = []
        for picture in pictures:
            card = facts.of(picture.content, picture.digest).card
            if card is not None:
                cards.append(card)
        fault = self._find_picture_fault(cards) if cards else None
        if fault is not None:
            self.apply_fault(fault)
            if not fault.is_carried_out:
                raise Refused(_placeholder())

    def _find_picture_fault(self, cards: Sequence[Card]) -> Fault | None:
        """Return the fault that a test set for these cards, or else the first card's failure."""
        faults = self.world.account.faults
        if faults:
            operation = None if self.route is None else self.route.operation
            answers = self.world.claims.answers
            fault = faults.for_pictures(
                lambda rule: rule.fits(
                    self.request,
                    self.world.vendor_name,
                    operation,
                    self.fields,
                    answers,
                    is_call=True,
                ),
                cards,
            )
            if fault is not None:
                return fault
        for card in cards:
            if card.fails:
                return failure_of(card)
        return None


@attrs.define(kw_only=True, eq=False)
class NumberedCall(Call):
    """A call whose response has an id. Each claim may contain ``{request_id}``."""

    request_id: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.request_id = self.world.ids.uuid()

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        filled = {**filled, "request_id": self.request_id}
        return super().answer(key, body, headers, **filled)


#: WireMock's faults, by their names.
_FAULTS_OF_REPLIES = {
    "EMPTY_RESPONSE": Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.TRUNCATE),
    "MALFORMED_RESPONSE_CHUNK": Fault(stage=Stage.MID_BODY, kind=Kind.TRUNCATE),
    "RANDOM_DATA_THEN_CLOSE": Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.GARBAGE),
    "CONNECTION_RESET_BY_PEER": Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.RESET),
}


class MockVendor:
    """A mock vendor in one world, defined by its routes. Thread-safe.

    Subclasses must define at least the response to unknown paths and methods.

    Attributes:
        routes: The routes, in order.
        common_prefix: The common prefix of most of the vendor's paths, for hints.
        extra_prefixes: Prefixes of other paths that belong to the vendor, even if they have no
            route.
        slash_claim: The claim about a slash at the end of a path, which is ignored; "" if a path
            with it is another path.
        not_found_claim: The claim for an unknown path or method; ``{method}`` in it is filled in.
        errors: For each status, the claim with the vendor's error and the facts that the error
            cites: ``{503: ("outage",), 429: ("rate.exceeded", "rate.header")}``. ``{key}`` is
            filled in. For other statuses the vendor's error is not known.
        session_rules: The rules of hosted sessions; None if the vendor has no hosted sessions.
        takes_links: Whether a call may have a picture's link in its body or query: see
            `Call.picture_at`.
        not_imitated: The documented calls that the mock lacks; None if there is no list.
        told_versions: The older versions that a hint has named; see `Call.use_newest_version`.
    """

    routes: Sequence[Route] = ()
    common_prefix = "/"
    extra_prefixes: tuple[str, ...] = ()
    slash_claim = ""
    not_found_claim: str
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {}
    session_rules: SessionRules | None = None
    takes_links: bool = False
    not_imitated: ClassVar[NotImitated | None] = None
    #: The class of the vendor's calls.
    call: type[Call] = Call

    def __init__(self, world: World) -> None:
        self.world = world
        self._faults = world.account.faults
        self._replies = world.account.replies
        self.title = world.vendor.title
        self.told_versions: set[str] = set()
        self._route_of = lru_cache(maxsize=32)(self.route_of)

    def owns_without_route(self, head: Request) -> bool:
        """Return whether a request whose path has no route is the vendor's: by prefix or host."""
        return head.path.startswith(self.extra_prefixes) or self.world.vendor.has_host(
            head.header("host")
        )

    def name_of_call(self, head: Request) -> str:
        """Return the path by which `not_imitated` lists a call, or the action in a header."""
        return head.path

    def find_missing(self, head: Request) -> str | None:
        """Return the documented call that a request makes and the mock lacks; None for others."""
        if self.not_imitated is None:
            return None
        method = "GET" if head.method == "HEAD" else head.method
        return self.not_imitated.find(method, self.name_of_call(head))

    def known_paths(self) -> tuple[str, ...]:
        """Return the vendor's paths, for hints."""
        return tuple(route.pattern for route in self.routes)

    def find(self, head: Request) -> tuple[Route | None, tuple[str, ...]]:
        """Return a request's route and the values of its placeholders; see `route_of`."""
        return self._route_of(head.path)

    def route_of(self, path: str) -> tuple[Route | None, tuple[str, ...]]:
        """Return a path's route (None if unknown) and the values of the placeholders."""
        if self.slash_claim:
            path = path.removesuffix("/")
        for route in self.routes:
            match = route.expression.fullmatch(path)
            if match is not None:
                return route, match.groups()
        return None, ()

    def handle(self, request: Request) -> Response:
        """Handle a request, apply a fault that matches, and record the call in the journal."""
        route, path_values = request.routed or self.find(request)
        call = self.new_call(request, route, path_values)
        if request.fault is None and self._faults:
            self._take_late_fault(call)
        if call.fault is not None and not call.fault.is_carried_out:
            self._note_request(call)
            return self._log_and_apply_fault(call, call.fault, _placeholder())
        if self._replies.all and self._take_own_reply(call):
            return self._answer_with_own_reply(call)
        try:
            if route is None:
                response = self.not_found(call)
                was_refused = True  # also with a 200, as some vendors do
            else:
                response = self.answer(call, route)
                was_refused = response.status >= 400
        except Refused as refused:
            response = refused.response
            was_refused = True
        self._add_hints(call, response, was_refused=was_refused)
        self._put_set_values(call, response)
        response = call.claims.with_citations(self.finished(call, response))
        # The pictures may have triggered a fault.
        if call.fault is not None:
            return self._log_and_apply_fault(call, call.fault, response)
        self.log(call, response)
        return response

    def _add_hints(self, call: Call, response: Response, *, was_refused: bool) -> None:
        """Add the call's hint to the header and the note: why the answer is not as expected."""
        outcome = call.outcome
        own_reply_hint = self._explain_own_reply(call.request)
        if own_reply_hint is not None:
            call.hint = call.hint or own_reply_hint
        elif was_refused:
            self._hint_at_refusal(call, response)
        elif outcome is not None and outcome.score_source == "bytes" and outcome.score is not None:
            # The mock compares bytes, so two photographs of one person score like two people.
            response.headers = (*response.headers, (HINT_HEADER, BY_BYTES))
        if call.hint is not None:
            call.note = f"{call.note}; {call.hint}" if call.note else call.hint
            # A header is ASCII, but the journal and the console show a name as it is.
            hint = call.hint.encode("ascii", "backslashreplace").decode()
            response.headers = (*response.headers, (HINT_HEADER, hint))

    def _put_set_values(self, call: Call, response: Response) -> None:
        """Put the values that a test has set into the answer, unless it is an error."""
        if not self.world.set_values or not response.body.startswith((b"{", b"[")):
            return
        if response.status >= 400:
            return
        body = response.json()
        if self.world.set_values.put_into(self.name_of_call(call.request), body):
            call.claims.cite("value.set")
            response.body = encode(body)

    def imitates(self, request: Request) -> bool:
        """Return whether the mock has an answer of its own to a request, be it a refusal."""
        route, _ = self.find(request)
        if route is None or self.find_missing(request) is not None:
            return False
        return request.method in route.handlers or (
            request.method == "HEAD" and "GET" in route.handlers
        )

    def _take_own_reply(self, call: Call) -> bool:
        """Set the own reply that answers a call, and return whether there is one."""
        call.own_reply = self._replies.take(
            call.request, self.world.vendor_name, is_imitated=self.imitates(call.request)
        )
        return call.own_reply is not None

    def _answer_with_own_reply(self, call: Call) -> Response:
        """Return the response of the call's own reply, and record the call in the journal.

        No key is checked, nothing is charged, and nothing else of the vendor's state changes.
        """
        reply = call.own_reply
        assert reply is not None  # noqa: S101 - the caller has asked
        call.claims.cite("reply.own")
        new_id = self.world.ids.uuid
        filling = Filling(request=call.request, now=call.now, new_id=new_id)
        try:
            response = reply.answer(filling)
        except (ValueError, RecursionError) as error:
            response = call.answer("reply.unfilled", problem=str(error))
        call.note = reply.hint
        response.headers = (*response.headers, (HINT_HEADER, reply.hint))
        response = sent = call.claims.with_citations(response)
        fault = call.fault
        if fault is None and reply.response.fault is not None:
            fault = _FAULTS_OF_REPLIES[reply.response.fault]
        if fault is None:
            self.log(call, response)
        else:
            sent = self._log_and_apply_fault(call, fault, response)
        if response.entry is not None:
            response.entry.reply = reply
        return sent

    def _explain_own_reply(self, request: Request) -> str | None:
        """Return why an own reply for the path of a call did not answer it; None without one."""
        reply = self._replies.find_by_path(request) if self._replies.all else None
        if reply is None or reply.vendor not in (None, self.world.vendor_name):
            return None
        return reply.explain_silence(request, is_imitated=self.imitates(request))

    def _hint_at_refusal(self, call: Call, response: Response) -> None:
        """Set the hint of a refusal that the vendor's own answer does not explain."""
        missing = self.find_missing(call.request)
        if missing is not None and self.not_imitated is not None:
            call.claims.cite("not_imitated")
            page = self.not_imitated.page
            call.hint = (
                f"{self.title} has {missing}; this mock does not imitate it (see {page}): answer "
                f"it with an own reply ({OWN_REPLIES_PAGE})"
            )
            call.world.account.shared.report_once(call.hint)
        elif response.status == 429 and not call.world.clock.running:
            call.hint = STANDS_STILL
        elif call.hint is not None:
            return
        elif call.key_label == "wrong" and not self._is_known_key(call.request):
            call.hint = NOT_OUR_KEY

    def _is_known_key(self, request: Request) -> bool:
        """Return whether an account has the request's key, even if it was revoked."""
        accounts = self.world.account.shared
        return accounts.account_of(self.world.vendor, request) is not None

    def _take_late_fault(self, call: Call) -> None:
        """Apply the next fault for a call.

        If the body has the key, the account was unknown until now: upload faults apply here, too.
        """
        fault = self.take_fault(call.request, call.route, fields=call.fields)
        if fault is not None:
            call.apply_fault(fault)

    def take_fault(
        self, head: Request, route: Route | None, only: Stage | None = None, fields: Fields = dict
    ) -> Fault | None:
        """Take the next fault for a request; `only` limits it to one stage."""
        operation = self.operation(head)
        answers = self.world.claims.answers
        is_call = route is not None
        return self.world.account.faults.for_request(
            lambda rule: rule.fits(
                head, self.world.vendor_name, operation, fields, answers, is_call=is_call
            ),
            only,
            was_uploading=only is None and head.vendor is not None,
        )

    def _note_request(self, call: Call) -> None:
        """Record the key and the form of a call that a fault prevents, for the journal."""
        route = call.route
        if route is None:
            return
        for name in route.credentials:
            if "key" in name:
                call.authenticate(call.request.header(name))
        if route.is_form:
            with contextlib.suppress(FormError):
                texts = call.read_form().texts
                call.journal_fields = describe_fields(texts.items(), route.shown_fields)

    def _log_and_apply_fault(self, call: Call, fault: Fault, response: Response) -> Response:
        """Log the call, and return the response that a fault produces.

        `response` is the vendor's own, or a placeholder for a call that is not carried out.
        """
        if fault.is_postponed:
            # The call is carried out, and recorded, after the delay.
            response = _placeholder()
            response.fault = fault
            return response
        carried_out = response if fault.is_carried_out else None
        if fault.stage is not Stage.ANSWER:
            self.log(call, carried_out)
            response.fault = fault
            return response
        replacement = self._replace_answer(call, fault)
        self.answered_by_fault(call, replacement)
        self.log(call, carried_out or replacement)
        return replacement

    def _replace_answer(self, call: Call, fault: Fault) -> Response:
        """Build the response that a fault sends in place of the vendor's own."""
        if fault.claim is not None:
            response = self._answer_with_claim(call.request, fault.claim)
        else:
            response = self._answer_with_status(call.request, fault)
        set_names = {name.lower() for name in fault.headers}
        headers = [line for line in response.headers if line[0].lower() not in set_names]
        for name, text in fault.headers.items():
            # None removes a header.
            if text is not None:
                headers.append((name, str(text)))
        response.headers = tuple(headers)
        return response

    def _answer_with_status(self, request: Request, fault: Fault) -> Response:
        """Build the response of a fault with a status."""
        status: int = fault.status  # type: ignore[assignment]  # None only with a claim
        claim = _FAULT_CLAIMS.get(fault.kind)
        response = None
        if claim is None:
            response = self.vendor_error(status, request)
            # For a status whose error at the vendor is not known.
            claim = "fault.server" if status >= 500 else "fault.other"
        if response is None:
            claims = self.world.claims.cited()
            response = claims.with_citations(claims.answer(claim, fault.body, status=status))
        response.status = status
        return response

    def _answer_with_claim(self, request: Request, claim: str) -> Response:
        """Build the response of a fault with a claim, given by its key or id."""
        route, path_values = self.find(request)
        call = self.new_call(request, route, path_values)
        key = self.world.claims.answers[claim]
        # The call was not looked at, so what is unknown of it is left empty in the answer.
        filled: dict[str, Any] = dict.fromkeys(placeholders_of(call.claims.get(key).body), "")
        if "method" in filled:
            filled["method"] = request.method
        if "key" in filled and route is not None and route.credentials:
            name_of_key, *_ = route.credentials
            filled["key"] = request.header(name_of_key, "")
        if "name" in filled and route is not None and route.picture_fields:
            filled["name"], *_ = route.picture_fields
        return call.claims.with_citations(call.answer(key, **filled))

    def log(self, call: Call, response: Response | None) -> None:
        """Record a call and its response (None if there was none) in the journal."""
        request = call.request
        fields = call.journal_fields
        if "?" in request.target:
            body_fields = fields() if callable(fields) else fields
            # A field of the body replaces one of the query.
            fields = {**mask_and_shorten(request.query), **body_fields}
        entry = call.world.log(
            request,
            at=call.now,
            status=None if response is None else response.status,
            vendor=self.world.vendor_name,
            key=call.key_label,
            fields=fields,
            files=tuple(call.files),
            claims=() if response is None else response.claims,
            note=call.note if request.fault is None else compose_note(request, call.note),
            charge=call.charged,
            answer=response,
        )
        if response is not None:
            response.entry = entry
            response.date = call.now

    def new_call(
        self, request: Request, route: Route | None, path_values: tuple[str, ...] = ()
    ) -> Call:
        """Return the call that a request makes, at the time of the world's clock.

        `route` is None for none.
        """
        world = self.world
        return self.call(
            world=world,
            request=request,
            claims=world.claims.cited(),
            route=route,
            now=world.clock.now(),
            path_values=path_values,
        )

    def answer(self, call: Call, route: Route) -> Response:
        """Run a route's checks, which may raise `Refused`, then its handler."""
        if self.slash_claim and call.request.path.endswith("/"):
            call.claims.cite(self.slash_claim)
        for claim, check in route.checks.items():
            try:
                check(call)
            except Refused:
                if claim in call.claims:
                    call.claims.cite(claim)
                raise
        method = call.request.method
        handler = route.handlers.get(method)
        if handler is None and method == "HEAD":
            # It is handled like GET; the server omits the body.
            handler = route.handlers.get("GET")
        return self.not_found(call) if handler is None else handler(call)

    def not_found(self, call: Call) -> Response:
        """Respond to an unknown path or method; by default with the claim `not_found_claim`."""
        self._suggest_call(call)
        return call.answer(self.not_found_claim, method=call.request.method)

    def _suggest_call(self, call: Call) -> None:
        """Suggest the path that was probably meant, or the methods of a path, in a hint."""
        if call.hint is not None:
            return
        if call.route is not None:
            call.hint = f"this path takes {' or '.join(call.route.handlers)}"
            return
        close = get_close_matches(call.request.path, self.known_paths(), n=1)
        if close:
            call.hint = f"did you mean {close[0]}?"

    def finished(self, call: Call, response: Response) -> Response:
        """Adjust a response, including a refusal, before it is sent."""
        return response

    def answered_by_fault(self, call: Any, answer: Response) -> None:
        """Note the answer that a fault gives in place of the vendor's own; by default nothing."""

    def operation(self, head: Request) -> str | None:
        """Return the call's name in latency and fault rules; None if no rule can match it."""
        route, _ = self.find(head)
        return None if route is None else route.operation

    def vendor_error(self, status: int, request: Request) -> Response | None:
        """Return the vendor's own error for a status; None if unknown."""
        route, path_values = self.find(request)
        call = self.new_call(request, route, path_values)
        claim = None if route is None else route.error_claims.get(status)
        try:
            response = self._answer_error(call, status) if claim is None else call.answer(claim)
        except Refused as refused:
            response = refused.response
        if response is None:
            return None
        # A switch may change the claim's status; the body is the same.
        response.status = status
        return call.claims.with_citations(response)

    def _answer_error(self, call: Any, status: int) -> Response | None:
        """Return the error for a status in `errors`; None for other statuses."""
        if status not in self.errors:
            return None
        claim, *facts = self.errors[status]
        call.claims.cite(*facts)
        # CompreFace's error repeats the key, and its only path has the same credentials.
        header_names = self.routes[-1].credentials
        key = call.request.header(header_names[0], "") if header_names else ""
        return call.answer(claim, key=key, name="")  # type: ignore[no-any-return]  # `call` is a `Call`


class ActionVendor(MockVendor):
    """A mock vendor whose calls have one path, and a header that names the call. Thread-safe.

    Attributes:
        action_header: The name of that header in lower case.
    """

    action_header: str

    def name_of_call(self, head: Request) -> str:
        """Return the name of the call; "" if a request has none."""
        return head.header(self.action_header, "")

    def is_of_another(self, head: Request) -> bool:
        """Return whether a request names a call as another vendor with the same path does."""
        for name in ACTION_HEADERS:
            if name != self.action_header and head.header(name) is not None:
                return True
        return False

    def known_paths(self) -> tuple[str, ...]:
        """Return no paths to suggest, because a header selects the action."""
        return ()

    def log(self, call: Call, response: Response | None) -> None:
        """Record a call as `MockVendor.log` does, with its action among the fields."""
        action = call.request.header(self.action_header)
        if action is not None:
            fields = call.journal_fields
            fields = fields() if callable(fields) else fields
            call.journal_fields = {self.action_header: shorten(action), **fields}
        super().log(call, response)


class ListingVendor(MockVendor):
    """A mock vendor of sessions whose list has the path of their start. Thread-safe."""

    def operation(self, head: Request) -> str | None:
        """Return the call's name in latency and fault rules; a list is a read."""
        operation = super().operation(head)
        is_list = operation in ("check", "session_start") and head.method != "POST"
        return "session_read" if is_list else operation


def _placeholder() -> Response:
    """Return a placeholder for a response that is never sent."""
    return Response(status=500)


def can_start_with(pattern: str, path: str) -> bool:
    """Return whether a path that matches this pattern can start with `path`."""
    segments = []
    for segment, sent in zip(pattern.split("/"), path.split("/"), strict=False):
        # A placeholder matches any text, but not an empty one.
        is_filled = segment.startswith("{") and sent
        segments.append(sent if is_filled else segment)
    return "/".join(segments).startswith(path)


def is_uuid(value: object) -> TypeGuard[str]:
    """Return whether a value is a UUID in its usual form, in any case."""
    return isinstance(value, str) and re.fullmatch(_UUID, value, re.IGNORECASE) is not None


def is_date(value: object) -> bool:
    """Return whether a value is a date such as 1990-01-31."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        dt.date.fromisoformat(value)
    except ValueError:
        return False
    return True


def as_fraction(score: float) -> float:
    """Convert a score from 0-100 to 0-1, with five decimals."""
    return float((Decimal(str(score)) / 100).quantize(Decimal("0.00001"), ROUND_HALF_UP))


def read_or_empty(call: Call, *, unnamed: str | None = None) -> Form:
    """Return a call's form; if it is malformed, record that and return an empty form.

    The field `unnamed` has a file even without a file name.
    """
    try:
        return call.read_form(unnamed=unnamed) if call.request.body else Form()
    except FormError as error:
        call.note = f"form: {error}"
        return Form()
