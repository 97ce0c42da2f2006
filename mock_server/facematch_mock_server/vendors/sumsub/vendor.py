"""Sumsub: applicants and hosted sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import DOCUMENT_NAME
from facematch_mock_server.vendors import base
from facematch_mock_server.vendors.not_imitated import NotImitated
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.drilled import DrillFacts
from facematch_mock_server.world.keys import Key, KeyKind
from facematch_mock_server.world.variables import Variables
from facematch_mock_server.world.webhook_control import Webhooks
from facematch_mock_server.world.webhooks import Outbox

from . import sessions, webhooks
from .access import CHECKS, SumsubCall
from .calls import applicants, documents, links
from .claims import CLAIMS
from .control import SumsubSessionControl
from .records import SumsubRecords
from .signature import TOKEN, sign_again

#: The app tokens that are valid from the start, with their secret keys.
LIVE_TOKEN = "prd:mock-app-token"  # noqa: S105 - of the mock
SANDBOX_TOKEN = "sbx:mock-app-token"  # noqa: S105 - of the mock
LIVE_SECRET_KEY = "mock-secret-key"  # noqa: S105 - of the mock
SANDBOX_SECRET_KEY = "mock-sandbox-secret-key"  # noqa: S105 - of the mock

#: Of Sumsub's API reference, also as public clients list it; the checks of an inspection are those
#: of alexeevdv/sumsub-client for PHP. Read 2026-11-30.
_NOT_IMITATED = NotImitated(
    "docs/vendors/sumsub.md",
    "/resources/applicants/-/byExternalUserId/{id}",
    "/resources/applicants/{id}/fixedInfo",
    "/resources/applicants/{id}/metadata/resources",
    "/resources/applicants/{id}/moveToLevel",
    "PATCH /resources/applicants/{id}/info/*",
    "POST /resources/applicants/{id}/requiredIdDocs",
    "/resources/applicants/{id}/agreement",
    "/resources/applicants/{id}/blacklist",
    "/resources/applicants/{id}/ekyc/*",
    "/resources/applicants/-/ingestCompleted",
    "/resources/applicants/-/applicantImport",
    "/resources/moderationStates/*",
    "/resources/videoIdent/*",
    "/resources/applicantFraudNetworks/*",
    "/resources/applicants/{id}/tags/*",
    "/resources/api/applicants/notes/*",
    "/resources/applicants/{id}/reset",
    "/resources/applicants/{id}/resetStep/*",
    "/resources/applicants/-/levels/*",
    "/resources/applicants/-/import",
    "/resources/accessTokens/shareToken",
    "/resources/accessTokens/-/shareToken",
    "/resources/checks/latest",
    "/resources/applicantActions/*",
    "/resources/inspections/{id}/reviews/*",
    "/resources/inspections/{id}/checks",
    "/resources/inspections/{id}/resources/{image}",
    "/resources/status/api",
    "/resources/applicantTimeline/*",
    "/resources/kyt/*",
    "PATCH /resources/applicants",
    "/resources/api/agent/clientWebhooks",
)


def _route(
    pattern: str, method: str, handler: Callable[[Any], Response], operation: str | None = None
) -> base.Route:
    return base.Route(
        pattern=pattern,
        handlers={method: handler},
        checks=CHECKS,
        operation=operation,
        credentials=(TOKEN,),
        shown_fields=("levelName", "ttlInSecs", "reviewAnswer", "rejectLabels"),
    )


_APPLICANT = "/resources/applicants/{word}"
_LINK = "/resources/sdkIntegrations/levels/{level}/websdkLink"
_TOKEN = "/resources/accessTokens"  # noqa: S105 - a path
_ROUTES = (
    _route("/resources/applicants", "POST", applicants.create, "session_start"),
    _route(_LINK.format(level="-"), "POST", links.create_link, "session_start"),
    _route(_LINK.format(level="{word}"), "POST", links.create_link_of_level, "session_start"),
    base.Route(
        pattern="/websdk/websdk.html",
        handlers={"GET": links.redirect_to_page},
        credentials=(),
    ),
    base.Route(
        pattern="/idensic/websdk.html",
        handlers={"GET": links.redirect_to_asking_page},
        credentials=(),
    ),
    _route(f"{_TOKEN}/sdk", "POST", links.create_token, "session_start"),
    _route(_TOKEN, "POST", links.create_token_by_query, "session_start"),
    _route(f"{_APPLICANT}/one", "GET", applicants.read, "session_read"),
    _route(f"{_APPLICANT}/status", "GET", applicants.read_status, "session_read"),
    _route(f"{_APPLICANT}/requiredIdDocsStatus", "GET", applicants.read_steps, "session_read"),
    _route(_APPLICANT, "GET", applicants.read_without_one, "session_read"),
    base.Route(
        pattern=f"{_APPLICANT}/info/idDoc",
        handlers={"POST": documents.add},
        checks=CHECKS,
        credentials=(TOKEN,),
        is_form=True,
    ),
    _route(f"{_APPLICANT}/status/pending", "POST", documents.request_check),
    _route(f"{_APPLICANT}/status/testCompleted", "POST", applicants.complete_test),
    _route(f"{_APPLICANT}/presence/deactivated", "PATCH", applicants.deactivate_or_activate),
    _route(f"{_APPLICANT}/presence/activated", "PATCH", applicants.deactivate_or_activate),
)


class Sumsub(base.MockVendor):
    """The mock of Sumsub in one world. Thread-safe."""

    # OURS: Of the descriptions, only those of a wrong signature, of an unknown or a second
    # applicant, of a wrong id and of the sandbox's call are known; the others are ours.
    # An error has a description, the HTTP status as code and a correlationId.
    common_prefix = "/resources/"
    extra_prefixes = ("/resources/",)
    call = SumsubCall
    routes = _ROUTES
    session_rules = sessions.SESSION_RULES
    not_imitated = _NOT_IMITATED
    slash_claim = "path.slash"
    not_found_claim = "path.unknown"
    errors: ClassVar[Mapping[int, tuple[str, ...]]] = {
        401: ("key.wrong",),
        403: ("key.denied",),
        404: ("applicant.unknown",),
        429: ("rate.exceeded",),
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        #: Held while an applicant is searched for and created.
        self.creating = threading.Lock()

    def find(self, head: Request) -> tuple[base.Route | None, tuple[str, ...]]:
        """Return a request's route and values; a value may have a slash, which is sent as %2F."""
        path, _, _ = head.target.partition("?")
        route, values = self._route_of(path)
        return route, tuple(unquote(value) for value in values)


