"""GET /v3/sessions/: filters, pages and rows; the pages serve other lists, too."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import DJANGO, FRAMEWORK, OPENAPI, OURS, SKILLS

_OFFSET = ("paging", ("offset",))
_PAGES = ("paging", ("pages",))
_ROW = (
    "session_id",
    "session_kind",
    "session_number",
    "session_url",
    "portrait_image",
    "document_type",
    "full_name",
    "country",
    "status",
    "vendor_data",
    "didit_internal_id",
    "created_at",
    "features",
    "phone_number",
    "email_address",
    "additional_details",
)
_SERVICES = (
    "ID_VERIFICATION",
    "FACE_MATCH",
    "AGE_ESTIMATION",
    "FACE_SEARCH",
    "POA",
    "AML",
    "KYB_REGISTRY",
    "PASSIVE_LIVENESS",
    "DATABASE_VALIDATION",
    "PHONE_VERIFICATION",
    "EMAIL_VERIFICATION",
)

_LIST = (
    row("list.answer", Reply(200), "A list of sessions is 200.", OPENAPI),
    row("list.newest_first", True, "The newest session comes first.", OPENAPI),
    row(
        "list.slash",
        Reply(301, ""),
        "The path without its last slash is 301 to the one with it, with the query kept.",
        OPENAPI,
        turned=Reply(302, ""),
    ),
    row(
        "list.own_only",
        True,
        "A list has the sessions of the key's organization.",
        OURS,
    ),
    row(
        "list.sandbox",
        False,
        "A sandbox key lists nothing: its calls leave no session.",
        OURS,
    ),
    row("list.row_keys", _ROW, "A row has these keys, always.", OPENAPI, turned=_ROW[:-1]),
    row(
        "list.absent",
        None,
        "What a saved call does not know of a person is null in its row.",
        OURS,
        turned="",
    ),
    row(
        "list.details",
        {
            "FACE_MATCH": "face_match",
            "PASSIVE_LIVENESS": "liveness",
            "AGE_ESTIMATION": "age_estimation",
            "FACE_SEARCH": "face_search",
        },
        "additional_details has the score by the name of the service; shown for a match only.",
        OURS,
        turned={},
    ),
    row(
        "list.score_unit",
        1,
        "Scores in rows are on the scale of 0 to 100; an example shows 0 to 1.",
        OURS,
        turned=100,
    ),
)

_FILTERS = (
    row("list.refused", Reply(400), "Filters are refused by name, with 400.", OPENAPI),
    row(
        "list.kinds",
        {"user": True, "business": False, "all": True},
        "session_kind is user, business or all; saved calls are of the kind user.",
        OPENAPI,
        turned={"user": False, "business": False, "all": True},
    ),
    row("list.kind", "user", "Without session_kind it is user.", OPENAPI, turned="business"),
    row(
        "list.kind_words",
        'Must be "user", "business", or "all".',
        "The words for another session_kind, a text and no array.",
        OPENAPI,
    ),
    row(
        "list.kind_alone",
        True,
        "session_kind is refused before the other filters are looked at.",
        OURS,
    ),
    row("list.date_words", "Enter a valid date.", "The words for no date.", OPENAPI),
    row("list.uuid_words", "Enter a valid UUID.", "The words for no UUID.", OPENAPI),
    row(
        "list.choice_words",
        "Select a valid choice. {value} is not one of the available choices.",
        "The words for an unknown service.",
        OPENAPI,
    ),
    row(
        "list.services",
        _SERVICES,
        "The services that api_service takes.",
        OPENAPI,
        turned=_SERVICES[:1],
    ),
    row(
        "list.types",
        {"API": True, "HOSTED": False, "MIGRATED": False, "ALL": True},
        "session_type is API, HOSTED, MIGRATED or ALL; saved calls are of the type API.",
        OPENAPI,
        turned={"API": True, "HOSTED": True, "MIGRATED": False, "ALL": True},
    ),
    row(
        "list.type_strict",
        True,
        "Another session_type is refused as an unknown service is.",
        FRAMEWORK,
    ),
    row("list.status_case", True, "The case of a status matters.", OPENAPI),
    row(
        "list.unknown_status",
        "nothing",
        "A status that there is not gives no rows.",
        OPENAPI,
        turned="ignored",
    ),
    row("list.vendor_data", "exact", "vendor_data is compared whole.", OPENAPI, turned="part"),
    row(
        "list.warning",
        "any",
        "warning takes several risks, and one of them is enough.",
        OURS,
        turned="all",
    ),
    row(
        "list.days",
        "whole",
        "date_from and date_to are whole days, UTC, both of them included.",
        OPENAPI,
        turned="exclusive",
    ),
    row(
        "list.search",
        ("id", "number", "vendor_data"),
        "search finds a part of the id, the number or vendor_data; where Didit looks is not "
        "documented.",
        OURS,
        turned=(),
    ),
    row(
        "list.foreign",
        ("workflow_id", "country", "document_type"),
        "No saved call has a workflow, a country or a document: asked for one, the list is empty.",
        OURS,
        turned=(),
    ),
    row("list.empty_filter", True, "A filter without a value is none.", FRAMEWORK),
    row("list.unknown_ignored", True, "A parameter that is not known is ignored.", FRAMEWORK),
)

_PAGING = (
    row(
        "page.keys",
        ("count", "next", "previous", "results"),
        "A page has count, next, previous and results.",
        OPENAPI,
        turned=("count", "results"),
    ),
    row("page.limit", 50, "A page has 50 rows.", OPENAPI, turned=1, when=_OFFSET, name="50"),
    row("page.limit", 20, "A page has 20 rows.", SKILLS, turned=1, when=_PAGES, name="20"),
    row(
        "page.numbers",
        False,
        "Pages are asked for by limit and offset.",
        OPENAPI,
        when=_OFFSET,
        name="no",
    ),
    row(
        "page.numbers",
        True,
        "Pages are asked for by limit, or by page and page_size.",
        SKILLS,
        when=_PAGES,
        name="yes",
    ),
    row(
        "page.bad_number",
        True,
        "A limit that is no whole number from 1 on counts as none, and so does such an offset.",
        FRAMEWORK,
    ),
    row(
        "page.sorted",
        True,
        "The address of another page has the parameters of this one, sorted by name.",
        FRAMEWORK,
    ),
    row(
        "page.first_bare",
        True,
        "The address of the first page says nothing of where it begins.",
        FRAMEWORK,
    ),
    row(
        "page.invalid",
        Reply(404, {"detail": "Invalid page."}),
        "A page that there is not is 404.",
        FRAMEWORK,
        when=_PAGES,
    ),
    row(
        "page.last",
        True,
        "page=last is the last page.",
        DJANGO,
        when=_PAGES,
    ),
)

CLAIMS = table("didit", *_LIST, *_FILTERS, *_PAGING)
