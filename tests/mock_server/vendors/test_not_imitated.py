"""A documented call that a mock lacks, and a call of an older version."""

import re

import pytest
from kit.mock_world import json_request
from kit.of_vendors import of_vendors
from vendors import persona

from facematch_mock_server import MockServer
from facematch_mock_server.vendors import vendor_names

ALL = tuple(vendor_names())
UUID = "6d4b9adb-ebcd-4f5e-89c1-8070b6d13089"
#: The header that selects a call, the text before its name, and further headers, by vendor.
ACTIONS = {
    "alibaba": ("x-acs-action", "", {"x-acs-version": "2019-12-30"}),
    "rekognition": ("x-amz-target", "RekognitionService.", {}),
    "tencent": ("x-tc-action", "", {"x-tc-version": "2020-03-03"}),
}
#: An unknown path of each vendor for which a mock lacks calls; None if it has no such path.
UNKNOWN_PATHS = {
    **of_vendors("UNKNOWN_PATH"),
    "didit": "/v3/workflow/",
    "onfido": "/v3.6/watchlists",
    "sumsub": "/resources/nothing",
    "persona": None,
    "stripe": "/v1/identity/sideways",
    "baidu": "/rest/2.0/face/v3/searching",
    "tencent": None,
    "alibaba": None,
    "regula": None,
    "deepvue": "/v1/verifying",
    "azure": "/face/v1.0/persons-of-a-group",
    "rekognition": None,
    "compreface": None,
}


def missing_call(mock, vendor):
    """Return a documented call that a mock lacks, `POST /path`, and headers that select it."""
    *_, call = mock.of(vendor).control.world.behaviour.not_imitated.calls
    if vendor in ACTIONS:
        header, prefix, further = ACTIONS[vendor]
        return "POST /", {header: f"{prefix}{call.name}", **further}
    *_, path = call.name.replace("{id}", "7").split()
    return f"{call.method or 'POST'} {path}", {}


def ask(mock, call, headers=None):
    method, path = call.split()
    return mock.app.handle(
        json_request(path, {}, method=method, key=None, host="127.0.0.1", **(headers or {}))
    )


def without_ids(body):
    return re.sub(rb"[0-9a-f-]{32,36}|\d{10,}", b"", body)


@pytest.mark.parametrize("names", ["alone", "all"])
@pytest.mark.parametrize("vendor", UNKNOWN_PATHS)
def test_documented_call_that_a_mock_lacks_says_so_without_a_key(vendor, names):
    mock = MockServer(vendor=vendor if names == "alone" else ALL)
    printed = []
    mock.accounts.report = printed.append
    call, headers = missing_call(mock, vendor)
    unknown_path = UNKNOWN_PATHS[vendor]
    response = ask(mock, call, headers)
    hint = response.header("X-Facematch-Hint")
    title = mock.of(vendor).control.world.vendor.title
    assert hint.startswith(f"{title} has ")
    assert f"; this mock does not imitate it (see docs/vendors/{vendor}.md)" in hint
    assert "docs/test/use-the-mock.md" in hint
    assert "mock.not_imitated" in response.claims
    assert "X-Facematch-Mock" in dict(response.headers)
    entry = mock.control.journal()[-1]
    assert (entry.vendor, entry.note) == (vendor, hint)
    ask(mock, call, headers)
    assert printed == [hint]
    if unknown_path is not None and names == "alone":
        unknown = ask(mock, f"{call.split()[0]} {unknown_path}")
        assert "does not imitate" not in (unknown.header("X-Facematch-Hint") or "")
        assert unknown.status == response.status
        assert without_ids(unknown.body) == without_ids(response.body)
        assert printed == [hint]


def test_documented_call_goes_before_another_vendors_path_with_other_methods():
    """Persona reads /api/v1/verification/KIND/ID."""
    mock = MockServer(vendor=ALL)
    call = "POST /api/v1/verification/embeddings/verify"
    assert "CompreFace has /" in ask(mock, call).header("X-Facematch-Hint")
    assert mock.control.journal()[-1].vendor == "compreface"


