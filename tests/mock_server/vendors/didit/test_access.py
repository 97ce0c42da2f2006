"""Keys, paths, and the order of checks; methods and content types are the oracle's."""

import itertools

import pytest
from kit import mock_didit as didit
from kit.mock_didit import (
    MATCH_PATH,
    control_request,
    didit_request,
    liveness_request,
    match_request,
)

NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
INVALID = {"detail": "Invalid API Key."}
OLD, PAST, WEAK = "old-key", "past-key", "weak-key"
PREPARED = (
    control_request("keys", {"key": OLD}),
    control_request("keys/revoke", {"key": OLD}),
    control_request("keys", {"key": PAST, "expires": "2026-07-01"}),
    control_request("keys", {"key": WEAK, "allowed": False}),
)

#: edition, key -> status, claim
KEYS = [
    ("2026-03", None, 401, "didit.auth.missing.401"),
    ("2026-03", "wrong", 401, "didit.auth.wrong.401"),
    ("2026-03", PAST, 401, "didit.auth.expired.401"),
    ("2026-07", None, 403, "didit.auth.missing.403"),
    ("2026-07", "wrong", 403, "didit.auth.wrong.403"),
    ("2026-07", OLD, 403, "didit.auth.wrong.403"),
    ("2026-07", PAST, 403, "didit.auth.expired.403"),
    ("2026-07", WEAK, 403, "didit.auth.words.403"),
    ("2026-11", None, 403, "didit.auth.missing.scoped"),
    ("2026-11", "wrong", 401, "didit.auth.wrong.scoped"),
    ("2026-11", PAST, 401, "didit.auth.expired.scoped"),
]


def test_both_readings_of_november_refuse_a_missing_key_in_their_way(ask):
    for reading, status in (("scoped", 403), ("401", 401)):
        switches = {"auth_errors": reading}
        code, _, response = ask(match_request(key=None), edition="2026-11", switches=switches)
        assert (code, f"didit.auth.missing.{reading}" in response.claims) == (status, True)


@pytest.mark.parametrize(("edition", "key", "status", "claim"), KEYS)
def test_each_edition_refuses_a_bad_key_in_its_way(ask, edition, key, status, claim):
    for sent in (match_request(key=key), liveness_request(key=key)):
        code, body, response = ask(*PREPARED, sent, edition=edition)
        assert (code, body) == (status, INVALID if status == 401 else NOT_ALLOWED)
        assert claim in response.claims


def test_a_key_holds_to_the_end_of_its_last_day_in_utc(ask):
    last = control_request("keys", {"key": "short-key", "expires": "2026-07-02"})
    to_midnight = control_request("clock/advance", {"seconds": 14 * 3600 + 44 * 60 + 32})
    assert ask(last, to_midnight, match_request(key="short-key"), edition="2026-11")[0] == 200
    later = control_request("clock/advance", {"seconds": 2})
    assert (
        ask(last, to_midnight, later, match_request(key="short-key"), edition="2026-11")[0] == 401
    )


BROKE = control_request("ledger/balance", {"balance": "0.02"})
BUSY = control_request("limits", {"write": 0, "get": 0})
NO_FIELDS = didit_request(MATCH_PATH, key="mock-live-key")
FIRST = {"credits_before_validation": True}

#: requests, switches -> status, a claim of that refusal
ORDER = [
    ((BUSY, match_request(key="wrong")), {}, 429, "rate.write.refused"),
    ((didit_request(MATCH_PATH, method="GET", key="wrong"),), {}, 403, "auth.wrong.403"),
    (
        (didit_request(MATCH_PATH, b"{}", "application/json", key="wrong"),),
        {},
        403,
        "auth.wrong.403",
    ),
    ((didit_request(MATCH_PATH, b"{}", "application/json"),), {}, 415, "media.refused"),
    ((didit_request(MATCH_PATH, key="mock-sandbox-key"),), {}, 400, "fields.refused"),
    ((BROKE, match_request(key="mock-sandbox-key")), {}, 200, "match.sandbox"),
    ((liveness_request(b"?", key="mock-sandbox-key"),), {}, 200, "liveness.sandbox"),
    ((BROKE, NO_FIELDS), {}, 400, "fields.refused"),
    ((BROKE, match_request()), {}, 403, "order.credit.after_fields"),
    ((BROKE, liveness_request(b"?")), {}, 403, "order.credit.after_fields"),
    ((liveness_request(b"?"),), {}, 400, "liveness.undecodable"),
    ((BROKE, NO_FIELDS), FIRST, 403, "order.credit.before_fields"),
    ((BROKE, didit_request(MATCH_PATH, key="mock-sandbox-key")), FIRST, 400, "fields.refused"),
]


@pytest.mark.parametrize(("steps", "switches", "status", "claim"), ORDER)
def test_of_two_reasons_to_refuse_the_earlier_one_answers(ask, steps, switches, status, claim):
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
def test_the_router_answers_an_unknown_path_with_a_page(ask, claim, paths):
    for path, key in itertools.product(paths, ("mock-live-key", None)):
        code, body, response = ask(didit_request(path, method="GET", key=key))
        assert (code, response.header("Content-Type")) == (404, "text/html; charset=utf-8")
        assert "Not Found" in body
        assert claim in response.claims


def test_a_header_and_the_journal_name_the_path_that_was_meant():
    engine = didit.new_engine()
    response = engine.handle(didit_request("/v3/face-mach/"))
    assert response.header("X-Facematch-Hint") == "did you mean /v3/face-match/?"
    assert engine.world.account.journal.entries[-1].note == "did you mean /v3/face-match/?"


@pytest.mark.parametrize(
    "path",
    [
        "/v3/workflows/",
        "/v3/face-search/",
        "/v3/session/3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35/generate-pdf/",
    ],
)
def test_what_is_not_imitated_says_so_and_names_what_is(ask, path):
    status, body, response = ask(didit_request(path, method="GET"))
    assert (status, list(body)) == (404, ["mock"])
    assert "mock.later" in response.claims
    for word in (path, "face match", "passive liveness", "webhooks"):
        assert word in body["mock"]