def _app_token_of(head: Request) -> str | None:
    return head.header(TOKEN)


VENDOR = base.Vendor(
    name="sumsub",
    title="Sumsub",
    claims=CLAIMS,
    switches={
        "digest": ("sha256", "sha512", "sha1"),
        "review_comments": ("made-up", "none"),
        **DOCUMENT_NAME,
    },
    rate_limits={
        "get": "rate.get.limit",
        "post": "rate.post.limit",
        "sandbox": "rate.sandbox.limit",
    },
    operations=("session_start", "session_read"),
    # Older public programs call the third one.
    hosts=frozenset({"api.sumsub.com", "in.sumsub.com", "test-api.sumsub.com"}),
    first_keys={
        LIVE_SECRET_KEY: Key(kind=KeyKind.LIVE, client=LIVE_TOKEN),
        SANDBOX_SECRET_KEY: Key(kind=KeyKind.SANDBOX, client=SANDBOX_TOKEN),
    },
    sandbox_prefixes=("sbx:",),
    variables=Variables(
        keys=({"SUMSUB_APP_TOKEN": LIVE_TOKEN, "SUMSUB_SECRET_KEY": LIVE_SECRET_KEY},),
        settings={"SUMSUB_LEVEL_NAME": "id-and-liveness"},
    ),
    key_of=_app_token_of,
    sign_again=sign_again,
    records=SumsubRecords,
    behaviour=Sumsub,
    outbox=lambda world: Outbox(world, webhooks.RULES),
    extensions={"sessions": SumsubSessionControl, "webhooks": Webhooks},
    # No command of a shell can sign a call.
    greeting=(
        (
            f"app token: {LIVE_TOKEN}, secret key: {LIVE_SECRET_KEY}; in the sandbox: "
            f"{SANDBOX_TOKEN}, {SANDBOX_SECRET_KEY}"
        ),
    ),
    drilled=DrillFacts(
        approved={"completed GREEN"},
        declined={"completed RED FINAL"},
        review="onHold",
        revised_to="completed RED FINAL",
        sends_creation=True,
        webhook_variable="SUMSUB_WEBHOOK_SECRET",
        all_events=True,
        settings=lambda client, key: {
            "app_token": client,
            "secret_key": key,
            "level_name": "basic",
        },
    ),
)