@pytest.mark.parametrize(
    "call", ["POST /v1/session/", f"GET /v1/session/{UUID}/decision/", "POST /auth/v2/token/"]
)
def test_version_1_of_didit_is_said_to_be_missing_beside_all_vendors(call):
    mock = MockServer(vendor=ALL)
    assert "Didit has /" in ask(mock, call).header("X-Facematch-Hint")
    assert mock.control.journal()[-1].vendor == "didit"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("POST /resources/applicants/7/tags/add", "Sumsub has /resources/applicants/{id}/tags;"),
        ("DELETE /resources/applicants/7/tags", "Sumsub has /resources/applicants/{id}/tags;"),
        ("POST /resources/api/applicants/notes", "Sumsub has /resources/api/applicants/notes;"),
        ("GET /resources/inspections/7/checks", "Sumsub has /resources/inspections/{id}/checks;"),
        (
            "POST /resources/accessTokens/-/shareToken?applicantId=7",
            "Sumsub has /resources/accessTokens/-/shareToken;",
        ),
        ("GET /v2/applicants", "Onfido has /v2/applicants;"),
        ("POST /v2/applicants/7/checks", "Onfido has /v2/applicants;"),
        ("GET /v2/checks/7/reports", "Onfido has /v2/checks;"),
    ],
)
def test_call_of_public_programs_is_named_beside_all_vendors(call, named):
    mock = MockServer(vendor=ALL)
    assert ask(mock, call).header("X-Facematch-Hint").startswith(named)


def test_hint_comes_with_the_refusal_of_a_key_and_with_a_right_key():
    mock = MockServer(vendor="persona")
    path = f"{persona.INQUIRIES}/inq_1"
    refused = mock.app.handle(persona.persona_request(path, {}, method="PATCH", key=None))
    known = mock.app.handle(persona.persona_request(path, {}, method="PATCH"))
    assert (refused.status, known.status) == (401, 404)
    for response in (refused, known):
        assert "has PATCH /api/v1/inquiries/{id};" in response.header("X-Facematch-Hint")
    read = mock.app.handle(persona.persona_request(path))
    assert (read.status, read.header("X-Facematch-Hint")) == (404, None)


def test_hint_names_the_documented_path_and_not_what_was_sent():
    mock = MockServer(vendor="veriff")
    ask(mock, "GET /v1/sessions/anna%0d%0aX-Evil:1/watchlist-screening")
    (entry,) = mock.control.journal()
    assert "anna" not in entry.note
    assert "/v1/sessions/{id}/watchlist-screening" in entry.note


@pytest.mark.parametrize("vendor", ALL)
def test_no_listed_call_is_one_that_the_mock_has(vendor):
    mock = MockServer(vendor=vendor)
    behaviour = mock.app.world.behaviour
    for call in behaviour.not_imitated.calls:
        for route in behaviour.routes:
            methods = [call.method] if call.method else route.handlers
            sample = route.pattern.replace("{uuid}", UUID).replace("{word}", "some-word")
            for method in methods:
                if method in route.handlers and "/" in call.name:
                    assert not call.expression.fullmatch(sample), (call.name, route.pattern)


def test_first_call_of_an_older_version_has_a_hint():
    mock = MockServer(vendor="persona")
    older = {"persona_version": "2023-01-05"}
    hints = []
    for headers in (older, older, {"persona_version": "2025-12-08"}, {}, {"persona_version": "x"}):
        response = mock.app.handle(persona.starting_with(headers))
        assert response.status == 201
        assert ("mock.version.older" in response.claims) == (headers == older)
        hints.append(response.header("X-Facematch-Hint"))
    assert hints == [
        "2023-01-05 of Persona is answered in the form of 2025-12-08",
        *[None] * 4,
    ]
    assert hints[0] in mock.control.journal()[0].note
    other = mock.accounts.open("other")
    key = next(iter(other.first_keys["persona"]))
    response = mock.app.handle(persona.starting_with(older, key=key))
    assert response.header("X-Facematch-Hint") == hints[0]
