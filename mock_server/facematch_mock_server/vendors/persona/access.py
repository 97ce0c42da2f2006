"""A call to Persona: its key, its limits, its body, and the replay of an earlier answer.

Sources: Persona's OpenAPI, version 2025-12-08; docs.withpersona.com, idempotence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from facematch_mock_server.base.messages import Headers, Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors.base import Call, Refused, bearer_token
from facematch_mock_server.vendors.replays import SavedAnswers, digest_of
from facematch_mock_server.world.hosted import expire_if_due, hosted_of
from facematch_mock_server.world.sessions import Session

from .wire import Account, as_kebab, inflect, kebab_name, repeat_fields, select_attributes

T = TypeVar("T")

#: The version whose form all answers have.
NEWEST_VERSION = "2025-12-08"
#: From this version on, answers have an inquiry's `fields` alone, and include what is asked for.
_LEAN_FROM = "2025-10-27"
_VERSION = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

#: The host of the pictures of inquiries.
FILES_HOST = "files.withpersona.com"

CASINGS = ("kebab", "camel", "snake")


def new_id(prefix: str, uuid: str) -> str:
    """Return an id in Persona's form, made from a UUID."""
    return f"{prefix}_{uuid.replace('-', '')[:24]}"


class PersonaRecords(SavedAnswers):
    """The answers of one world that can be replayed, and its accounts."""

    def __init__(self) -> None:
        super().__init__()
        #: By id.
        self.accounts: Collection[Account] = Collection(limit=10_000)


@attrs.define(kw_only=True, eq=False)
class PersonaCall(Call):
    """A call to Persona. Its `headers` are those of an authenticated answer."""

    @property
    def environment(self) -> str:
        """The name of the key's environment, whose limits and inquiries its keys share."""
        return "production" if self.is_live else "sandbox"

    @property
    def version(self) -> str:
        """The version that the call asks for; "" without a known form of one."""
        version = self.request.header("persona-version", "")
        return version if _VERSION.fullmatch(version) else ""

    @property
    def is_before_lean(self) -> bool:
        """Whether the call asks for a version that repeats an inquiry's fields as attributes."""
        return "" < self.version < _LEAN_FROM

    @property
    def casing(self) -> str:
        """The casing of the answer's keys: ``kebab``, ``camel`` or ``snake``."""
        key_inflection = self.request.header("key-inflection")
        if key_inflection in CASINGS:
            # The header Key-Inflection chooses the casing of keys: camel, kebab or snake. (Persona,
            # OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
            # So it does of the keys in `fields`, which the definition leaves. (two public programs
            # that read them in camel case, read 2026-11-30)
            return str(key_inflection)
        return str(self.claims["inflection.default"])

    def find_session_and_expire_if_due(self) -> Session:
        """Return the inquiry that the path names, expired if its time is over.

        Refuse the call if it is unknown or of another environment.
        """
        session_id = self.path_value
        session = self.world.sessions.find(session_id)
        if session is None or hosted_of(session).is_live is not self.is_live:
            # OURS: A key sees the inquiries of its own environment alone; another one is unknown to
            # it.
            self.refuse("inquiry.unknown")
        return expire_if_due(self.world, session)

    def answer(
        self, key: str, /, body: object = None, headers: Headers = (), **filled: object
    ) -> Response:
        """Build the response that the claim `key` describes, with keys in the call's casing.

        Its resources have only the attributes that the query asks for.
        """
        inflected = None
        if isinstance(body, dict) and self.is_before_lean:
            # Before version 2025-10-27 an inquiry repeats its fields as attributes: name-first,
            # birthdate and others. Related resources are included without include= (changelog of
            # 2025-10-27): here, the verifications. (Persona, OpenAPI versions 2020-05-18 to
            # 2025-10-27)
            body = {**body, "data": repeat_fields(body["data"])}
        if body is not None:
            inflected = inflect(self._select_attributes(body), self.casing)
        return super().answer(key, inflected, headers, **filled)

    def _select_attributes(self, body: Any) -> Any:
        """Return a body whose resources have only the attributes in ``fields[TYPE]``."""
        names = {}
        for name, text in self.query.items():
            if name.startswith("fields["):
                resource_type = name.removeprefix("fields[").removesuffix("]")
                names[resource_type] = frozenset(map(kebab_name, text.split(",")))
        if not names:
            return body
        # fields[TYPE], a list with commas, chooses the attributes of each resource of that type,
        # also in `included`; its relationships stay. That the names may be in each of the three
        # casings is ours. (docs.withpersona.com, response-body and its sparse fieldsets)
        selected = dict(body)
        for place in ("data", "included"):
            if place in body:
                selected[place] = select_attributes(body[place], names)
        return selected

    def read_part(
        self, *path: str, known: Container[str], is_open: bool = False
    ) -> Mapping[str, Any]:
        """Return the object at a path of the body, which has only `known` names; empty if missing.

        Names in camel and snake case are known, too, and returned in kebab case. Refuse the call if
        the body or a part of it has another form. If the object `is_open`, it may have other names.
        """
        part = self.read_object("body.unreadable") if self.request.body else {}
        dotted_path = ""
        for name in path:
            dotted_path = f"{dotted_path}.{name}".lstrip(".")
            part = part.get(name, {})
            if not isinstance(part, dict):
                self.refuse("body.wrong", name=dotted_path, kind="an object")
        for name in part:
            if kebab_name(name) in known:
                continue
            if not is_open:
                self.refuse("body.unknown", name=f"{dotted_path}.{name}")
            # Before version 2025-10-27 the attributes of a new inquiry may have other names; that
            # these do nothing is ours. (Persona, OpenAPI versions 2020-05-18 to 2025-10-27)
        # The keys of a request may be in camel, kebab or snake case. The keys inside `fields` are
        # taken as sent. (docs.withpersona.com, api-key-inflection)
        return as_kebab(part)

    def read_value(
        self, part: Mapping[str, Any], name: str, kind: type[T], kind_in_words: str
    ) -> T | None:
        """Return a value of a part of the body, None if it is null or missing.

        Refuse the call if the value is of another kind, which `kind_in_words` names: ``a string``.
        """
        value = part.get(name)
        # True is an integer in Python.
        is_of_kind = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if value is not None and not is_of_kind:
            self.refuse("body.wrong", name=name, kind=kind_in_words)
        return value


