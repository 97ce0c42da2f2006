"""Keys, methods, content types, paths, and the order in which all of that is asked."""

import itertools

import pytest
from kit import mock_didit as didit
from kit.mock_didit import LIVENESS, MATCH, control, liveness, match, request

NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
INVALID = {"detail": "Invalid API Key."}
OLD, PAST, WEAK = "old-key", "past-key", "weak-key"
PREPARED = (
    control("keys", {"key": OLD}),
    control("keys/revoke", {"key": OLD}),
    control("keys", {"key": PAST, "expires": "2026-07-01"}),
    control("keys", {"key": WEAK, "allowed": False}),
)

#: edition, key -> status, claim
KEYS = [
    ("2026-03", None, 401, "didit.auth.missing.401"),
    ("2026-03", "wrong", 401, "didit.auth.wrong.401"),
    ("2026-03", OLD, 401, "didit.auth.wrong.401"),
    ("2026-03", PAST, 401, "didit.auth.expired.401"),
    ("2026-03", WEAK, 403, "didit.auth.words.403"),
    ("2026-07", None, 403, "didit.auth.missing.403"),
    ("2026-07", "", 403, "didit.auth.missing.403"),
    ("2026-07", "wrong", 403, "didit.auth.wrong.403"),
    ("2026-07", "mock-live-key ", 403, "didit.auth.wrong.403"),
    ("2026-07", OLD, 403, "didit.auth.wrong.403"),
    ("2026-07", PAST, 403, "didit.auth.expired.403"),
    ("2026-07", WEAK, 403, "didit.auth.words.403"),
    ("2026-11", None, 403, "didit.auth.missing.scoped"),
    ("2026-11", "wrong", 401, "didit.auth.wrong.scoped"),
    ("2026-11", OLD, 401, "didit.auth.wrong.scoped"),
    ("2026-11", PAST, 401, "didit.auth.expired.scoped"),
    ("2026-11", WEAK, 403, "didit.auth.words.403"),
]


@pytest.mark.parametrize(("edition", "key", "status", "claim"), KEYS)
def test_a_key_is_refused(ask, edition, key, status, claim):
    """Per edition with 401 or 403, in one sentence each."""
    for sent in (match(key=key), liveness(key=key)):
        code, body, response = ask(*PREPARED, sent, edition=edition)
        assert (code, body) == (status, INVALID if status == 401 else NOT_ALLOWED)
        assert claim in response.claims


def test_a_key_holds_to_the_end_of_its_last_day(ask):
    """The last day counts whole, in UTC."""
    last = control("keys", {"key": "short-key", "expires": "2026-07-02"})
    to_midnight = control("clock/advance", {"seconds": 14 * 3600 + 44 * 60 + 32})
    assert ask(last, to_midnight, match(key="short-key"), edition="2026-11")[0] == 200
    later = control("clock/advance", {"seconds": 2})
    assert ask(last, to_midnight, later, match(key="short-key"), edition="2026-11")[0] == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "BREW"])
@pytest.mark.parametrize("path", [MATCH, LIVENESS])
def test_another_method(ask, method, path):
    """405, with the method in quotes."""
    status, body, response = ask(request(path, method=method))
    assert (status, body) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert response.header("Allow") == "POST, OPTIONS"


@pytest.mark.parametrize("path", [MATCH, "/v3/billing/top-up/"])
def test_options(ask, path):
    """200 with the methods, for whoever has a key."""
    status, body, response = ask(request(path, method="OPTIONS"))
    assert (status, body) == (200, {})
    assert response.header("Allow") == "POST, OPTIONS"
    assert ask(request(path, method="OPTIONS", key=None))[0] == 403


@pytest.mark.parametrize(
    "media", ["application/json", "application/json; charset=utf-8", "text/plain", ""]
)
def test_another_content_type(ask, media):
    """415, with the content type as it was sent."""
    status, body, _ = ask(request(MATCH, b"{}", media))
    assert (status, body) == (415, {"detail": f'Unsupported media type "{media}" in request.'})


@pytest.mark.parametrize("media", ["application/json", None, "multipart/form-data"])
def test_without_a_body_the_content_type_does_not_matter(ask, media):
    """Nothing was sent, so the files are missing."""
    status, body, _ = ask(request(MATCH, b"", media))
    assert (status, set(body)) == (400, {"user_image", "ref_image"})


def test_a_urlencoded_form_is_read(ask):
    """It has no files; what it has is checked."""
    sent = b"user_image=x&rotate_image=maybe"
    status, body, _ = ask(request(MATCH, sent, "application/x-www-form-urlencoded"))
    assert status == 400
    assert body["user_image"][0].startswith("The submitted data was not a file.")
    assert body["ref_image"] == ["No file was submitted."]
    assert body["rotate_image"] == ["Must be a valid boolean."]


