"""Who may call Onfido: keys, logins and limits; the fields that several calls have."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.pairs import FormKey
from facematch_mock_server.world.vendor import Credentials

from .records import ENVIRONMENTS, OnfidoRecords

NEWEST = "v3.6"
LOGIN = "/v3.6/oauth/token"

OLDER = re.compile("/(v3(?:[.][0-5])?)(?=/)")
_TOKEN_PREFIX = "Token token="  # noqa: S105 - the form of a header, no secret
#: The client id and secret in the form of a login.
LOGIN_KEY = FormKey("client_id", "client_secret")


def in_newest(path: str) -> str:
    """Return a path as version 3.6 has it."""
    return OLDER.sub(f"/{NEWEST}", path, count=1) if OLDER.match(path) else path


# Keys


def _check_token(call: Call) -> None:
    """Accept an API token, or the token of a login."""
    header = call.request.header("authorization", "")
    token = base.bearer_token(call.request)
    text: str | None
    if header.startswith(_TOKEN_PREFIX):
        text = header.removeprefix(_TOKEN_PREFIX)
    else:
        text = _secret_of(call, token)
    if text is None or not call.authenticate(text):
        call.key_label = "wrong" if header else "none"
        call.refuse("key.wrong")
    call.check_permission("key.denied")


def _secret_of(call: Call, token: str | None) -> str | None:
    """Return the secret of the client to whom a valid token of a login was issued."""
    records: OnfidoRecords = call.world.records
    issued = records.find_valid(token or "", call.now)
    if issued is None:
        return None
    for text, _ in call.world.keys.of_client(issued.client):
        return text
    return None


def _check_rate(call: Call) -> None:
    scope = "live" if call.is_live else "sandbox"
    if call.count_request({scope: call.claims.get("rate.window_s")}) is not None:
        limit = "rate.limit" if call.is_live else "rate.sandbox.limit"
        call.refuse("rate.exceeded", limit, "rate.window_s")


#: The checks, in order; the order is our choice.
CHECKS: Mapping[str, Callable[[Any], None]] = {
    "key.wrong": _check_token,
    "rate.exceeded": _check_rate,
}


def log_in(call: Call) -> Response:
    """Issue a token for an OAuth client."""
    records: OnfidoRecords = call.world.records
    records.count_token_request()
    client = LOGIN_KEY.client_of(call.request)
    secret = LOGIN_KEY.secret_of(call.request)
    if client is None or not call.authenticate_client(client, secret):
        call.refuse("login.refused")
    life_s = call.claims["login.life_s"]
    text = f"{call.world.ids.uuid()}.{client}"
    expires = call.now + dt.timedelta(seconds=life_s)
    records.add(text, at=call.now, client=client, expires=expires)
    return call.answer("login.answer", {"access_token": text, "expires_in": life_s})


def _is_login(head: Request) -> bool:
    return in_newest(head.path).removesuffix("/") == LOGIN


def _api_token_of(head: Request) -> str | None:
    header = head.header("authorization", "")
    return header.removeprefix(_TOKEN_PREFIX) if header.startswith(_TOKEN_PREFIX) else None


def credentials_of(head: Request) -> Credentials:
    """Return the client and the secret of a login, or else the API token."""
    return LOGIN_KEY.credentials_of(head) if _is_login(head) else Credentials(_api_token_of(head))


def key_of(head: Request) -> str | None:
    """Return the API token or the OAuth client in a request; it identifies the account."""
    if _is_login(head):
        return LOGIN_KEY.client_of(head)
    token = _api_token_of(head)
    if token is not None:
        return token
    _, _, client = (base.bearer_token(head) or "").partition(".")
    return client or None


T = TypeVar("T")

#: Onfido's rule for names.
NAME = re.compile(r'[^!#$%*=<>;{}"]*')

_PAGE_SIZE = 20


class FieldProblems:
    """The problems of a request's fields, by name: a list of texts, or those of inner fields."""

    def __init__(self) -> None:
        self.texts: dict[str, Any] = {}

    def add(self, name: str, text: str) -> None:
        """Add a problem; the name of an inner field has a full stop, as in ``address.country``."""
        *outer_names, field = name.split(".")
        problems = self.texts
        for outer_name in outer_names:
            problems = problems.setdefault(outer_name, {})
        problems.setdefault(field, []).append(text)

    def refuse_if_any(self, call: Call) -> None:
        if self.texts:
            self.refuse(call)

    def refuse(self, call: Call) -> NoReturn:
        """Refuse the call, and list the problems."""
        error = call.claims.get("body.wrong").body["error"]
        call.refuse("body.wrong", body={"error": {**error, "fields": self.texts}})


def check_text(problems: FieldProblems, name: str, value: object) -> None:
    """Add a problem if the value is neither a text nor missing."""
    if value is not None and not isinstance(value, str):
        problems.add(name, "must be a text")


def check_tags(problems: FieldProblems, tags: Any) -> None:
    """Add a problem for tags that Onfido does not take."""
    is_list = isinstance(tags, list) and len(tags) <= 30
    if tags is not None and not (is_list and all(_is_tag(tag) for tag in tags)):
        problems.add("tags", "must be at most 30 texts of 1 to 128 characters")


def _is_tag(tag: object) -> bool:
    return isinstance(tag, str) and 1 <= len(tag) <= 128


def check_environments(problems: FieldProblems, environments: object) -> None:
    """Add a problem for environments of a webhook that Onfido does not have."""
    if not isinstance(environments, list) or not all(each in ENVIRONMENTS for each in environments):
        problems.add("environments", "must be a list of sandbox and live")


def page_of(call: Call, items: Sequence[T]) -> Sequence[T]:
    """Return the page of 20 items that the query names, from 1."""
    page = call.query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1
    first_index = (max(number, 1) - 1) * _PAGE_SIZE
    return items[first_index : first_index + _PAGE_SIZE]
