"""Fetch and parse Didit's records of calls and sessions: lists, decisions and their results.

All requests are free. Sources: Didit OpenAPI, 2026-07-18; for pagination by ``page``, Didit's
skills, early 2026; both read on 2026-11-20. Didit does not document the decision of a stored call,
so it is parsed like a session's decision. In a decision, a check that never ran is null.
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlsplit

import attrs

from facematch_core import (
    Billing,
    Charged,
    Environment,
    EnvironmentMismatch,
    InvalidRequest,
    LivenessResult,
    MatchResult,
    Operation,
    ResultWarning,
    WarningCode,
)
from facematch_core.backend import CALL_ID_KEY, read_or_none
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.errors import UnexpectedResponse
from facematch_core.http import MOCK_HEADER, ApiKeyBackend, HttpRequest, Json
from facematch_core.models import NOT_APPROVED, Ids, Severity

from . import wire
from .words import (
    APPROVED,
    CHARGED,
    ENVIRONMENTS,
    NAME,
    read_full_text,
    read_list,
    read_object,
    read_text,
    read_time,
    text_or_none,
)

T = TypeVar("T")

Id: TypeAlias = str | uuid.UUID

#: The billing of a read-only request.
READING_IS_FREE = "reading is free"
FREE = Billing(Charged.NO, READING_IS_FREE)


@attrs.frozen(kw_only=True)
class SessionRow:
    """A session in Didit's list. `status` is Didit's value; `created_at` is in UTC."""

    session_id: str
    status: str
    caller_ref: str | None = attrs.field(default=None, repr=False)
    created_at: dt.datetime | None = None


@attrs.frozen(kw_only=True)
class SessionDecision:
    """The current state of a session.

    `status` is the status of the whole session, which your staff may have set. Each result is
    Didit's verdict on one comparison or check; the call's `review_threshold` is not applied. A pass
    in a session that is not approved is REVIEW, with a warning. An approved session does not turn a
    failed comparison into a match.

    In `matches` and `liveness_checks`, threshold, faces and elapsed time are None.

    Attributes:
        session_id: Didit's id.
        status: Didit's status, such as ``Approved``, ``Declined``, ``In Review``, ``Kyc Expired``.
        matches: The results of the comparisons.
        liveness_checks: The results of the liveness checks. A session of another kind (a face
            search, an age estimation) has neither matches nor liveness checks.
        environment: MOCK if a mock answered; otherwise that of the session, or of the backend's
            setting; None if all are unknown.
        created_at: The creation time, UTC; None if missing.
        raw: Didit's fields about the session, comparisons and checks, with `vendor_data`,
            `metadata`, `features` and `reviews`. Excludes URLs of pictures, links, documents and
            estimates about the person. Not in `repr`.
    """

    session_id: str
    status: str
    matches: tuple[MatchResult, ...] = ()
    liveness_checks: tuple[LivenessResult, ...] = ()
    environment: Environment | None = None
    created_at: dt.datetime | None = None
    raw: Mapping[str, Json] = attrs.field(factory=dict, repr=False, eq=False)

    @property
    def call_id(self) -> str | None:
        """Our call id, if a call with `Retention.KEEP` created the session; else None."""
        return _call_id_in(self.raw.get("metadata"))


def _call_id_in(metadata: object) -> str | None:
    call_id = metadata.get(CALL_ID_KEY) if isinstance(metadata, dict) else None
    return call_id if isinstance(call_id, str) else None


def _without_call_id(metadata: Mapping[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in metadata.items() if name != CALL_ID_KEY}


# --- requests ---


def fetch(
    backend: ApiKeyBackend,
    path: str,
    read: Callable[[Json, Environment | None], T],
    *,
    deadline: Deadline = NO_DEADLINE,
    params: Mapping[str, str] | None = None,
) -> T:
    """Send a free GET request and return the response parsed by `read`.

    `read` receives the decoded body, and MOCK if a mock answered, else None. If it raises
    `ValueError`, `UnexpectedResponse` is raised instead; for other errors see `HttpBackend.fetch`.
    """
    request = HttpRequest(
        method="GET",
        url=backend.service_url + path,
        headers={"x-api-key": backend.api_key},
        params=params or {},
        charges=0,
    )
    reply = backend.fetch(request, call=None, deadline=deadline)
    environment = Environment.MOCK if MOCK_HEADER in reply.headers else None
    try:
        return read(reply.json(), environment)
    except ValueError as error:
        problem = str(error)
    raise UnexpectedResponse(
        f"{NAME} answered 200, but the body is invalid ({problem}). Please report it.",
        backend=NAME,
        billing=FREE,
        status_code=reply.status,
        environment=environment,
    )


def check_id(session_id: Id) -> str:
    """Return a UUID in lower case. Reject other strings: Didit would return HTML for them."""
    text = str(session_id).lower()
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise InvalidRequest(f"session_id must be a UUID, not a string of {len(text)} characters.")
    return text


def fetch_decision(
    backend: ApiKeyBackend, session_id: Id, *, deadline: Deadline = NO_DEADLINE
) -> SessionDecision:
    """Return the current state of a session."""

    def read(body: Json, origin: Environment | None) -> SessionDecision:
        return read_decision(body, declared=backend.environment, origin=origin)

    path = f"/v3/session/{check_id(session_id)}/decision/"
    return fetch(backend, path, read, deadline=deadline)


#: Rows per page: Didit's default since July 2026.
PAGE_SIZE = 50

#: Maximum number of pages in a list (our choice: no account has a million calls in two days).
MAX_PAGES = 20_000


def fetch_rows(
    backend: ApiKeyBackend,
    operation: Operation,
    *,
    caller_ref: str | None,
    first_day: dt.date,
    last_day: dt.date,
    deadline: Deadline,
) -> Iterator[SessionRow]:
    """Iterate over the sessions of stored calls, newest first. Fetches pages lazily.

    `caller_ref` selects the calls with this reference; None selects all. `first_day` and `last_day`
    are the inclusive range of creation dates, in UTC. `deadline` applies to each request.
    """
    filters = {
        "api_service": "FACE_MATCH" if operation is Operation.MATCH else "PASSIVE_LIVENESS",
        "session_type": "API",
        "date_from": first_day.isoformat(),
        "date_to": last_day.isoformat(),
    }
    if caller_ref is not None:
        filters["vendor_data"] = caller_ref
    requested_pages = set[frozenset[tuple[str, str]]]()
    counters = {"limit": str(PAGE_SIZE), "offset": "0"}
    while counters:
        page = frozenset(counters.items())
        if page in requested_pages or len(requested_pages) == MAX_PAGES:
            count = len(requested_pages)
            problem = f"{NAME} returned a list that does not end after {count} pages."
            raise UnexpectedResponse(f"{problem} Please report it.", backend=NAME, billing=FREE)
        requested_pages.add(page)
        rows, counters = fetch(
            backend,
            "/v3/sessions/",
            lambda body, _: read_page(body),
            deadline=deadline,
            params={**filters, **counters},
        )
        yield from rows


def read_page(body: Json) -> tuple[list[SessionRow], dict[str, str]]:
    """Return the rows of a page and the next page's query parameters, empty on the last page.

    Didit's editions paginate by ``limit`` and ``offset`` (Didit OpenAPI, 2026-07-18) or by ``page``
    and ``page_size`` (Didit's skills, early 2026). So the parameters are read from the URL in
    ``next``. That URL itself is not used: the API key is never sent to a URL from a response.
    """
    answer = read_object(body, "the body")
    rows = [_read_row(row) for row in read_list(answer.get("results"), "results")]
    address = text_or_none(answer.get("next"), "next")
    if not address or not rows:
        return rows, {}
    counters = {}
    for name, value in parse_qsl(urlsplit(address).query):
        is_counter = name in ("limit", "offset", "page", "page_size")
        if is_counter and re.fullmatch("[0-9]{1,12}", value):
            counters[name] = value
    if not counters:
        raise ValueError("next has no page parameters")
    return rows, counters


# --- responses ---


def _read_row(item: object) -> SessionRow:
    session = read_object(item, "a session")
    return SessionRow(
        session_id=read_full_text(session.get("session_id"), "session_id"),
        status=read_full_text(session.get("status"), "status"),
        caller_ref=read_or_none(read_text, session.get("vendor_data"), "vendor_data"),
        created_at=read_or_none(read_time, session.get("created_at"), "created_at"),
    )


#: Billing of a stored call, of a sandbox session, and of a workflow session.
_IS_PAID = Billing(Charged.YES, CHARGED)
_IN_SANDBOX = Billing(
    Charged.NO,
    "the session is in the sandbox, which is free (Didit API reference, Face Match, June 2026)",
)
_IN_WORKFLOW = Billing(Charged.UNKNOWN, "a decision does not contain the workflow's price")


def read_decision(
    body: Json, *, declared: Environment | None = None, origin: Environment | None = None
) -> SessionDecision:
    """Parse a decision from a decoded body.

    The environment is `origin` (MOCK if a mock answered), else the session's own environment, else
    the setting `declared`.

    Raises:
        ValueError: the body is not a decision as documented.
        EnvironmentMismatch: the session has an unknown environment, unless a mock answered.
    """
    answer = read_object(body, "the body")
    row = _read_row(body)
    environment_word = text_or_none(answer.get("environment"), "environment")
    environment = ENVIRONMENTS.get(environment_word or "")
    is_unknown = environment_word is not None and environment is None
    if is_unknown and origin is not Environment.MOCK:
        # An unknown environment may be a test environment.
        problem = "The session has an environment other than live and sandbox."
        raise EnvironmentMismatch(problem, backend=NAME, billing=FREE)
    workflow_id = text_or_none(answer.get("workflow_id"), "workflow_id")
    billing = _IN_WORKFLOW if workflow_id else _IS_PAID
    if (environment or declared) is Environment.SANDBOX:
        billing = _IN_SANDBOX
    # Other programs may store any JSON as metadata.
    metadata = answer.get("metadata")
    entries = metadata if isinstance(metadata, dict) else {}
    common: dict[str, Any] = {
        "ids": Ids(
            call=_call_id_in(entries),
            vendor=None if workflow_id else row.session_id,
            session=row.session_id,
            caller=row.caller_ref,
        ),
        "metadata": _without_call_id(entries) or None,
        "created_at": row.created_at,
        "environment": origin or environment or declared,
        "billing": billing,
    }
    features = frozenset(_read_features(answer.get("features")))
    items: dict[str, tuple[Any, ...]] = {}
    for name, kind, feature in _ITEMS:
        blocks = read_list(answer.get(name) or [], name)
        # Face searches and age estimations use these blocks, too; `features` shows which it is.
        if feature not in features and features & {"AGE_ESTIMATION", "FACE_SEARCH"}:
            blocks = []
        results = []
        for block in blocks:
            results.append(kind.result(**_read_item(kind, block, row.status), **common))
        items[name] = tuple(results)
    raw = allow(answer)
    for name in _RAW_NAMES:
        if name in answer:
            raw[name] = answer[name]
    return SessionDecision(
        session_id=row.session_id,
        status=row.status,
        matches=items["face_matches"],
        liveness_checks=items["liveness_checks"],
        environment=origin or environment or declared,
        created_at=row.created_at,
        raw=raw,
    )


#: The lists in a decision that contain verdicts on faces, with each list's feature.
_ITEMS = (
    ("face_matches", wire.MATCH, "FACE_MATCH"),
    ("liveness_checks", wire.LIVENESS, "LIVENESS"),
)


def _read_features(value: object) -> Iterator[str]:
    """Yield the names of a session's features, given as strings or as objects."""
    for item in read_list(value or [], "features"):
        feature = item
        if not isinstance(item, str):
            feature = read_object(item, "a feature").get("feature")
        yield read_text(feature, "a feature")


def _read_item(kind: wire.Kind, item: object, status: str) -> dict[str, Json]:
    """Return the result fields of one comparison or check in a session with this status."""
    block = {"status": None, "score": None, **read_object(item, f"an item of {kind.block}")}
    # Null if the check was never finished.
    block["warnings"] = block.get("warnings") or []
    fields = wire.read_verdict(kind, block)
    if block["status"] == "Not Finished":
        fields["decision"] = kind.decisions.INCONCLUSIVE
    elif fields["decision"] is kind.passed and status != APPROVED:
        # A pass does not count in a declined, expired or open session.
        fields["decision"] = kind.decisions.REVIEW
        text = "The check passed, but its session is not approved, so the pass does not count."
        warning = ResultWarning(
            code=WarningCode.OTHER, severity=Severity.WARNING, tag=NOT_APPROVED, text=text
        )
        fields["warnings"] = (*fields["warnings"], warning)
    return {**fields, "raw": allow(block)}


#: Keys whose scalar values `raw` contains, and keys of lists whose items are filtered likewise.
#: Excluded are media, links, documents, estimates about the person, and other people's faces.
_SCALARS = frozenset(
    {
        "session_id", "session_kind", "session_number", "status", "environment", "workflow_id",
        "created_at", "expires_at", "node_id", "method", "score", "source_image_session_id",
        "face_quality", "face_luminance", "risk", "feature", "log_type", "short_description",
        "new_status",
    }
)  # fmt: skip
_LISTS = ("face_matches", "liveness_checks", "warnings", "reviews")
#: Further keys of `SessionDecision.raw`, with values from the caller or from your staff.
_RAW_NAMES = ("features", "vendor_data", "metadata", "reviews")


def allow(body: Mapping[str, Json]) -> dict[str, Json]:
    """Return the fields of a decoded decision that may be shown."""
    allowed: dict[str, Json] = {}
    for name, value in body.items():
        if name in _LISTS and isinstance(value, list):
            allowed[name] = [allow(item) for item in value if isinstance(item, dict)]
        elif name in _SCALARS and not isinstance(value, (dict, list)):
            allowed[name] = "(address removed)" if "://" in str(value) else value
    return allowed
