"""A call to Stripe: its key, its limit, its parameters, and the replay of an earlier answer.

Sources: Stripe's client stripe 16.1.0 for Python; docs.stripe.com/api and /api/idempotent_requests.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, TypeAlias

import attrs

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.vendors.base import Call, Refused, bearer_token
from facematch_mock_server.vendors.replays import SavedAnswers, digest_of
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

#: The version whose form all answers have.
NEWEST_VERSION = "2026-10-28.endive"
_VERSION = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z]{1,20})?", re.ASCII)


def _fields_of(part: str, names: str) -> set[str]:
    return {part, *(f"{part}.{name}" for name in names.split())}


#: The fields that can be expanded in a report, and in a session: those of the client.
_IN_REPORT = _fields_of(
    "document",
    "address dob error expiration_date files first_name issued_date issuing_country last_name "
    "number sex type unparsed_place_of_birth unparsed_sex",
) | _fields_of("id_number", "dob error first_name id_number id_number_type last_name")
_IN_SESSION = _fields_of("last_verification_report", " ".join(_IN_REPORT)) | _fields_of(
    "verified_outputs",
    "address dob email first_name id_number id_number_type last_name phone sex "
    "unparsed_place_of_birth unparsed_sex",
)
#: Fields that only a restricted key may read, and only if each is expanded by itself.
_SENSITIVE = ("dob", "expiration_date", "id_number", "number")


@attrs.frozen
class ParameterKind:
    """The kind of a parameter.

    Attributes:
        words: The words that it can be; () for any text.
        is_list: Whether it is a list of texts, as in ``expand[0]=...``.
    """

    words: tuple[str, ...] = ()
    is_list: bool = False


TEXT = ParameterKind()
TEXTS = ParameterKind(is_list=True)
FLAG = ParameterKind(("true", "false"))
#: An object, which an empty text empties; its fields are parameters of their own.
EMPTIED = ParameterKind(("",))
#: Metadata: each text has a name in brackets.
METADATA = ParameterKind()
#: The parameter of most calls that names what to expand in the answer.
EXPAND: Mapping[str, ParameterKind] = {"expand": TEXTS}
#: Parameters by name. Those of lists are lists, flags are bool, and metadata are texts by name.
Parameters: TypeAlias = dict[str, Any]


def fields_of(sent: Parameters, name: str) -> Parameters:
    """Return the parameters in an object, such as ``options[document]``, by their names in it."""
    prefix = f"{name}["
    fields = {}
    for sent_name, value in sent.items():
        if sent_name.startswith(prefix):
            fields[sent_name.removeprefix(prefix).removesuffix("]")] = value
    return fields


def new_id(prefix: str, uuid: str) -> str:
    """Return an id in Stripe's form, made from a UUID."""
    return f"{prefix}_1{uuid.replace('-', '')[:23]}"


