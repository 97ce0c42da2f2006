"""`OnfidoBackend`: workflow runs of Onfido Studio as hosted sessions.

Sources: Onfido's OpenAPI specification v3.6 (onfido/onfido-openapi-spec, commit 1498236); Onfido's
clients onfido-python 6.2.0 and @onfido/api 6.2.0 with their tests; documentation.onfido.com. All
read on 2026-11-28. Nothing was tried with the vendor. "Ours" marks a choice of this project.

An *applicant* is a person, a *run* is one pass through a workflow, its *output* is what the
workflow exports, and a *report* is the part of the output about the document or the face.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import attrs

from facematch_core import (
    Charged,
    ComparedWith,
    Environment,
    Operation,
    Secret,
    SessionRecord,
    SessionState,
    errors,
)
from facematch_core.backend import (
    Capabilities,
    DeleteRequest,
    RateWindow,
    ReadRequest,
    Request,
    SessionCapabilities,
    SessionReading,
    StartRequest,
    UnreadableField,
    VendorCopy,
    aware_time,
    boolean,
    nonempty_text,
    pick,
    read_at,
    read_or_none,
)
from facematch_core.backend.session_types import Deletion, DeletionState, SessionHint
from facematch_core.base.deadline import NO_DEADLINE, Deadline
from facematch_core.http import (
    MOCK_HEADER,
    DeleteSteps,
    ErrorRow,
    HostedSessionBackend,
    HttpReply,
    HttpRequest,
    LoginToken,
    SessionSteps,
    as_secret,
    default_row,
    not_listed,
    vendor_error,
)

from .wire import (
    RAW_FIELDS,
    REPORTED,
    STATES,
    RunOutput,
    read_access,
    read_field_errors,
    read_login,
    read_output,
    read_tags,
)

_REGIONS = ("eu", "us", "ca")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
#: Onfido's rule for names of an applicant.
_NAME = re.compile(r'[^!#$%*=<>;{}"]+')
#: The languages of Onfido's page, by language.
_LANGUAGES = {
    "de": "de_DE",
    "en": "en_US",
    "es": "es_ES",
    "fr": "fr_FR",
    "it": "it_IT",
    "nl": "nl_NL",
    "pt": "pt_PT",
}

# Ours: Onfido documents neither whether a refusal is charged, nor when a run is.
_REFUSED = "a 4xx response; charges for it are not documented"
_NO_RUN = ErrorRow(
    errors.SessionNotFound,
    Charged.NO,
    "a response to a free request",
    "not found: the id is unknown, the applicant was deleted, or the token has no access",
)
_UNKNOWN_ID = ErrorRow(
    errors.RequestRejected, Charged.NO, _REFUSED, "an id is unknown; check workflow_id"
)


@attrs.frozen(kw_only=True)
class OnfidoSessionOptions:
    """Options for starting a session.

    Attributes:
        first_name, last_name: The person's name. Onfido requires a name of each applicant, and may
            compare it with the document if the workflow asks for that. None for a made-up name, so
            that Onfido does not get the person's. A `Person` passed to `read` is never sent.

    Raises:
        ValueError: a name is empty, or has a character that Onfido does not accept.
    """

    first_name: str | None = attrs.field(
        default=None,
        repr=False,
        validator=attrs.validators.optional(attrs.validators.matches_re(_NAME)),
    )
    last_name: str | None = attrs.field(
        default=None,
        repr=False,
        validator=attrs.validators.optional(attrs.validators.matches_re(_NAME)),
    )


@attrs.frozen(kw_only=True, eq=False)
class OnfidoBackend(HostedSessionBackend):
    """Verifies a person by a workflow of Onfido Studio, on Onfido's page.

    A session is a workflow run with an applicant of its own, because Onfido compares the face with
    the applicant's newest document. The face counts only if the workflow exports its Facial
    Similarity report, under the name in `face_output`: Onfido's "approved" alone never verifies.

    Onfido stores documents and pictures until the applicant is deleted. The record's id and a
    digest of its terms are sent as tags of the run.

    Args:
        api_token: An API token. Default: ``ONFIDO_API_TOKEN``. Alternatively `client_id`.
        client_id, client_secret: An OAuth client, which logs in instead of the API token.
        workflow_id: The UUID of the workflow. Default: ``ONFIDO_WORKFLOW_ID``.
        face_output: The name under which the workflow exports the Facial Similarity report, such as
            ``selfie``.
        document_output: The name of the Document report, to compare the name on the document; None
            if the workflow exports none. Then sessions need ``any_document=True``.
        region: The region of the account: ``eu``, ``us`` or ``ca``.
        base_url: Onfido's address; by default that of the region.
        environment: PRODUCTION, SANDBOX or MOCK; None for what the applicants of runs tell.
        webhook_secrets: The webhook's token, or several. Default: ``ONFIDO_WEBHOOK_TOKEN``.

    Raises:
        ConfigurationError: a setting is invalid, or there is neither a token nor a client.
    """

    name = "onfido"
    environment_variables: ClassVar[Mapping[str, str]] = {
        "api_token": "ONFIDO_API_TOKEN",
        "client_id": "ONFIDO_OAUTH_CLIENT_ID",
        "client_secret": "ONFIDO_OAUTH_CLIENT_SECRET",
        "workflow_id": "ONFIDO_WORKFLOW_ID",
        "webhook_secrets": "ONFIDO_WEBHOOK_TOKEN",
    }
    allowed_hosts = frozenset(f"api.{region}.onfido.com" for region in _REGIONS)
    api_path = r"/v3\.6(/.*)?"
    signature_header = "X-SHA2-Signature"
    own_error = ("error", "type")
    capabilities = Capabilities(
        operations=frozenset(),
        # 400 requests per minute; a start sends two.
        rate_windows=(RateWindow(200, 60.0),),
    )
    session_capabilities = SessionCapabilities(
        checks=frozenset({Operation.MATCH, Operation.LIVENESS}),
        # Onfido's results decide; not every report has scores, and no threshold is published.
        scored=frozenset(),
        compares_with=frozenset({ComparedWith.DOCUMENT}),
        reads_document=True,
        stores=frozenset({VendorCopy.ID, VendorCopy.TERMS}),
        finds_by_record=True,
        can_delete=True,
        link_hosts=frozenset(
            f"{prefix}{region}.onfido.app" for region in _REGIONS for prefix in ("", "*.")
        ),
        takes_language=True,
        takes_return_url=True,
        options=OnfidoSessionOptions,
        # A read sends two requests.
        read_windows=(RateWindow(200, 60.0),),
    )

    api_token: Secret | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_secret)
    )
    client_id: str | None = None
    client_secret: Secret | None = attrs.field(
        default=None, converter=attrs.converters.optional(as_secret)
    )
    workflow_id: str
    face_output: str
    document_output: str | None = None
    region: Literal["eu", "us", "ca"] = "eu"
    environment: Environment | None = None

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError without a token or client, or if the workflow is no UUID."""
        super().__attrs_post_init__()
        has_client = self.client_id is not None and self.client_secret is not None
        if self.api_token is None and not has_client:
            raise errors.ConfigurationError(
                "onfido needs an api_token (ONFIDO_API_TOKEN), or an OAuth client: client_id and "
                "client_secret."
            )
        if not _UUID.fullmatch(self.workflow_id):
            raise errors.ConfigurationError(
                f"workflow_id of onfido must be a UUID, not {self.workflow_id!r:.60}: Onfido's "
                "dashboard shows it beside the workflow."
            )

    def vendor_url(self) -> str:
        return f"https://api.{self.region}.onfido.com"

    @property
    def session_facts(self) -> Mapping[str, str]:
        """The workflow id, in lower case."""
        return {"workflow_id": self.workflow_id.lower()}

    # Keys

    @functools.cached_property
    def login_token(self) -> LoginToken:
        """The token of the OAuth client; `LoginToken` shares it between backends of one client."""
        request = HttpRequest(
            url=f"{self.service_url}/v3.6/oauth/token",
            # onfido-python sends these two alone, and no grant_type.
            fields={
                "client_id": self.client_id or "",
                "client_secret": self.client_secret or "",
            },
            charges=0,
        )
        return LoginToken(backend=self, request=request, read=read_login)

    def sign(
        self, http_request: HttpRequest, request: Any, *, deadline: Deadline = NO_DEADLINE
    ) -> HttpRequest:
        """Return `http_request` with the API token, or with the token of a login."""
        if self.api_token is not None:
            prefix = "Token token="
            token = self.api_token
        else:
            prefix = "Bearer "
            token = self.login_token.get(request, deadline)
        headers = {**http_request.headers, "Authorization": Secret(f"{prefix}{token.reveal()}")}
        # Masked in errors and in `raw`, because a response may repeat the token.
        return attrs.evolve(http_request, headers=headers, masked=(*http_request.masked, token))

    def should_relogin(self, http_request: HttpRequest, reply: HttpReply) -> bool:
        """Return whether Onfido rejected the token of a login, which is not charged."""
        if self.api_token is not None or reply.status != 401:
            return False
        self.login_token.forget(http_request)
        return True

    def close(self) -> None:
        """Close all connections. Calls in progress continue."""
        super().close()
        if self.api_token is None:
            self.login_token.close()

    # Sessions

    def start_steps(self, request: StartRequest) -> SessionSteps:
        """Create an applicant, which is free, and its workflow run."""
        record = request.record
        compares_name = record.compared_with is ComparedWith.DOCUMENT and not record.any_document
        if compares_name and self.document_output is None:
            raise errors.ConfigurationError(
                "The name on the document is compared only if document_output names the Document "
                "report in the workflow's output: set it, or plan with any_document=True."
            )
        language = _find_language(request.language)
        options = request.options or OnfidoSessionOptions()
        # Ours: the applicant has no name of a person unless the caller gives one.
        name = {
            "first_name": options.first_name or "Unnamed",
            "last_name": options.last_name or "Applicant",
        }
        reply = yield self._request("/applicants", method="POST", json=name, expects={201})
        applicant = _Applicant.read(reply)
        expires_at = request.clock.now() + dt.timedelta(seconds=record.valid_for_s)
        link = {
            "expires_at": expires_at.isoformat(timespec="seconds"),
            "completed_redirect_url": request.return_url,
            "language": language,
        }
        body = {
            "applicant_id": applicant.id,
            "workflow_id": self.workflow_id,
            "tags": [record.id, record.terms],
            "link": {name: value for name, value in link.items() if value is not None},
        }
        reply = yield self._request(
            "/workflow_runs", method="POST", json=body, expects={201}, charges=1
        )
        run = reply.json()
        # Without a link nobody could enter the session.
        read_at(nonempty_text, run, "link", "url")
        if run.get("sdk_token") is not None:
            read_at(nonempty_text, run, "sdk_token")
        return self._read_run(run, record, applicant)

    def read_steps(self, request: ReadRequest) -> SessionSteps:
        """Read the record's run, and its applicant, which tells the environment."""
        record = request.record
        if record.session_id is None:
            run = yield from self._find_run(record)
        else:
            reply = yield self._request(f"/workflow_runs/{_check_id(record.session_id)}")
            run = reply.json()
        applicant_id = read_at(_check_id, run, "applicant_id")
        reply = yield self._request(f"/applicants/{applicant_id}")
        applicant = _Applicant.read(reply)
        if applicant.id != applicant_id:
            raise UnreadableField("is not the applicant_id of the run", "id")
        return self._read_run(run, record, applicant)

    def delete_steps(self, request: DeleteRequest) -> DeleteSteps:
        """Delete the applicants of the record's runs, and with them all data of the runs.

        Raises `SessionMismatch` if the run does not have the record's id.
        """
        record = request.record
        if record.session_id is None:
            runs = yield from self._list_runs(record)
        else:
            reply = yield self._request(f"/workflow_runs/{_check_id(record.session_id)}")
            runs = [reply.json()]
        if not runs:
            raise not_listed(self.name)
        for run in runs:
            if read_tags(run).record_id != record.id:
                raise errors.SessionMismatch(
                    "The run does not have the id of this record: nothing was deleted.",
                    backend=self.name,
                    field="record_id",
                )
            path = f"/applicants/{_check_id(run['applicant_id'])}"
            yield self._request(path, method="DELETE", expects={204})
        # Onfido archives an applicant, and deletes it after the delay set for the account.
        return Deletion(state=DeletionState.REQUESTED)

    def _find_run(self, record: SessionRecord) -> Any:
        """Return the run started with a record: a decided one before an open one, else the oldest.

        A generator like `read_steps`.
        """
        runs = yield from self._list_runs(record)
        if not runs:
            raise not_listed(self.name)
        for run in runs:
            if STATES.get(run["status"]) in (SessionState.DECIDED, SessionState.PROCESSING):
                return run
        return runs[-1]

    def _list_runs(self, record: SessionRecord) -> Any:
        """Return the runs tagged with a record's id, newest first.

        A generator like `read_steps`.
        """
        reply = yield self._request("/workflow_runs", params={"tags": record.id})
        # Onfido does not document how it filters, so each run is looked at.
        return [run for run in reply.json() if read_tags(run).record_id == record.id]

    def _request(
        self, path: str, *, method: str = "GET", charges: int = 0, **more: Any
    ) -> HttpRequest:
        url = f"{self.service_url}/v3.6{path}"
        return HttpRequest(method=method, url=url, charges=charges, **more)

    def _read_run(self, run: Any, record: SessionRecord, applicant: _Applicant) -> SessionReading:
        """Return a run as a reading; its checks are read only from a run that has a report.

        The document is read only where it is compared. The run's id is strict, because it says
        whose run it is.
        """
        status = read_at(nonempty_text, run, "status")
        state = STATES.get(status, SessionState.UNKNOWN)
        tags = read_tags(run)
        output = RunOutput()
        if status in REPORTED:
            # The document is read only where it is compared, because it has personal data.
            is_document = record.compared_with is ComparedWith.DOCUMENT
            output = read_output(
                run.get("output") or {},
                status=status,
                face_output=self.face_output,
                document_output=self.document_output if is_document else None,
            )
        return SessionReading(
            session_id=read_at(_check_id, run, "id"),
            state=state,
            vendor_status=status,
            access=read_access(run, state),
            approved=status == "approved",
            checks=output.checks,
            compared_with=output.compared_with,
            document_holders=output.holders,
            record_id=tags.record_id,
            terms=tags.terms,
            created_at=read_or_none(aware_time, run.get("created_at"), "created_at"),
            facts={"workflow_id": read_at(nonempty_text, run, "workflow_id").lower()},
            review_reasons=output.review_reasons,
            warnings=output.warnings,
            environment=applicant.environment,
            raw=pick(run, RAW_FIELDS, times=("created_at", "updated_at")),
        )

    # Webhooks and errors

    def read_delivery(
        self, document: Any, headers: Mapping[str, str], now: dt.datetime
    ) -> tuple[SessionHint, ...]:
        """Return the run that a delivery names; () if it is about something else.

        Onfido signs no time and no id of the event: a delivery may be old, or come twice.
        """
        payload = document["payload"]
        if read_at(nonempty_text, payload, "resource_type") != "workflow_run":
            return ()
        # The resource is optional. Only its tags are looked at, because it has personal data.
        tags = read_or_none(read_tags, payload.get("resource"), "payload", "resource")
        session_id = read_at(_check_id, payload, "object", "id")
        return (
            SessionHint(record_id=None if tags is None else tags.record_id, session_id=session_id),
        )

    def error(self, reply: HttpReply, request: Request) -> errors.VendorError:
        """Return the error for a status: Onfido's `error.type` is not documented."""
        row = default_row(reply.status, reply.shape)
        if reply.status in (404, 410):
            row = _UNKNOWN_ID if isinstance(request, StartRequest) else _NO_RUN
        more = {}
        if issubclass(row.error, errors.RequestRejected):
            more["field_errors"] = read_field_errors(reply)
        return vendor_error(
            reply, {}, backend=self.name, now=self.client.clock.now(), row=row, **more
        )


