"""Claims about vendors with their sources, and the responses based on them.

A fact that no switch or setting changes may be in the code instead, with its source. What we chose,
and what is neither a value nor a reply, is a comment at its code: ``# OURS: ...``.
"""

from __future__ import annotations

import enum
import functools
import json
import string
from collections.abc import Iterable, Mapping
from decimal import Decimal
from operator import itemgetter
from typing import Any, NoReturn

import attrs

from facematch_mock_server.base.messages import Headers, Response

#: The day on which the vendors' documents were read.
READ = "2026-11-20"
#: The vendor of the claims about the mock's own responses.
MOCK = "mock"
JSON = "application/json"
HTML = "text/html; charset=utf-8"


class Known(enum.StrEnum):
    """The kinds of evidence for a claim."""

    #: Stated in the vendor's documentation.
    DOCUMENTED = "documented"
    #: Seen in a capture, or in a client that is known to run against production.
    OBSERVED = "observed"
    #: Inferred from the framework that the vendor's error bodies reveal.
    FRAMEWORK = "framework"
    #: Our choice; clients must not depend on it.
    OURS = "ours"


@attrs.frozen
class Origin:
    """The source of a claim.

    Attributes:
        known: The kind of evidence.
        document: The document with its date.
        read: The day on which the document was read, ISO 8601.
    """

    known: Known
    document: str
    read: str = READ


OURS = Origin(Known.OURS, "our choice; not documented")


def documented(document: str, read: str = READ) -> Origin:
    """Return the source of claims that the vendor's documentation states."""
    return Origin(Known.DOCUMENTED, document, read)


def observed(document: str, read: str = READ) -> Origin:
    """Return the source of claims that a capture or a working client shows."""
    return Origin(Known.OBSERVED, document, read)


def inferred(document: str, read: str = READ) -> Origin:
    """Return the source of claims that follow from the framework of the vendor's error bodies."""
    return Origin(Known.FRAMEWORK, document, read)


@attrs.frozen
class Reply:
    """A response that is part of a claim.

    Attributes:
        status: The HTTP status, 100-599.
        body: JSON with ``{names}`` to fill in, an HTML page as text, or None if the body is built
            for each request, or if there is none.
        headers: Headers other than the content type.
        content_type: The content type; None for that of the body: JSON, or HTML for text.
    """

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str | None = None


@attrs.frozen
class Claim:
    """A statement about a vendor's behaviour, with its source.

    Attributes:
        key: The name by which code looks up the claim; at most one claim per key is active.
        value: A `Reply`, or another value that code uses; None for a fact built into the code.
        origin: The source of the statement.
        statement: The claim in words.
        when: A switch, followed by the values that activate the claim; None if always active.
        name: Distinguishes claims with the same key.
        vendor: The vendor; ``mock`` for the mock's own responses.
    """

    key: str
    value: Any
    origin: Origin
    statement: str
    when: tuple[Any, ...] | None = attrs.field(default=None, kw_only=True)
    name: str = attrs.field(default="", kw_only=True)
    vendor: str = attrs.field(default="", kw_only=True)

    @functools.cached_property
    def id(self) -> str:
        """The unique id, ``vendor.area.what``."""
        return ".".join(filter(None, (self.vendor, self.key, self.name)))

    def is_active(self, switch_values: Mapping[str, Any]) -> bool:
        """Return whether the claim applies when the switches have these values."""
        if self.when is None:
            return True
        switch, *values = self.when
        return switch_values[switch] in values

    def to_dict(self) -> dict[str, Any]:
        """Return the claim as the control API shows it."""
        return {
            "id": self.id,
            "statement": self.statement,
            "known": self.origin.known,
            "source": self.origin.document,
            "read": self.origin.read,
        }


#: A short name for `Claim` in a `table`.
row = Claim


def fact(key: str, origin: Origin, statement: str, **more: Any) -> Claim:
    """Make a claim without a value, for responses to cite; for `more` see `Claim`."""
    return row(key, None, origin, statement, **more)


def table(vendor: str, *rows: Claim) -> tuple[Claim, ...]:
    """Return copies of these claims with `vendor` set."""
    return tuple(attrs.evolve(claim, vendor=vendor) for claim in rows)


#: The switch of vendors whose requests name the person: which name a card's document has.
DOCUMENT_NAME: Mapping[str, tuple[Any, ...]] = {"document_name": ("of_card", "as_requested")}

# Our choices that several vendors' mocks share: rows of their tables.
# fmt: off
START_CREDIT = row("credit.start", Decimal(100), OURS, "The credit starts at USD 100.")
LIVE_FROM = row("session.live_from", 50, OURS, "A face is live from a score of 50, and an attack never is.")
# fmt: on