def key_of(head: Request) -> str | None:
    """Return the key in a request: a bearer token, or the user of HTTP Basic."""
    scheme, _, credentials = head.header("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return bearer_token(head)
    try:
        user, _, _ = base64.b64decode(credentials, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user


def _split(name: str) -> tuple[str, str | None]:
    """Return the name of a list or of metadata, and the index or name in its last brackets.

    Of another parameter, return the whole name, ``options[document][allowed_types]``, and None.
    """
    outer, _, inner = name.removesuffix("]").rpartition("[")
    if outer == "metadata" or (outer and not inner.strip("0123456789")):
        return outer, inner
    return name, None


class StripeRecords(SavedAnswers):
    """The answers of one world that can be replayed."""

    def __init__(self) -> None:
        super().__init__()
        #: The names of requests that have no answer yet. Guarded by `lock`.
        self.under_way: set[str] = set()


@attrs.define(kw_only=True, eq=False)
class StripeCall(Call):
    """A call to Stripe.

    Attributes:
        expands: The fields to expand, once the parameters are read; in a list without ``data.``.
        is_refusal_kept: Whether the call was refused after its parameters had been checked, so
            that its idempotency key gets the same refusal again.
    """

    expands: frozenset[str] = frozenset()
    is_refusal_kept: bool = False

    @property
    def replay_name(self) -> str:
        """The mode of the key and the idempotency key; "" without one."""
        idempotency_key = self.request.header("idempotency-key")
        if not idempotency_key or self.request.method != "POST":
            return ""
        return f"{'live' if self.is_live else 'test'} {idempotency_key}"

    def read_parameters(self, known: Mapping[str, ParameterKind]) -> Parameters:
        """Return the parameters of the query or the form; refuse unknown and wrong ones."""
        # A body is a form, with options[document][...]; a list is written expand[0]= or expand[]=,
        # in a form and in a query. (requests of stripe 16.1.0 for Python and 23.1.0 for Node)
        pairs: Iterable[tuple[str, str]] = self.request.query
        if self.request.method == "POST":
            pairs = []
            if self.request.body:
                form = self.read_form("body.form")
                pairs = [(name, text) for name, texts in form.fields.items() for text in texts]
        parameters: Parameters = {}
        for sent_name, text in pairs:
            name, item = _split(sent_name)
            kind = known.get(name)
            if kind is None:
                self.refuse("parameter.unknown", name=sent_name)
            if kind is METADATA:
                self._add_metadata(parameters.setdefault(name, {}), item, text)
                continue
            if text == "" and kind is not EMPTIED:
                self.refuse("parameter.empty", name=sent_name)
            # stripe-python before 13.0 sends True and False.
            word = text.lower() if kind is FLAG else text
            is_wrong_word = kind.words != () and word not in kind.words
            if is_wrong_word or kind.is_list is (item is None):
                self.refuse("parameter.invalid", name=sent_name)
            if kind.is_list:
                parameters.setdefault(name, []).append(text)
            else:
                parameters[name] = word == "true" if kind is FLAG else text
        self.expands = frozenset(map(self._check_expansion, parameters.get("expand", ())))
        return parameters

    def _add_metadata(self, metadata: dict[str, str], name: str | None, text: str) -> None:
        """Add a text to metadata; without a name, an empty text empties them."""
        if name is None and text != "":
            self.refuse("parameter.invalid", name="metadata")
        if name is None:
            return
        if len(name) > self.claims["metadata.max_key_length"]:
            self.refuse("metadata.refused", "metadata.max_key_length")
        if len(text) > self.claims["metadata.max_text_length"]:
            self.refuse("metadata.refused", "metadata.max_text_length")
        metadata[name] = text

    def _check_expansion(self, sent_field: str) -> str:
        """Return a field to expand; refuse one that is not there."""
        field = sent_field
        if self.request.method == "GET" and not self.path_values:
            place, _, field = sent_field.partition(".")
            if place != "data":
                self.refuse("list.expand", name=sent_field)
            if not field:
                return ""  # the objects of a list are always there
        is_of_report = self.request.path.startswith("/v1/identity/verification_reports")
        if field not in (_IN_REPORT if is_of_report else _IN_SESSION):
            self.refuse("parameter.expand", name=sent_field)
        return field

    def expands_for(self, checked_at: dt.datetime | None) -> frozenset[str]:
        """Return the fields to expand that the key may read.

        `checked_at` is the time of the report, or None if there is none. In place of a sensitive
        field, the part that has it is expanded.
        """
        age = dt.timedelta(0) if checked_at is None else self.now - checked_at
        is_recent = age.total_seconds() <= self.claims["expand.recent_s"]
        if is_recent and self.has_restricted_key:
            return self.expands
        fields = set()
        for field in self.expands:
            part, _, name = field.rpartition(".")
            fields.add(part if name in _SENSITIVE else field)
        if fields != self.expands:
            names = ", ".join(_SENSITIVE)
            self.hint = f"only a restricted key, rk_..., can expand {names}, for 48 hours"
        return frozenset(fields)

    def kept_metadata(self, sent: Mapping[str, str]) -> dict[str, str]:
        """Return the metadata without empty texts; refuse the call if they have too many keys."""
        metadata = {name: text for name, text in sent.items() if text != ""}
        if len(metadata) > self.claims["metadata.max_keys"]:
            self.refuse("metadata.refused", "metadata.max_keys")
        return metadata

    def refuse_state(self, state: str) -> NoReturn:
        """Refuse the call because of the session's state."""
        self.is_refusal_kept = True
        self.refuse("session.state", name=state)

    def read_number(self, name: str, text: str) -> int:
        """Return a parameter as a whole number; refuse anything else."""
        if not re.fullmatch("[0-9]{1,11}", text):
            self.refuse("parameter.integer", name=name)
        return int(text)

    @property
    def version(self) -> str:
        """The version that the call asks for; the newest one without a known form of one."""
        version = self.request.header("stripe-version", "")
        return version if _VERSION.fullmatch(version) else NEWEST_VERSION

    @property
    def has_restricted_key(self) -> bool:
        """Whether the call has a restricted key, which may read what is sensitive."""
        return (key_of(self.request) or "").startswith("rk_")

    def find_session(self) -> Session:
        """Return the session in the path; refuse the call if the key's mode has none."""
        session_id = self.path_value
        session = self.world.sessions.find(session_id)
        if session is None or hosted_of(session).is_live is not self.is_live:
            # The key decides the mode, live or test; its sessions are unknown to a key of the other
            # mode. (docs.stripe.com/api: authentication, errors, pagination, expanding)
            self.refuse("session.unknown", name=session_id)
        return session


def check_key(call: StripeCall) -> None:
    """Refuse a call without a valid secret key; else name the request in the answer."""
    text = key_of(call.request)
    if not text:
        call.refuse("key.missing")
    if not call.authenticate(text):
        key = call.world.keys.find(text)
        if key is not None and key.expired(call.now):
            call.refuse("key.expired")
        call.refuse("key.secret_needed" if text.startswith("pk_") else "key.wrong")
    # OURS: Stripe-Version refuses nothing; all answers and events have the form of
    # 2026-10-28.endive.
    # An authenticated answer has Request-Id, and repeats Idempotency-Key; Stripe-Version is the one
    # of its form. (Stripe's own mock, GitHub stripe/stripe-mock a7c7c33: server/server.go)
    # OURS: Stripe-Account is not read: the mock has no connected accounts, and answers as the
    # key's own.
    call.headers = (
        ("Request-Id", new_id("req", call.world.ids.uuid())),
        ("Stripe-Version", NEWEST_VERSION),
    )
    idempotency_key = call.request.header("idempotency-key")
    if idempotency_key:
        call.headers = (*call.headers, ("Idempotency-Key", idempotency_key))
    call.check_permission("key.denied")
    if call.version < NEWEST_VERSION:
        call.use_newest_version(call.version, NEWEST_VERSION)


def check_rate(call: StripeCall) -> None:
    """Refuse the call if its mode, or in live mode its endpoint, has had too many in a second."""
    client = "test"
    reason = "global-rate"
    if call.is_live and call.route is not None:
        client = f"live {call.request.method} {call.route.pattern}"
        reason = "endpoint-rate"
    if call.count_request({"request": 1.0}, client) is not None:
        headers = (("Stripe-Rate-Limited-Reason", reason),)
        # Stripe-Rate-Limited-Reason is global-rate for the limit of a mode, endpoint-rate for that
        # of an endpoint. (public notes that quote docs.stripe.com/rate-limits)
        call.refuse("rate.exceeded", "rate.limit", headers=headers)


#: A handler of a route.
RouteHandler: TypeAlias = Callable[[StripeCall], Response]


def with_replay(handle: RouteHandler) -> RouteHandler:
    """Return a handler that gives the first answer again to a known idempotency key."""

    def handle_once(call: StripeCall) -> Response:
        """Handle a call, or give the saved answer of its idempotency key again.

        Refuse a key that is too long, came with other parameters, or whose first call still runs.
        """
        name = call.replay_name
        if not name:
            return handle(call)
        max_length = call.claims.get("idempotency.max_length")
        if len(call.request.header("idempotency-key", "")) > max_length:
            call.refuse("idempotency.long", "idempotency.max_length")
        records: StripeRecords = call.world.records
        with records.lock:
            if name in records.under_way:
                call.refuse("idempotency.in_use")
            saved = records.find(name, call.now, lasts_s=call.claims["idempotency.lasts_s"])
            if saved is None:
                records.under_way.add(name)
            elif saved.request == digest_of(call.request):
                # A POST with a known key gets the status and the body of the first one again, also
                # a refusal for the session's state and a 500, which a test's fault makes. A refusal
                # of a key, a limit or a parameter is not kept, nor, which is ours, one of an
                # unknown session. (docs.stripe.com/api/idempotent_requests,
                # docs.stripe.com/error-low-level)
                # An answer that is given again has the header Idempotent-Replayed: true. (Stripe's
                # client for Ruby 0629bf7: lib/stripe/errors.rb)
                return saved.again((*call.headers, ("Idempotent-Replayed", "true")))
            else:
                call.refuse("idempotency.other")
        try:
            answer = handle(call)
            records.save(name, call.request, answer, call.now)
        except Refused as refusal:
            if call.is_refusal_kept:
                records.save(name, call.request, refusal.response, call.now)
            raise
        finally:
            records.under_way.discard(name)
        return answer

    return handle_once