@attrs.frozen
class _Applicant:
    """The facts of an applicant that are needed: the id, and the environment of its runs."""

    id: str
    environment: Environment | None

    @classmethod
    def read(cls, reply: HttpReply) -> _Applicant:
        applicant = reply.json()
        is_sandbox = read_at(boolean, applicant, "sandbox")
        environment: Environment | None = None
        if MOCK_HEADER not in reply.headers:
            environment = Environment.SANDBOX if is_sandbox else Environment.PRODUCTION
        return cls(id=read_at(_check_id, applicant, "id"), environment=environment)


def _find_language(language: str | None) -> str | None:
    """Return Onfido's code for a language; raise `Unsupported` if its page lacks the language."""
    if language is None:
        return None
    code = _LANGUAGES.get(language.partition("-")[0].lower())
    if code is None:
        raise errors.Unsupported(
            f"Onfido's page has no language {language!r:.20}; it has {', '.join(_LANGUAGES)}.",
            backend=OnfidoBackend.name,
            what="language",
        )
    return code


def _check_id(vendor_id: object) -> str:
    """Return an id in lower case; raise `InvalidRequest` if it is no UUID."""
    if not isinstance(vendor_id, str) or not _UUID.fullmatch(vendor_id):
        raise errors.InvalidRequest("Invalid id of Onfido: it must be a UUID.")
    return vendor_id.lower()