BROKE = control("ledger/balance", {"balance": "0.02"})
BUSY = control("limits", {"write": 0, "get": 0})
NO_FIELDS = request(MATCH, key="mock-live-key")

FIRST = {"credits_before_validation": True}

#: requests, settings -> status, a claim of that refusal
ORDER = [
    ((BUSY, match(key="wrong")), {}, 429, "rate.write.refused"),
    ((BUSY, match(key=None)), {}, 429, "rate.write.refused"),
    ((request(MATCH, method="GET", key="wrong"),), {}, 403, "auth.wrong.403"),
    ((request(MATCH, b"{}", "application/json", key="wrong"),), {}, 403, "auth.wrong.403"),
    ((request(MATCH, b"{}", "application/json"),), {}, 415, "media.refused"),
    ((request(MATCH, b"{}", "text/plain", method="GET"),), {}, 405, "method.refused"),
    ((request(MATCH, key="mock-sandbox-key"),), {}, 400, "fields.refused"),
    ((BROKE, match(key="mock-sandbox-key")), {}, 200, "match.sandbox"),
    ((liveness(b"?", key="mock-sandbox-key"),), {}, 200, "liveness.sandbox"),
    ((BROKE, NO_FIELDS), {}, 400, "fields.refused"),
    ((BROKE, match()), {}, 403, "order.credit.after_fields"),
    ((BROKE, liveness(b"?")), {}, 403, "order.credit.after_fields"),
    ((liveness(b"?"),), {}, 400, "liveness.undecodable"),
    ((BROKE, NO_FIELDS), FIRST, 403, "order.credit.before_fields"),
    ((BROKE, request(MATCH, key="mock-sandbox-key")), FIRST, 400, "fields.refused"),
]


@pytest.mark.parametrize(("steps", "switches", "status", "claim"), ORDER)
def test_the_order_of_checks(ask, steps, switches, status, claim):
    """Of two reasons to refuse a call the earlier one answers."""
    code, _, response = ask(*steps, switches=switches)
    assert code == status
    assert f"didit.{claim}" in response.claims


@pytest.mark.parametrize(
    ("claim", "paths"),
    [
        ("didit.path.unknown", ("/v3/face-mach/", "/v3/")),
        ("didit.path.not_a_uuid", ("/v3/session/not-a-uuid/decision/", "/v3/session/A/delete/")),
    ],
)
def test_the_router_answers_with_html(ask, claim, paths):
    """An unknown path is a page, not JSON, with and without a key."""
    for path, key in itertools.product(paths, ("mock-live-key", None)):
        code, body, response = ask(request(path, method="GET", key=key))
        assert (code, response.header("Content-Type")) == (404, "text/html; charset=utf-8")
        assert "Not Found" in body
        assert claim in response.claims


def test_an_unknown_path_names_the_one_that_was_meant():
    """In a side header and in the journal, because the page is the vendor's."""
    engine = didit.new_engine()
    response = engine.handle(request("/v3/face-mach/"))
    assert response.header("X-Facematch-Hint") == "did you mean /v3/face-match/?"
    assert engine.world.account.journal.entries[-1].note == "did you mean /v3/face-match/?"


@pytest.mark.parametrize(
    "path",
    [
        "/v3/workflows/",
        "/v3/session/3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35/generate-pdf/",
        "/v3/id-verification/",
    ],
)
def test_what_is_not_imitated_says_so(ask, path):
    """404 in the mock's own words, which no client takes for the vendor's."""
    status, body, response = ask(request(path, method="GET"))
    assert (status, list(body)) == (404, ["mock"])
    assert "mock.later" in response.claims


@pytest.mark.parametrize("host", ["verification.didit.me", "apx.didit.me:443"])
def test_both_hosts_are_didits(ask, host):
    """By name, whatever the path."""
    assert "didit.path.unknown" in ask(request("/nothing", host=host))[2].claims


def test_the_health_check_needs_no_key(ask):
    """It is there, and says nothing."""
    assert ask(request("/system/healthcheck", method="GET", key=None))[:2] == (
        200,
        {"status": "ok", "timestamp": "2026-07-02T09:15:27.104Z"},
    )


def test_a_path_that_reads_takes_head_and_names_what_it_takes(ask):
    """HEAD is GET without its body; another method is told which there are."""
    path = "/v3/sessions/"
    head, get, other = (ask(request(path, method=m)) for m in ("HEAD", "GET", "PUT"))
    assert (head[0], get[0], other[0]) == (200, 200, 405)
    assert other[2].header("Allow") == "GET, HEAD, OPTIONS"
