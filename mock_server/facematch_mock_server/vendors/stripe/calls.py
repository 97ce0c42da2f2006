"""A call to Stripe: its key, its limit, its parameters, and the replay of an earlier answer.

Sources: Stripe's client stripe 16.1.0 for Python; docs.stripe.com/api and /api/idempotent_requests.
"""

from __future__ import annotations

import base64
import functools
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

#: The fields that can be expanded in each part of a session, and of a report: those of the client.
_OUTPUTS = """
address dob email first_name id_number id_number_type last_name phone sex unparsed_place_of_birth
unparsed_sex
"""
_DOCUMENT = """
address dob error expiration_date files first_name issued_date issuing_country last_name number sex
type unparsed_place_of_birth unparsed_sex
"""
_ID_NUMBER = "dob error first_name id_number id_number_type last_name"
_PARTS_OF_SESSION: Mapping[str, list[str]] = {"verified_outputs": _OUTPUTS.split()}
_PARTS_OF_REPORT: Mapping[str, list[str]] = {
    "document": _DOCUMENT.split(),
    "id_number": _ID_NUMBER.split(),
}


def _can_expand(field: str, parts: Mapping[str, list[str]]) -> bool:
    """Return whether a field is one of these parts, or a field in one of them."""
    part, _, name = field.partition(".")
    return part in parts and (not name or name in parts[part])


def _can_expand_in_session(field: str) -> bool:
    """Return whether a field of a session, or of its last report, can be expanded."""
    place, _, field_of_report = field.partition(".")
    if place != "last_verification_report":
        return _can_expand(field, _PARTS_OF_SESSION)
    return not field_of_report or _can_expand(field_of_report, _PARTS_OF_REPORT)


@attrs.frozen
class Words:
    """The kind of a parameter that takes one of some words, or a list of them."""

    words: tuple[str, ...]
    is_list: bool = False


