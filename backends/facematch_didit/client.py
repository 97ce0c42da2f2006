"""What Didit keeps of calls: a session as it is now, and the list of them. Reading is free.

Sources: Didit OpenAPI, 2026-07-18; for the other way of counting pages Didit's skills, early 2026.
Both were read on 2026-11-20.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from facematch_core import Billing, Charged, Clock, Environment, InvalidRequest, Operation
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import (
    EnvironmentMismatch,
    SessionNotFound,
    UnexpectedResponse,
    VendorError,
)
from facematch_core.http import (
    MOCK_HEADER,
    ApiKeyBackend,
    BodyShape,
    ErrorRow,
    HttpReply,
    HttpRequest,
    without_secrets,
)

from . import wire
from .arguments import Id, check_id, check_text
from .records import SessionDecision, SessionRow, read_session_row, session_decision
from .words import NAME, map_texts, read_list, read_object, text_or_none

T = TypeVar("T")

_GROUND = "nothing is charged for asking"
FREE = Billing(Charged.NO, _GROUND)

NO_SESSION = ErrorRow(
    SessionNotFound,
    Charged.NO,
    "an answer 404",
    "there is no such session: its id is unknown, it was deleted, or the key may not see it",
)


def fetch(
    backend: ApiKeyBackend,
    path: str,
    parse: Callable[[Any, Environment | None], T],
    *,
    deadline: Deadline = NO_DEADLINE,
    params: Mapping[str, str] | None = None,
) -> T:
    """What `parse` makes of the answer to a GET; as `read_answer`."""
    clock = backend.client.clock
    longest = Deadline.after(backend.connect_timeout_s + backend.read_timeout_s, clock)
    request = HttpRequest(
        method="GET",
        url=backend.address + path,
        headers={"x-api-key": backend.api_key},
        params=params or {},
        # What any other means is Didit's own matter.
        expects=range(100, 600),
        charges=0,
    )
    reply = backend.fetch(request, call=None, deadline=deadline.earlier(longest))
    outcome = read_answer(reply, parse) if reply.status == 200 else _read_refusal(reply, clock)
    # The frame of a function that raises stays alive with the error, and the answer has faces.
    del reply
    if isinstance(outcome, VendorError):
        raise outcome
    return outcome


def _read_refusal(reply: HttpReply, clock: Clock) -> VendorError:
    def find_row(status: int, form: wire.Form, shape: BodyShape) -> ErrorRow:
        is_missing = status == 404 and form == "detail"
        return NO_SESSION if is_missing else wire.error_row(status, form, shape)

    error = wire.error_of(reply, now=clock.now(), find_row=find_row, is_free=True)
    error.billing, error.environment = FREE, environment_of(reply)
    return error


def environment_of(reply: HttpReply) -> Environment | None:
    """MOCK, if the answer says that it comes from a mock; else None."""
    return Environment.MOCK if MOCK_HEADER in reply.headers else None


def read_answer(
    reply: HttpReply,
    parse: Callable[[Any, Environment | None], T],
    *,
    billing: Billing = FREE,
    note: str = "",
) -> T | VendorError:
    """What `parse` makes of a good answer, or the error, which holds no frames, to be raised.

    `parse` gets the decoded body, and MOCK if it comes from one; it may raise `ValueError`.
    """
    environment = environment_of(reply)
    try:
        # A good answer may repeat the key or a password, in a sentence.
        body = map_texts(reply.json(), lambda text: without_secrets(text, reply.secrets))
        return parse(body, environment)
    except EnvironmentMismatch as error:
        error.billing, error.status_code = billing, reply.status
        return error.with_traceback(None)
    except ValueError as error:
        # A sentence of ours, which names places and types.
        problem = str(error)
    return UnexpectedResponse(
        f"{NAME} answered {reply.status} in a form that cannot be read ({problem}).{note} Please "
        "report it.",
        backend=NAME,
        billing=billing,
        status_code=reply.status,
        environment=environment,
    )


def fetch_decision(
    backend: ApiKeyBackend, session_id: Id, *, deadline: Deadline = NO_DEADLINE
) -> SessionDecision:
    """A session as it is now."""

    def parse(body: Any, origin: Environment | None) -> SessionDecision:
        return session_decision(body, declared=backend.environment, said=origin)

    path = f"/v3/session/{check_id('session_id', session_id)}/decision/"
    return fetch(backend, path, parse, deadline=deadline)


# The list of sessions. Editions count pages in two ways: ``limit`` and ``offset`` (Didit OpenAPI,
# 2026-07-18), or ``page`` and ``page_size`` (Didit's skills, early 2026). So the vendor's own
# ``next`` decides how to go on. But only the numbers in it are used: it is an address, and the key
# goes to no address that an answer names.

_NUMBER = re.compile(r"[0-9]{1,12}")
_COUNTERS = ("limit", "offset", "page", "page_size")

#: Rows that are asked for at once, as Didit's default is since July 2026.
PAGE_SIZE = 50

#: More pages than any account's list has, and more pages in a row without a new row than the
#: sessions that come in during the reading explain: whoever answers so does not end. Ours.
MAX_PAGES = 20_000
MAX_STALE_PAGES = 20

_SERVICES = {Operation.MATCH: "FACE_MATCH", Operation.LIVENESS: "PASSIVE_LIVENESS"}


def fetch_rows(
    backend: ApiKeyBackend,
    *,
    operation: Operation | None = None,
    caller_ref: str | None = None,
    date_from: dt.date | None = None,
    date_to: dt.date | None = None,
    deadline: Deadline = NO_DEADLINE,
) -> Iterator[SessionRow]:
    """The sessions that fit, newest first; `InvalidRequest` at once, not with the first row."""
    filters: dict[str, str] = {}
    if caller_ref is not None:
        filters["vendor_data"] = check_text("caller_ref", caller_ref)
    if operation is not None:
        if operation not in _SERVICES:
            raise InvalidRequest("operation must be Operation.MATCH or Operation.LIVENESS.")
        # A call that was kept is a session of this type.
        filters |= {"api_service": _SERVICES[operation], "session_type": "API"}
    days: dict[str, Any] = {"date_from": date_from, "date_to": date_to}
    for name, day in days.items():
        if day is not None:
            # Didit's filters count whole days.
            if not isinstance(day, dt.date) or isinstance(day, dt.datetime):
                raise InvalidRequest(f"{name} must be a datetime.date, not {type(day).__name__}.")
            filters[name] = day.isoformat()
    return _walk(backend, filters, deadline)


def _walk(
    backend: ApiKeyBackend, filters: Mapping[str, str], deadline: Deadline
) -> Iterator[SessionRow]:
    """Every row of the list, once; pages are asked for as they are needed."""
    queries, session_ids = set[frozenset[tuple[str, str]]](), set[str]()
    stale, counters = 0, {"limit": str(PAGE_SIZE), "offset": "0"}
    while counters:
        queries.add(frozenset(counters.items()))
        rows, counters = fetch(
            backend,
            "/v3/sessions/",
            lambda body, _: read_page(body),
            deadline=deadline,
            params={**filters, **counters},
        )
        before = len(session_ids)
        for row in rows:
            # When a session is added meanwhile, the last rows of a page come again on the next.
            if row.session_id not in session_ids:
                session_ids.add(row.session_id)
                yield row
        stale = 0 if len(session_ids) > before else stale + 1
        problem = ""
        if frozenset(counters.items()) in queries:
            problem = "next leads back to a page that was read"
        elif stale == MAX_STALE_PAGES or len(queries) == MAX_PAGES:
            problem = f"after {len(queries)} pages there is no end of it, and nothing new"
        if counters and problem:
            raise UnexpectedResponse(
                f"{NAME} answered with a list that cannot be read to its end ({problem}). Please "
                "report it.",
                backend=NAME,
                billing=FREE,
            )


def read_page(body: Any) -> tuple[list[SessionRow], dict[str, str]]:
    """The rows of a page, and the counters of the next, empty at the end."""
    if isinstance(body, list):
        return [read_session_row(row) for row in body], {}
    answer = read_object(body, "the body")
    rows = [read_session_row(row) for row in read_list(answer.get("results"), "results")]
    address = text_or_none(answer.get("next"), "next")
    if not address or not rows:
        # An empty page is the end, whatever it says.
        return rows, {}
    following = {
        name: value
        for name, value in parse_qsl(urlsplit(address).query)
        if name in _COUNTERS and _NUMBER.fullmatch(value)
    }
    if not following:
        raise ValueError("next does not name a page")
    return rows, following