def check_key(call: PersonaCall) -> None:
    """Refuse a call without a valid key; else name its environment in the answer."""
    token = bearer_token(call.request)
    if not token:
        call.refuse("auth.missing")
    if not call.authenticate(token):
        call.refuse("auth.wrong")
    ids = call.world.ids
    # OURS: The header Persona-Version refuses nothing, because the refusal of an unknown version is
    # not documented; all answers have the form of 2025-12-08, but for an inquiry's fields.
    # Each authenticated answer names its request, environment and organization. (Persona, OpenAPI
    # version 2025-12-08 (GitHub persona-id/persona-openapi a1526b5, 2026-08-21))
    call.headers = (
        ("Request-Id", new_id("req", ids.uuid())),
        ("Persona-Environment-Id", f"env_{call.environment}"),
        ("Persona-Organization-Id", f"org_{call.world.account.name}"),
    )
    call.check_permission("auth.denied")
    if "" < call.version < NEWEST_VERSION:
        call.use_newest_version(call.version, NEWEST_VERSION)


def check_rate(call: PersonaCall) -> None:
    """Count a request of the key's environment; refuse it above the limit.

    The answer's headers show what is left.
    """
    _count_or_refuse(call, "request")
    window_s = call.claims.get("rate.window_s")
    use = call.world.rates.use_of(
        "request", call.environment, window_s=window_s, now=call.now.timestamp()
    )
    if use is not None:
        # Each authenticated answer has the limit, the remaining requests, and the seconds until
        # more are allowed. (Persona, OpenAPI version 2025-12-08 (GitHub persona-id/persona-openapi
        # a1526b5, 2026-08-21))
        call.headers = (*call.headers, *_rate_headers(use.limit, use.remaining, use.reset_s))


def check_quota(call: PersonaCall) -> None:
    """Count a new inquiry of the key's environment; refuse it above the quota."""
    _count_or_refuse(call, "inquiry")


def _count_or_refuse(call: PersonaCall, scope: str) -> None:
    """Count a request of the key's environment in a limit; above it, refuse the call, uncounted."""
    windows = {scope: call.claims.get("rate.window_s")}
    exceeded = call.count_request(windows, call.environment)
    if exceeded is None:
        return
    headers = _rate_headers(exceeded.limit, 0, exceeded.retry_after_s)
    call.refuse(
        f"rate.{scope}",
        f"rate.{scope}.limit",
        "rate.window_s",
        headers=headers,
        limit=exceeded.limit,
    )


def _rate_headers(limit: int, remaining: int, reset_s: int) -> Headers:
    return (
        ("RateLimit-Limit", str(limit)),
        ("RateLimit-Remaining", str(remaining)),
        ("RateLimit-Reset", str(reset_s)),
    )


#: A handler of a route.
RouteHandler: TypeAlias = Callable[[PersonaCall], Response]


def with_replay(handle: RouteHandler) -> RouteHandler:
    """Return a handler that gives the first answer again to a known idempotency key."""

    def handle_once(call: PersonaCall) -> Response:
        """Handle a call, or give the saved answer of its idempotency key again.

        Refuse a key that came with another request. A refusal is saved, too.
        """
        key = call.request.header("idempotency-key")
        if not key:
            return handle(call)
        answers: SavedAnswers = call.world.records
        name = f"{call.environment} {key}"
        # Held until the answer is saved, because a retry may arrive at the same time.
        with answers.lock:
            saved = answers.find(name, call.now, lasts_s=call.claims.get("idempotency.lasts_s"))
            if saved is not None:
                call.claims.cite("idempotency.lasts_s")
                if saved.request != digest_of(call.request):
                    call.refuse("idempotency.other")
                # A POST with a known Idempotency-Key gets the status and body of the first one
                # again. The 401 and the 429 come before that. (docs.withpersona.com, idempotence)
                return saved.again(call.headers)
            try:
                answer = handle(call)
            except Refused as refused:
                answer = refused.response
            answers.save(name, call.request, answer, call.now)
            return answer

    return handle_once