#: The kind of a parameter: `str`, `bool`, `list`, `Words`, `dict` for metadata, or the parameters
#: in it.
ParameterKind: TypeAlias = Any
#: Parameters by name; the text "" stands for an object that is emptied.
Parameters: TypeAlias = dict[str, Any]


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
        is_refusal_kept: Whether the call was refused after its parameters had been checked, so
            that its idempotency key gets the same refusal again.
    """

    is_refusal_kept: bool = False

    @property
    def mode(self) -> str:
        """The mode of the key, ``live`` or ``test``: each has its own sessions."""
        return "live" if self.is_live else "test"

    @property
    def is_restricted(self) -> bool:
        """Whether the key is a restricted one, which may read sensitive values."""
        return (key_of(self.request) or "").startswith("rk_")

    @functools.cached_property
    def expands(self) -> frozenset[str]:
        """The fields to expand, without the ``data.`` of a list; refuses unknown ones."""
        is_list = self.request.method == "GET" and not self.path_values
        is_of_report = self.request.path.startswith("/v1/identity/verification_reports")
        expands = set()
        for text in self.read_parameters(None).get("expand", ()):
            field = str(text)
            if is_list:
                place, _, field = field.partition(".")
                if place != "data":
                    self.refuse("list.expand", name=text)
                if not field:
                    continue  # the objects of a list are always there
            can_expand = _can_expand_in_session(field)
            if is_of_report:
                can_expand = _can_expand(field, _PARTS_OF_REPORT)
            if not can_expand:
                self.refuse("parameter.expand", name=text)
            expands.add(field)
        return frozenset(expands)

    def read_parameters(self, known: ParameterKind) -> Parameters:
        """Return the parameters of the query or the form, as `known` describes them.

        Without `known`, nothing is checked. Refuse the call for an unknown parameter, and for one
        of another kind.
        """
        pairs: Iterable[tuple[str, str]] = self.request.query
        if self.request.method == "POST":
            pairs = []
            if self.request.body:
                form = self.read_form("body.form")
                pairs = [(name, text) for name, texts in form.fields.items() for text in texts]
        parameters = self._nest(pairs)
        if known is None:
            return parameters
        checked = self._check_fields("", parameters, known)
        self.expands  # noqa: B018 - refuse an unknown field before anything is changed
        return checked

    def _nest(self, pairs: Iterable[tuple[str, str]]) -> Parameters:
        """Return ``options[document][allowed_types][0]=passport`` as nested objects and lists.

        A list may be written with indexes or without them: ``expand[0]=`` or ``expand[]=``.
        """
        self.claims.cite("parameter.form")
        nested: Parameters = {}
        for name, text in pairs:
            *parents, last = name.replace("]", "").split("[")
            is_item = bool(parents) and (last == "" or last.isdigit())
            if is_item:
                last = parents.pop()
            place: Any = nested
            for parent in parents:
                place = place.setdefault(parent, {})
                if not isinstance(place, dict):
                    self.refuse("parameter.invalid", name=name)
            if not is_item:
                place[last] = text
            elif isinstance(place.setdefault(last, []), list):
                place[last].append(text)
            else:
                self.refuse("parameter.invalid", name=name)
        return nested

    def _check(self, name: str, value: Any, kind: ParameterKind) -> Any:
        """Return the value of a parameter, converted to its kind."""
        if kind is bool:
            if value not in ("true", "false"):
                self.refuse("parameter.invalid", name=name)
            return value == "true"
        if isinstance(kind, Mapping):
            return self._check_fields(name, value, kind)
        if isinstance(kind, Words):
            return self._check_words(name, value, kind)
        if kind is str and value == "":
            self.refuse("parameter.empty", name=name)
        if kind is dict:
            return self._check_metadata(name, value)
        if not isinstance(value, kind):
            self.refuse("parameter.invalid", name=name)
        return value

    def _check_fields(
        self, name: str, value: Any, kinds: Mapping[str, ParameterKind]
    ) -> Parameters:
        """Return the parameters in an object; {} if it is emptied. Refuse unknown ones."""
        value = {} if value == "" else value
        if not isinstance(value, dict):
            self.refuse("parameter.invalid", name=name)
        checked = {}
        for key, inner in value.items():
            inner_name = f"{name}[{key}]" if name else key
            if key not in kinds:
                self.refuse("parameter.unknown", name=inner_name)
            checked[key] = self._check(inner_name, inner, kinds[key])
        return checked

    def _check_words(self, name: str, value: Any, kind: Words) -> Any:
        """Return a word, or a list of words; refuse any other word."""
        if value == "" and not kind.is_list:
            self.refuse("parameter.empty", name=name)
        if isinstance(value, list) is not kind.is_list:
            self.refuse("parameter.invalid", name=name)
        if not kind.is_list:
            if value not in kind.words:
                self.refuse("parameter.invalid", name=name)
            return value
        for place, word in enumerate(value):
            if word not in kind.words:
                self.refuse("parameter.invalid", name=f"{name}[{place}]")
        return value

    def _check_metadata(self, name: str, value: Any) -> dict[str, str]:
        """Return metadata; {} if they are emptied. Refuse a value that is no text, or too long."""
        if value == "":
            return {}
        if not isinstance(value, dict):
            self.refuse("parameter.invalid", name=name)
        for key, text in value.items():
            if not isinstance(text, str):
                self.refuse("parameter.invalid", name=f"{name}[{key}]")
            if len(key) > self.claims["metadata.max_key_length"]:
                self.refuse("metadata.refused", "metadata.max_key_length")
            if len(text) > self.claims["metadata.max_text_length"]:
                self.refuse("metadata.refused", "metadata.max_text_length")
        return value

    def merge_metadata(self, stored: Mapping[str, str], sent: Mapping[str, str]) -> dict[str, str]:
        """Return metadata with what was sent; an empty text removes its key.

        Refuse the call if they have too many keys then.
        """
        merged = {name: text for name, text in {**stored, **sent}.items() if text != ""}
        if len(merged) > self.claims["metadata.max_keys"]:
            self.refuse("metadata.refused", "metadata.max_keys")
        return merged

    def refuse_state(self, state: str) -> NoReturn:
        """Refuse the call because of the session's state."""
        self.is_refusal_kept = True
        self.refuse("session.state", name=state)

    def find_session(self, session_id: str) -> Session:
        """Return the session with this id; refuse the call if the key's mode has none."""
        session = self.world.sessions.find(session_id)
        if session is None or hosted_of(session).is_live is not self.is_live:
            self.refuse("session.unknown", "key.mode", name=session_id)
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
    version = call.request.header("stripe-version", "")
    call.claims.cite("answer.headers", "version.any")
    if call.request.header("stripe-account") is not None:
        call.claims.cite("key.account")
    call.headers = (
        ("Request-Id", new_id("req", call.world.account.ids.uuid())),
        ("Stripe-Version", NEWEST_VERSION),
    )
    idempotency_key = call.request.header("idempotency-key")
    if idempotency_key:
        call.headers = (*call.headers, ("Idempotency-Key", idempotency_key))
    call.check_permission("key.denied")
    if _VERSION.fullmatch(version) and version < NEWEST_VERSION:
        call.use_newest_version(version, NEWEST_VERSION)


def check_rate(call: StripeCall) -> None:
    """Refuse the call if its mode, or in live mode its endpoint, has had too many in a second."""
    client = "test"
    reason = "global-rate"
    if call.is_live and call.route is not None:
        client = f"live {call.request.method} {call.route.pattern}"
        reason = "endpoint-rate"
    if call.count_request({"request": 1.0}, client) is not None:
        headers = (("Stripe-Rate-Limited-Reason", reason),)
        call.refuse("rate.exceeded", "rate.limit", "rate.reason", headers=headers)


#: A handler of a route.
RouteHandler: TypeAlias = Callable[[StripeCall], Response]


def with_replay(handle: RouteHandler) -> RouteHandler:
    """Return a handler that gives the first answer again to a known idempotency key."""

    def handle_once(call: StripeCall) -> Response:
        key = call.request.header("idempotency-key")
        if not key:
            return handle(call)
        if len(key) > call.claims.get("idempotency.max_length"):
            call.refuse("idempotency.long", "idempotency.max_length")
        records: StripeRecords = call.world.records
        name = f"{call.mode} {key}"
        with records.lock:
            if name in records.under_way:
                call.refuse("idempotency.in_use")
            saved = records.find(name, call.now, lasts_s=call.claims["idempotency.lasts_s"])
            if saved is None:
                records.under_way.add(name)
            elif saved.request == digest_of(call.request):
                call.claims.cite("idempotency.replayed", "idempotency.header")
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