class MissingClaimError(Exception):
    """Raised when no claim about the vendor has the key that code looks up."""


class _ClaimTable(dict[str, tuple[Any, str]]):
    """The value and id of each claim, by key. A missing key raises `MissingClaimError`."""

    def __missing__(self, key: str) -> Any:
        raise MissingClaimError(f"This vendor has no claim {key!r}: add a row for it.")


class ActiveClaims:
    """The active claims about one vendor: a mapping of keys to values, with settings applied."""

    def __init__(
        self,
        claims: Iterable[Claim],
        switch_values: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises MissingClaimError for a setting without a claim."""
        #: The value of every switch.
        self.switch_values = switch_values
        #: The switches and settings that were set.
        self.set_by_user = dict(switches or {})
        #: The active claims: those without a switch, and those whose switch has one of their values.
        self.claims = tuple(
            claim for claim in claims if claim.when is None or claim.is_active(switch_values)
        )
        self._table = _ClaimTable()
        for claim in self.claims:
            if claim.key in self._table:
                raise ValueError(f"two active claims have the key {claim.key}")
            self._table[claim.key] = (claim.value, claim.id)
        for key, value in (settings or {}).items():
            _, claim_id = self._table[key]
            self._table[key] = (value, claim_id)

    @functools.cached_property
    def answers(self) -> Mapping[str, str]:
        """The keys of the vendor's claims with a written body, by key and by id.

        An answer whose body is built for each call, such as a score's, is not one of them.
        """
        keys = {}
        for claim in self.claims:
            is_of_vendor = claim.vendor != MOCK
            if is_of_vendor and isinstance(claim.value, Reply) and claim.value.body is not None:
                keys[claim.key] = claim.key
                keys[claim.id] = claim.key
        return keys

    def cite(self, *_: str) -> NoReturn:
        """Raise TypeError: these claims only give values."""
        raise TypeError(
            "`world.claims` only gives values: cite with `call.claims`, or with the `claims` that "
            "`compose` gets"
        )

    def cited(self) -> CitedClaims:
        """Return these claims for one response, which has cited none of them yet."""
        return CitedClaims(self._table)

    def __getitem__(self, key: str) -> Any:
        return self._table[key][0]

    def __contains__(self, key: str) -> bool:
        return key in self._table


class CitedClaims:
    """The active claims, for one response. Records which of them the response cites."""

    __slots__ = ("_cited", "_table")

    def __init__(self, by_key: dict[str, tuple[Any, str]]) -> None:
        self._table = by_key
        #: The values and ids of the cited claims; a claim may be cited repeatedly.
        self._cited: list[tuple[Any, str]] = []

    def __getitem__(self, key: str) -> Any:
        """Return the value of a claim, and cite it."""
        claim = self._table[key]
        self._cited.append(claim)
        return claim[0]

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def get(self, key: str) -> Any:
        """Return the value of a claim without citing it. Raises MissingClaimError."""
        return self._table[key][0]

    def cite(self, *keys: str) -> None:
        """Cite these claims."""
        self._cited += map(self._table.__getitem__, keys)

    @property
    def claims(self) -> tuple[str, ...]:
        """The ids of the cited claims, in order."""
        return tuple(dict.fromkeys(map(itemgetter(1), self._cited)))

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build the response that a claim describes.

        Args:
            key: The key of a claim with a `Reply`.
            body: The JSON body; None for the claim's own body. If that is None, too, the response
                has no body, and no content type unless the `Reply` has one.
            headers: Headers to add.
            filled: Values for the ``{names}`` in the claim's body and headers.
        """
        reply: Reply = self[key]
        headers = (*((name, fill(text, filled)) for name, text in reply.headers), *headers)
        if body is None and reply.body is None:
            # Such as the answer to a deletion. JSON's null would be a body.
            lines = headers
            if reply.content_type is not None:
                lines = (("Content-Type", reply.content_type), *lines)
            return Response(status=reply.status, headers=lines)
        if isinstance(reply.body, str):
            content_type = HTML
            content = fill(reply.body, filled).encode()
        else:
            content_type = JSON
            if "json.content_type" in self._table:
                content_type = self.get("json.content_type")
            content = encode(fill(reply.body, filled) if body is None else body)
        lines = (("Content-Type", reply.content_type or content_type), *headers)
        return Response(status=reply.status, headers=lines, body=content)

    def with_citations(self, answer: Response) -> Response:
        """Return `answer` with the cited claims attached."""
        answer.claims = self.claims
        return answer


def response(
    status: int, content_type: str, body: bytes, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Build a response with a content type and a body."""
    return Response(status=status, headers=(("Content-Type", content_type), *headers), body=body)


def placeholders_of(template: object) -> frozenset[str]:
    """Return the names of the ``{names}`` in all texts of `template`."""
    if isinstance(template, str):
        return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)
    parts: Iterable[Any] = ()
    if isinstance(template, dict):
        parts = template.values()
    elif isinstance(template, list):
        parts = template
    return frozenset().union(*map(placeholders_of, parts))


def fill(template: object, filled: Mapping[str, object]) -> Any:
    """Replace the ``{names}`` in all texts of `template`."""
    if not filled:
        return template
    if isinstance(template, str):
        return template.format_map(filled)
    if isinstance(template, dict):
        return {name: fill(value, filled) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, filled) for value in template]
    return template


# Bodies contain no cycles, and checking for them would take a fifth of the time.
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False
)


def encode(body: object) -> bytes:
    """Encode JSON compactly, with non-ASCII characters unescaped, as web frameworks do."""
    text = _ENCODER.encode(body)
    try:
        # Django REST framework escapes line separators, which old JavaScript engines reject.
        return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
    except UnicodeEncodeError:  # half a surrogate pair: valid in JSON but not in UTF-8
        return json.dumps(body, separators=(",", ":")).encode()


# The mock's own responses. The key ``mock`` distinguishes them from a vendor's responses.
# fmt: off
MOCK_CLAIMS = table(
    MOCK,
    row("elsewhere", Reply(404, {"mock": "Nothing is served at {path}. {hint}"}), OURS, "An unknown path gets a 404 that suggests the most similar known path."),
    fact("not_imitated", OURS, "A documented call that the mock does not imitate is answered as the vendor answers an unknown one, or refuses a key, with a hint that names the call."),
    fact("version.older", OURS, "A call of an older version is answered in the newest one's form, unless a source shows the older form; the first has a hint that says so."),
    row("host", Reply(403, {"mock": "Address this mock by a loopback name, such as 127.0.0.1, or by one of its vendors' host names."}), OURS, "While it is bound to the loopback interface, the mock refuses requests for any host except loopback names and its vendors' hosts."),
    row("limit.body", Reply(413, "<html><body><h1>413 Request Entity Too Large</h1></body></html>\n"), OURS, "A body above 64 MiB is refused with an HTML page; the limits of vendors' proxies are not documented."),
    fact("link.named", OURS, "A picture that a client names by a link, or by a bucket and a key, is the one that a test has put there: at the link, at the link without its query, or at the longest name ending with a slash that the link begins with."),
    fact("link.fetched", OURS, "A link without a named picture is fetched from this machine only, and only if the mock is on the loopback; a redirect, an answer other than 200 and one after 5 seconds count as unreadable. Nothing is fetched from elsewhere."),
    fact("link.card", OURS, "A link to another machine, or a key of any bucket, that ends with the file name of an included test card, such as p1.png, is that card; any other one without a named picture is unreadable."),
    fact("document.name", OURS, "The document of a test card has a name of its own, or with document_name=as_requested the one in the request; a hint tells two names that differ."),
    fact("value.set", OURS, "A documented value that a test has set stands in the answer; all else, and the charge, is as without it."),
    fact("reply.own", OURS, "A reply that the user wrote, or recorded at the vendor, answers where the mock imitates nothing, or with instead also elsewhere; no key is checked, nothing is charged, and it is no claim about the vendor."),
    row("reply.unfilled", Reply(500, {"mock": "{problem}"}), OURS, "An own reply with a template that the request cannot fill is a 500 that names the template."),
    row("limit.control", Reply(413, {"mock": "The body of a change is limited to 1 MiB."}), OURS, "The body of a change through the control API is limited to 1 MiB."),
    row("fault.html", Reply(502, "<html><body><h1>{status}</h1><p>A gateway's page.</p></body></html>\n"), OURS, "If a test requests an HTML page, the page looks like a gateway's."),
    row("fault.wrong_json", Reply(200, {"unexpected": ["shape", 1, None]}), OURS, "If a test requests JSON of the wrong shape, the body has none of the vendor's fields."),
    row("fault.own", Reply(200), OURS, "A JSON body supplied by a test is sent as it is, and is not a claim about the vendor."),
    row("fault.server", Reply(500, "<html><body><h1>Server Error ({status})</h1></body></html>\n"), OURS, "A status of 500 or above has an HTML page, because the vendor's body is not documented."),
    row("fault.other", Reply(400, {"mock": "A test requested the status {status}; the vendor's message for it is not known."}), OURS, "If the vendor's message for a status is not known, the mock sends a message of its own."),
)
# fmt: on
