"""Applicants: create, show, change, list, delete and restore."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.base.state import Collection
from facematch_mock_server.vendors.base import Call
from facematch_mock_server.vendors.tokens import TokenRecords
from facematch_mock_server.world import hosted

T = TypeVar("T")

PATH = "/v3.6/applicants"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Onfido's rule for names.
_NAME = re.compile(r'[^!#$%*=<>;{}"]*')
_PAGE_SIZE = 20
#: The status of a run that its person did not finish.
ABANDONED = "abandoned"
#: Fields that are stored and shown as they were sent.
_PLAIN_FIELDS = ("email", "dob", "phone_number")


@attrs.frozen(kw_only=True)
class Applicant:
    """A person.

    Attributes:
        id: The applicant's id.
        fields: The values as sent, by Onfido's names. Not in `repr`.
        created_at: The time of creation, UTC.
        is_sandbox: Whether a sandbox token created the applicant.
        deleted_at: The time of deletion, UTC; None if it was not deleted.
    """

    id: str
    fields: Mapping[str, Any] = attrs.field(repr=False)
    created_at: dt.datetime
    is_sandbox: bool
    deleted_at: dt.datetime | None = None

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


class OnfidoRecords(TokenRecords):
    """The applicants of one world, and the tokens of its logins."""

    def __init__(self) -> None:
        super().__init__()
        self.applicants: Collection[Applicant] = Collection(limit=10_000)
        #: What Onfido stores of a webhook beside its destination, by id.
        self.webhooks: Collection[dict[str, Any]] = Collection()


class FieldProblems:
    """The problems of a request's fields, by name."""

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}

    def add(self, name: str, text: str) -> None:
        self.texts.setdefault(name, []).append(text)

    def refuse(self, call: Call) -> None:
        """Refuse the call if there are problems."""
        if not self.texts:
            return
        error = call.claims.get("body.wrong").body["error"]
        call.refuse("body.wrong", body={"error": {**error, "fields": self.texts}})


def check_text(problems: FieldProblems, name: str, value: object) -> None:
    """Add a problem if the value is neither a text nor missing."""
    if value is not None and not isinstance(value, str):
        problems.add(name, "must be a text")


def origin_of(call: Call) -> str:
    """Return the scheme and host for links: those of the request."""
    address = call.world.account.shared.address or "http://127.0.0.1"
    host = call.request.header("host")
    if not host:
        return address
    # Onfido's own hosts use https.
    scheme = "https" if call.world.vendor.has_host(host) else address.partition(":")[0]
    return f"{scheme}://{host}"


def show_time(time: dt.datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def page_of(call: Call, items: Sequence[T], *, size: int = _PAGE_SIZE) -> Sequence[T]:
    """Return the page of the items that the query names, from 1."""
    page = call.query.get("page", "1")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1
    first_index = (max(number, 1) - 1) * size
    return items[first_index : first_index + size]


def show(applicant: Applicant) -> dict[str, Any]:
    """Return an applicant as Onfido shows it."""
    return {
        **applicant.fields,
        "id": applicant.id,
        "created_at": show_time(applicant.created_at),
        "delete_at": None,
        "href": f"{PATH}/{applicant.id}",
        "sandbox": applicant.is_sandbox,
    }


def find_applicant(call: Call) -> Applicant:
    """Return the applicant in the path; refuse the call if it is unknown or was deleted."""
    records: OnfidoRecords = call.world.records
    applicant = records.applicants.find(call.path_values[0].lower())
    if applicant is None:
        call.refuse("path")
    if applicant.is_deleted:
        call.refuse("applicant.gone")
    return applicant


def _read_fields(call: Call, former: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an applicant: the former ones, replaced by those that were sent."""
    body = {**former, **call.read_object("body.wrong")}
    problems = FieldProblems()
    for name in ("first_name", "last_name"):
        value = body.get(name)
        if not isinstance(value, str) or not value:
            problems.add(name, "can't be blank")
        elif not _NAME.fullmatch(value):
            problems.add(name, "has invalid characters")
    for name in _PLAIN_FIELDS:
        check_text(problems, name, body.get(name))
    problems.refuse(call)
    stored = ("first_name", "last_name", *_PLAIN_FIELDS, "address", "location", "id_numbers")
    return {name: body[name] for name in stored if name in body}


def create(call: Call) -> Response:
    fields = _read_fields(call, {})
    applicant = Applicant(
        id=call.world.account.ids.uuid(),
        fields=fields,
        created_at=call.now,
        is_sandbox=not call.is_live,
    )
    call.world.records.applicants.put(applicant.id, applicant)
    return call.answer("applicant.created", show(applicant))


def read(call: Call) -> Response:
    return call.answer("applicant.shown", show(find_applicant(call)))


def update(call: Call) -> Response:
    applicant = find_applicant(call)
    fields = _read_fields(call, applicant.fields)
    changed = attrs.evolve(applicant, fields=fields)
    call.world.records.applicants.put(applicant.id, changed)
    return call.answer("applicant.shown", show(changed))


def list_applicants(call: Call) -> Response:
    records: OnfidoRecords = call.world.records
    shows_deleted = call.query.get("include_deleted") == "true"
    selected = []
    for applicant in reversed(records.applicants.all()):
        if shows_deleted or not applicant.is_deleted:
            selected.append(applicant)
    per_page = call.query.get("per_page", "")
    is_number = per_page.isascii() and per_page.isdigit() and 0 < len(per_page) < 4
    size = int(per_page) if is_number else _PAGE_SIZE
    page = [show(applicant) for applicant in page_of(call, selected, size=size)]
    return call.answer("applicant.listed", {"applicants": page})


def delete(call: Call) -> Response:
    """Archive an applicant, and abandon its open runs."""
    applicant = find_applicant(call)
    call.claims.cite("applicant.archived")
    archived = attrs.evolve(applicant, deleted_at=call.now)
    call.world.records.applicants.put(applicant.id, archived)
    for session in hosted.open_sessions(call.world):
        if session.internal_id == applicant.id:
            # Not an act of the person, so no webhook tells of it.
            call.world.sessions.change(session.id, lambda run: attrs.evolve(run, status=ABANDONED))
    return _answer_nothing(call)


def restore(call: Call) -> Response:
    """Restore an applicant that is archived."""
    records: OnfidoRecords = call.world.records
    applicant = records.applicants.find(call.path_values[0].lower())
    if applicant is None or applicant.deleted_at is None:
        call.refuse("path")  # a 404
    age_s = (call.now - applicant.deleted_at).total_seconds()
    if age_s > call.claims["applicant.delay_s"]:
        call.refuse("path", "applicant.archived")
    call.claims.cite("applicant.archived")
    records.applicants.put(applicant.id, attrs.evolve(applicant, deleted_at=None))
    return _answer_nothing(call)


def _answer_nothing(call: Call) -> Response:
    """Return a 204 without a body."""
    call.claims.cite("applicant.deleted")
    return Response(status=204, headers=call.headers)
