"""Every claim is cited by an answer to one of these scenarios."""

import pytest
from kit import mock_azure as azure
from kit import mock_compreface as compreface
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit
from kit import mock_didit_accounts as accounts
from kit import mock_didit_sessions as sessions
from kit import mock_didit_webhooks as webhooks
from kit import mock_rekognition as rekognition
from kit.mock_didit import LIVENESS, MATCH, control, liveness, match, picture, request
from kit.mock_worlds import struck_by

from facematch_mock_server.faults import Fault
from facematch_mock_server.messages import Head
from facematch_mock_server.vendors import all_claims

#: Every way of settling a world that a claim can need.
SETTINGS = (
    {"edition": "2026-07"},
    {"edition": "2026-03"},
    {"edition": "2026-11"},
    {"switches": {"undecodable": 400}},
    {"switches": {"credits_before_validation": True}},
    {"switches": {"empty_blocks": "list"}},
    {"switches": {"features": "objects"}},
    {"switches": {"reserved_domains": "accepted"}},
    {"switches": {"v2_prefix": True, "event_id_per_attempt": True}},
    {"switches": {"auth_errors": "401"}},
)
BIG = 5 * 1024 * 1024 + 1


def files(*sent, key="mock-live-key", path=MATCH, fields=()):
    """A request with these files (field, name, bytes)."""
    return request(path, *didit.multipart(fields, sent), key=key)


def answered(status, kind="status", path=MATCH, **more):
    """The answer of a fault."""
    fault = Fault(stage="answer", kind=kind, status=status, **more)
    return lambda engine: struck_by(engine, fault, request(path, b"{}", "application/json"))


def refused(path):
    """The answer to a length that is declared too high."""
    head = Head(method="POST", target=path, headers=(("Content-Length", "99999999"),))
    return lambda engine: engine.refuse_early(head)


GOOD = (("user_image", "a.jpg", picture()), ("ref_image", "b.jpg", picture()))
T = didit.MATCH_THRESHOLD
L = didit.LIVENESS_THRESHOLD
WHOLE, TYPE = didit.multipart((), GOOD)

