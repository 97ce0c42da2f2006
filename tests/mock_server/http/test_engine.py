"""The engine: routing, marks, limits, faults and the journal."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import (
    MATCH_PATH,
    control_request,
    didit_request,
    match_request,
    scene,
)
from kit.mock_worlds import handle_with_fault

import facematch_core
from facematch_core.http import MOCK_HEADER
from facematch_mock_server.base.messages import Request
from facematch_mock_server.http.app import CLAIMS_HEADER
from facematch_mock_server.vendors import all_claims
from facematch_mock_server.world.faults import Fault

LIMIT = 64 * 1024 * 1024


@pytest.mark.parametrize(
    "sent",
    [
        match_request,
        lambda **more: didit_request("/v3/x/", **more),
        lambda **more: didit_request("/x", **more),
        lambda **more: control_request("clock", **more),
    ],
)
def test_every_answer_has_the_version_and_claims_if_asked(sent):
    engine = didit.new_engine()
    silent = engine.handle(sent())
    assert silent.header(MOCK_HEADER) == facematch_core.__version__
    assert silent.header(CLAIMS_HEADER) is None
    request = sent()
    asking = Request(
        method=request.method,
        target=request.target,
        headers=(*request.headers, (CLAIMS_HEADER.lower(), "1")),
        body=request.body,
    )
    response = engine.handle(asking)
    if request.is_control:
        assert response.claims == ()
    else:
        assert response.header(CLAIMS_HEADER) == ", ".join(response.claims)
        assert response.claims
    assert set(response.claims) <= {claim.id for claim in all_claims()}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/face-match/", "/v3/face-match/"),
        ("/__mock/journal", "/__mock__/journal"),
    ],
)
def test_a_path_outside_names_the_one_that_was_meant(path, meant):
    response = didit.new_engine().handle(didit_request(path))
    assert response.status == 404
    assert meant in response.json()["mock"]
    assert "mock.elsewhere" in response.claims


def head(path, length):
    return Request.make(method="POST", target=path, headers=(("Content-Length", length),))


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        (MATCH_PATH, str(LIMIT), None),
        (MATCH_PATH, str(LIMIT + 1), 413),
        ("/__mock__/faults", str(2**20 + 1), 413),
        ("/__mock__/faults", str(2**20), None),
        (MATCH_PATH, "9" * 5000, 413),
        (MATCH_PATH, "many", None),
    ],
)
def test_a_length_over_the_limit_is_refused_early(path, length, status):
    engine = didit.new_engine()
    response = engine.begin(head(path, length))
    assert (response and response.status) == status
    if response:
        assert any(claim.startswith("mock.limit.") for claim in response.claims)
        assert response.header(MOCK_HEADER)
        assert engine.world.account.journal.entries[-1].status == 413


def test_a_body_that_grew_over_the_limit_is_refused_as_a_declared_one():
    engine = didit.new_engine()
    assert engine.max_body_bytes(head(MATCH_PATH, "0")) == LIMIT
    assert engine.too_large(head(MATCH_PATH, "0")) == engine.begin(head(MATCH_PATH, str(LIMIT + 1)))


#: status -> body, claim
WORDS = [
    (401, {"detail": "Invalid API Key."}, "didit.auth.words.401"),
    (403, {"detail": "You do not have permission to perform this action."}, "didit.auth.words.403"),
    (404, {"detail": "Not found."}, "didit.path.not_found"),
    (405, {"detail": 'Method "POST" not allowed.'}, "didit.method.refused"),
    (415, {"detail": 'Unsupported media type "x/y" in request.'}, "didit.media.refused"),
    (
        429,
        {
            "detail": "Write request rate limit exceeded. "
            "You can make up to 300 requests per minute."
        },
        "didit.rate.write.refused",
    ),
]


@pytest.mark.parametrize(("status", "body", "claim"), WORDS)
def test_a_status_of_a_fault_comes_in_the_vendors_words_and_carries_nothing_out(
    status, body, claim
):
    engine = didit.new_engine()
    sent = didit_request(MATCH_PATH, b"x", "x/y")
    response = handle_with_fault(engine, Fault(stage="answer", kind="status", status=status), sent)
    assert (response.status, response.json()) == (status, body)
    assert claim in response.claims
    assert (response.header("Retry-After") is None) == (status != 429)
    assert engine.world.ledger.entries == ()
    assert engine.world.account.journal.entries[-1].note == "fault: answer status"


@pytest.mark.parametrize(
    ("kind", "status", "claim", "media"),
    [
        ("html", 200, "mock.fault.html", "text/html; charset=utf-8"),
        ("wrong_json", 200, "mock.fault.wrong_json", "application/json"),
        ("status", 500, "mock.fault.server", "text/html; charset=utf-8"),
        ("status", 400, "mock.fault.other", "application/json"),
        ("status", 204, "mock.fault.other", "application/json"),
    ],
)
@pytest.mark.parametrize("path", [MATCH_PATH, "/v3/elsewhere"])
def test_what_the_vendor_does_not_document_is_ours_and_says_so(kind, status, claim, media, path):
    fault = Fault(stage="answer", kind=kind, status=status, path=path)
    response = handle_with_fault(didit.new_engine(), fault, didit_request(path))
    assert (response.status, response.header("Content-Type")) == (status, media)
    assert claim in response.claims
    assert response.header(MOCK_HEADER)


def test_an_entry_of_the_journal_holds_no_picture_key_or_secret():
    engine = didit.new_engine()
    fields = {"vendor_data": "e" * 100, "api_token": "s3cr3t", "metadata": "{}"}
    probe = scene(secret="pixels")
    response = engine.handle(match_request(probe, **fields))
    (entry,) = engine.world.account.journal.entries
    assert (entry.method, entry.path, entry.status) == ("POST", MATCH_PATH, 200)
    assert (entry.vendor, entry.key, entry.at) == ("didit", "live", didit.START)
    assert entry.fields == {
        "vendor_data": "e" * 79 + "…",
        "api_token": "***",
        "metadata": "{}",
    }
    assert [(f.field, f.name, f.size) for f in entry.files] == [
        ("user_image", "probe.jpg", len(probe)),
        ("ref_image", "reference.png", len(scene())),
    ]
    assert all(len(file.digest) == 64 for file in entry.files)
    assert entry.claims == response.claims
    shown = repr(entry) + repr(entry.to_dict())
    assert not any(secret in shown for secret in ("pixels", "s3cr3t", "mock-live-key"))


def test_the_journal_has_the_kind_of_key():
    engine = didit.new_engine()
    for key in ("mock-live-key", "mock-sandbox-key", "x", None):
        engine.handle(match_request(key=key))
    entries = engine.world.account.journal.entries
    assert [entry.key for entry in entries] == ["live", "sandbox", "wrong", "none"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vendor": "acme"}, "no vendor acme"),
        ({"switches": {"in_reviw": True}}, "no switch in_reviw"),
        ({"switches": {"price_match": 0.05}}, "with at most four decimals, as text"),
        ({"switches": {"price_match": "-1"}}, "from 0 to 1e12"),
        ({"control_token": "short"}, "at least 8 characters"),
    ],
)
def test_a_wrong_setting_is_refused_in_a_sentence(settings, words):
    with pytest.raises(ValueError, match=words):
        didit.new_world(**settings)
