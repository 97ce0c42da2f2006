"""What the vendor's documents say of its answers, where the mock once said something else."""

import io
import re

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_didit import MATCH_THRESHOLD, liveness, match, picture, request
from kit.mock_didit_accounts import ANNA, ME, opened, register, verify, with_token
from kit.mock_didit_sessions import listed, nth, sent
from kit.mock_worlds import control_of
from PIL import Image

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.claims import Known
from facematch_mock_server.vendors import all_claims, explain

P1 = card_sheet()["p1"].data


def flat():
    """A picture of nobody."""
    data = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 80, 70)).save(data, "PNG")
    return data.getvalue()


FLAT = flat()
MB = 1024 * 1024
TOO_LARGE = ["File size should not exceed 5 MB"]


def of_size(megabytes):
    """A picture of that size."""
    return picture() + b" " * (megabytes * MB)


# Sizes


@pytest.mark.parametrize("key", ["mock-live-key", "mock-sandbox-key"])
@pytest.mark.parametrize(
    ("sizes", "fields"),
    [
        ((17, 0), {"user_image"}),
        ((0, 17), {"ref_image"}),
        ((9, 9), {"user_image", "ref_image"}),
        ((5, 0), {"user_image"}),
    ],
)
def test_a_file_that_is_too_large_is_refused_by_its_field(key, sizes, fields):
    """400 above 5 MB, for a sandbox key, too; a page of HTML is for what nobody would send."""
    engine = didit.new_engine()
    answer = engine.handle(match(*map(of_size, sizes), key=key))
    assert (answer.status, answer.json()) == (400, dict.fromkeys(fields, TOO_LARGE))
    assert engine.world.ledger.entries == ()


# Types of what is told


@pytest.mark.parametrize("seen", [{}, {"faces": 0}, {"score": None}])
def test_the_score_of_a_row_is_a_number(seen):
    """A session without one has no such key."""
    engine = didit.new_engine()
    engine.handle(liveness(picture(**seen)))
    (row,) = engine.handle(listed()).json()["results"]
    details = row["additional_details"]["liveness"]
    assert details == ({} if seen else {"score": 92.12})


def test_the_texts_of_a_review_are_texts():
    """Of one without a comment, too."""
    engine = didit.new_engine()
    engine.handle(match())
    session = nth(engine, 1)
    control_of(engine.world).sessions.decide(session, "Declined")
    (note,) = engine.handle(sent(f"/v3/session/{session}/decision/")).json()["reviews"]
    assert {type(note[name]) for name in ("user", "new_status", "comment", "created_at")} == {str}


@pytest.mark.parametrize("microsecond", [0, 999, 104_233, 999_999])
def test_the_time_of_the_health_check(ask, microsecond):
    """Milliseconds and Z."""
    clock = didit.VirtualClock(didit.START.replace(microsecond=microsecond))
    body = ask(request("/system/healthcheck", method="GET", key=None), clock=clock)[1]
    assert re.fullmatch(r"2026-07-02T09:15:27\.\d{3}Z", body["timestamp"])


def test_accounts_tell_whom_to_write_to_and_the_key():
    """As the verification-management skill has it."""
    engine = didit.new_engine()
    engine.handle(register())
    made = verify()(engine).json()
    (organization,) = with_token()(engine).json()
    assert organization["contact_email"] == ANNA
    assert organization["uuid"] == made["organization"]["uuid"] == opened(engine).organization
    path = f"{ME}{organization['uuid']}/applications/{made['application']['uuid']}/"
    application = with_token(path)(engine).json()
    assert application["api_key"] == made["application"]["api_key"]
    assert engine.handle(listed(key=application["api_key"])).status == 200


@pytest.mark.parametrize(
    "step",
    [
        match(),
        match(key="wrong"),
        match(**{MATCH_THRESHOLD: "x"}),
        listed(),
        sent("/v3/billing/balance/"),
        request("/v3/nothing/"),
    ],
    ids=["200", "403", "400", "list", "balance", "404"],
)
def test_only_a_429_tells_of_limits(ask, step):
    """The page on rate limiting says so."""
    names = [name.lower() for name, _ in ask(step)[2].headers]
    assert not [name for name in names if "ratelimit" in name or name == "retry-after"]


def test_what_is_not_imitated_names_what_is(ask):
    """Whoever asks for workflows learns what there is."""
    for path in ("/v3/workflows/", "/v3/face-search/", "/v3/age-estimation/", "/v3/blocklist/"):
        said = ask(request(path, method="GET"))[1]["mock"]
        for word in (path, "face match", "passive liveness", "webhooks"):
            assert word in said


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v3/face-match/", "POST"),
        ("/v3/passive-liveness/", "POST"),
        ("/v3/sessions/", "GET, HEAD"),
        ("/v3/billing/balance/", "GET, HEAD"),
    ],
)
def test_every_path_tells_its_methods(ask, path, methods):
    """200 for whoever has a key; nothing is charged or refused."""
    status, _, response = ask(request(path, method="OPTIONS"))
    assert status == 200
    assert response.header("Allow") == f"{methods}, OPTIONS"