SCENARIOS = {
    "match": (
        match(vendor_data="emp-0042", metadata='{"gate":"north"}'),
        match(picture(score=30)),
        match(picture(score=30.004)),
        match(picture(score=29.6)),
        match(picture(score=30.004), save_api_request="false"),
        match(picture(score=12.3456), save_api_request="false"),
        match(picture(faces=0)),
        match(picture(faces=0), save_api_request="false"),
        match(b"no picture"),
        match(picture(review=True)),
        match(picture(angle=90)),
        match(picture(angle=90), rotate_image="true"),
        match(picture(faces=2)),
        match(key="mock-sandbox-key", vendor_data="emp-0042"),
    ),
    "liveness": (
        liveness(vendor_data="emp-0042"),
        liveness(picture(score=30)),
        liveness(picture(score=30.004)),
        liveness(picture(score=30.6)),
        liveness(picture(score=29.6)),
        liveness(picture(score=None)),
        liveness(picture(score=55.5, attack=True)),
        liveness(picture(faces=2)),
        liveness(picture(faces=0)),
        liveness(picture(quality=12, luminance=8)),
        liveness(picture(luminance=95)),
        liveness(picture(blocklist="certain", duplicate="possible")),
        liveness(picture(blocklist="possible", duplicate="certain")),
        liveness(b"no picture"),
        liveness(key="mock-sandbox-key"),
    ),
    "unsaved": (match(save_api_request="false"), match(picture(score=2))),
    "fields": (
        request(MATCH),
        request(MATCH, *didit.multipart([("user_image", "text")])),
        files(("user_image", "a.txt", b"x" * 9), ("ref_image", "b.JPG", picture())),
        files(("user_image", "a.tif", b"x"), ("ref_image", "b", b"x")),
        files(("user_image", "a.jpg", b""), ("ref_image", "b.gif", b"x" * BIG)),
        files(("user_image", "a.jpg", b"x" * BIG), ("ref_image", "b.jpg", b"x" * 5_200_000)),
        match(**{T: "abc"}),
        match(**{T: "41.5"}),
        match(**{T: "101"}),
        match(**{T: "60"}),
        match(**{T: "-1"}),
        match(**{T: ""}),
        match(rotate_image="maybe"),
        match(rotate_image="on", save_api_request="no"),
        match(metadata="[]"),
        match(metadata="", vendor_data=""),
        match(metadata="x" * 50_001, vendor_data="x" * 10_001),
        match(unheard_of="1"),
        files(*GOOD, fields=[(T, "99"), (T, "1")]),
        liveness(**{L: "abc"}),
    ),
    "forms": (
        request(MATCH, b"x", "multipart/form-data"),
        request(MATCH, WHOLE[:-20], TYPE),
        request(MATCH, b"vendor_data=1", "application/x-www-form-urlencoded"),
        request(MATCH, b"{}", "application/json"),
        request(MATCH, b"", "application/json"),
    ),
    "framework": (
        liveness(picture(faces=0)),
        request("/v3/sessions/", method="GET"),
        request(MATCH, method="OPTIONS"),
        request(MATCH, *didit.multipart([("a", "")] * 1001)),
        match(vendor_data="a\0"),
        *(
            request(f"{accounts.AUTH}login/", body, kind, key=None)
            for body, kind in (
                (b"null", "application/json"),
                (b"[" * 101 + b"]" * 101, "application/json"),
                (b'{"email":"\\ud800","password":" "}', "application/json"),
            )
        ),
    ),
    "keys": (
        match(key=None),
        match(key="wrong"),
        control("keys", {"key": "old-key"}),
        control("keys/revoke", {"key": "old-key"}),
        match(key="old-key"),
        control("keys", {"key": "past-key", "expires": "2026-07-01"}),
        match(key="past-key"),
        control("keys", {"key": "weak-key", "allowed": False}),
        match(key="weak-key"),
    ),
    "rates": (
        request(MATCH, method="GET"),
        control("limits", {"get": 1, "write": 1}),
        request(MATCH, method="GET"),
        match(),
        match(),
        match(key="wrong"),
        control("clock/advance", {"seconds": 30}),
        match(),
        control("clock/advance", {"seconds": 31}),
        match(),
        request(LIVENESS, key=None, x_forwarded_for="198.51.100.1, 10.0.0.1"),
        request(LIVENESS, key=None, x_forwarded_for="198.51.100.2"),
    ),
    "order": (
        request(MATCH, method="GET", key="wrong"),
        files(key="mock-sandbox-key"),
        liveness(b"no picture", key="mock-sandbox-key"),
        control("ledger/balance", {"balance": "0.02"}),
        match(),
        files(("user_image", "a.gif", b"x")),
        liveness(b"no picture"),
    ),
    "paths": (
        request("/v3/face-mach/"),
        request("/v3/session/seven/decision/"),
        request("/v3/workflows/", method="GET"),
        request("/system/healthcheck", method="GET", key=None),
        request("/elsewhere"),
        refused(MATCH),
        refused("/__mock__/faults"),
    ),
    "faults": (
        *(answered(status) for status in (400, 401, 403, 404, 405, 415, 429, 503)),
        answered(502, "html"),
        answered(503, "json", body={"detail": "own"}),
        answered(200, "wrong_json"),
    ),
    **sessions.SCENARIOS,
    **accounts.SCENARIOS,
    **webhooks.SCENARIOS,
}


WAYS = (
    (SETTINGS, SCENARIOS),
    (deepvue.SETTINGS, deepvue.SCENARIOS),
    (compreface.SETTINGS, compreface.SCENARIOS),
    (azure.SETTINGS, azure.SCENARIOS),
    (rekognition.SETTINGS, rekognition.SCENARIOS),
)


def claims_of(steps, settings):
    """The claims that the answers to a scenario rest on, in a world of these settings."""
    engine, cited = didit.new_engine(**settings), set()
    for step in steps:
        answer = step(engine) if callable(step) else engine.handle(step)
        cited.update(answer.claims)
    return cited


@pytest.fixture(scope="module")
def cited():
    """The claims that some answer rests on."""
    return {
        claim
        for ways, scenarios in WAYS
        for settings in ways
        for steps in scenarios.values()
        for claim in claims_of(steps, settings)
    }


def test_every_claim_is_cited(cited):
    """At least one answer says that it rests on the claim."""
    assert not [claim.id for claim in all_claims() if claim.id not in cited]


def test_only_claims_are_cited(cited):
    """And none says that it rests on another one."""
    assert not cited - {claim.id for claim in all_claims()}