# Where it is said


def ids(*names):
    """Claims of Didit by name; ``*`` stands for anything."""
    known = [claim for claim in all_claims("didit") if claim.vendor == "didit"]
    found = []
    for name in names:
        pattern = re.compile(re.escape(f"didit.{name}").replace(r"\*", ".*"))
        mine = [claim for claim in known if pattern.fullmatch(claim.id)]
        assert mine, name
        found += mine
    return found


MANAGEMENT = "verification-management skill"
RATE_PAGE = "rate limiting"
SOURCES = [
    (("register.answer", "token.lifetime_s", "verify.answer"), MANAGEMENT),
    (("rate.window_s",), RATE_PAGE),
    (("fields.refused", "auth.words.session", "auth.other_owner", "decision.answer"), "OpenAPI"),
    (("credit.price.match",), "overview"),
]
NOT_DOCUMENTED = (
    *("resend.answer", "resend.wait_s", "code.lifetime_s", "register.password"),
    *("register.reserved.*", "register.broken", "order.credit.*", "warning.words"),
    *("credit.price.liveness", "billing.page", "auth.words.401*", "decision.saved", "list.saved"),
)


@pytest.mark.parametrize(
    ("claim", "source"),
    [(claim, source) for names, source in SOURCES for claim in ids(*names)],
    ids=lambda one: getattr(one, "id", None),
)
def test_a_claim_names_the_document_that_says_it(claim, source):
    """Whoever looks there finds it."""
    assert claim.origin.known is Known.DOCUMENTED
    assert source in claim.origin.document


@pytest.mark.parametrize("claim", ids(*NOT_DOCUMENTED), ids=lambda claim: claim.id)
def test_what_no_document_says_is_not_called_documented(claim):
    """It is observed, or ours."""
    assert claim.origin.known in (Known.OURS, Known.OBSERVED)


@pytest.mark.parametrize(
    ("claim", "switch"),
    [
        ("didit.liveness.quality_risks.none", "quality_warnings"),
        ("didit.entity.keys.five", "entity_race"),
    ],
)
def test_what_only_an_edition_sets_is_not_told_as_a_switch(claim, switch):
    """A switch that is told as one can be set."""
    (line,) = (line for line in explain(claim).splitlines() if switch in line)
    assert line.endswith("(set by the edition)")
    with pytest.raises(ValueError, match=f"no switch {switch}"):
        didit.new_world(switches={switch: True})
    boundary = explain("didit.match.boundary.exclusive")
    assert "boundary = " in boundary
    assert "set by the edition" not in boundary


def test_a_checkout_address_says_that_it_is_the_mocks():
    """And that there is no page."""
    (claim,) = ids("billing.page")
    assert "at the mock, and there is none" in claim.statement


# Scores that nobody should take for a comparison of faces


HINT = "X-Facematch-Hint"


@pytest.mark.parametrize("vendor", ["didit", "deepvue"])
def test_a_score_by_bytes_says_so(vendor):
    """Two photographs of one person are two files; of test cards and outcomes nothing is said."""
    with MockServer(vendor=vendor, seed=1) as mock:
        other = P1[:-12] + b"\0" * 8 + P1[-12:]
        for files, told in (((P1, P1), False), ((FLAT, FLAT), True), ((FLAT, other), False)):
            hint = compared(mock, *files).headers.get(HINT, "")
            assert ("--engine local" in hint) == told
        mock.control.set_outcome("match", score=80)
        assert HINT not in compared(mock, FLAT, FLAT).headers


def test_what_has_no_score_has_no_hint(mock_of_didit):
    """A refusal, a sandbox key, a picture without a face."""
    assert HINT not in compared(mock_of_didit, FLAT, FLAT, key="wrong").headers
    assert HINT not in compared(mock_of_didit, FLAT, FLAT, key="mock-sandbox-key").headers
    assert HINT not in compared(mock_of_didit, b"x", FLAT).headers


@pytest.fixture
def mock_of_didit():
    """A running one."""
    with MockServer(seed=1) as mock:
        yield mock


def compared(mock, probe, reference, key=None):
    """The answer of either vendor to a comparison."""
    key = key or mock.live_key
    if mock.vendors == ("didit",):
        files = {"user_image": ("a.png", probe), "ref_image": ("b.png", reference)}
        headers = {"x-api-key": key}
        return requests.post(f"{mock.url}{didit.MATCH}", headers=headers, files=files, timeout=10)
    pair = {"client_id": "mock-client", "client_secret": key}
    token = requests.post(f"{mock.url}/v1/authorize", data=pair, timeout=10).json()
    headers = {"Authorization": f"Bearer {token['access_token']}", "x-api-key": key}
    files = {"file_a": ("a.png", probe), "file_b": ("b.png", reference)}
    return requests.post(f"{mock.url}/v1/facematch", headers=headers, files=files, timeout=10)
