"""The engine: routing, marks, limits, faults and the journal."""

import logging

import pytest
from kit import mock_didit as didit
from kit.mock_didit import LIVENESS, MATCH, control, liveness, match, multipart, picture, request
from kit.mock_worlds import app_of, control_of, struck_by, world_of

import facematch_core
from facematch_core.http import MOCK_HEADER
from facematch_mock_server import journal
from facematch_mock_server.app import CLAIMS_HEADER
from facematch_mock_server.faults import Fault
from facematch_mock_server.messages import Head
from facematch_mock_server.vendors import all_claims

LIMIT = 64 * 1024 * 1024


@pytest.mark.parametrize(
    "sent",
    [match(), match(key="x"), request("/v3/x/"), request("/x"), control("clock"), control("x")],
)
def test_every_answer_is_marked(sent):
    """Version and claims stand in side headers; the control API has no claims."""
    response = didit.new_engine().handle(sent)
    assert response.header(MOCK_HEADER) == facematch_core.__version__
    named = response.header(CLAIMS_HEADER)
    assert (named or "").split(", ") == list(response.claims or [""])
    assert set(response.claims) <= {claim.id for claim in all_claims()}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/face-match/", "/v3/face-match/"),
        ("/v2/face-match/", "/v3/face-match/"),
        ("/__mock/journal", "/__mock__/journal"),
        ("/", "/v3/"),
    ],
)
def test_a_path_outside_names_the_one_that_was_meant(path, meant):
    """404 in our words."""
    response = didit.new_engine().handle(request(path))
    assert response.status == 404
    assert meant in response.json()["mock"]
    assert "mock.elsewhere" in response.claims


def test_the_same_seed_gives_the_same_bytes():
    """Two worlds of one seed answer alike, to the byte."""
    steps = [match(), liveness(), match(picture(score=3), key="mock-sandbox-key"), request("/x")]
    one, two = didit.new_engine(), didit.new_engine()
    assert [one.handle(step) for step in steps] == [two.handle(step) for step in steps]


def head(path, length):
    """The head of a request with a declared length."""
    return Head(method="POST", target=path, headers=(("Content-Length", length),))


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        (MATCH, str(LIMIT), None),
        (MATCH, str(LIMIT + 1), 413),
        ("/x", str(LIMIT + 1), 413),
        ("/__mock__/faults", str(2**20 + 1), 413),
        ("/__mock__/faults", str(2**20), None),
        (MATCH, "9" * 5000, 413),
        (MATCH, "many", None),
        (MATCH, "", None),
    ],
)
def test_a_length_over_the_limit_is_refused_early(path, length, status):
    """413 in words of ours, without the body."""
    engine = didit.new_engine()
    response = engine.refuse_early(head(path, length))
    assert (response and response.status) == status
    if response:
        assert any(claim.startswith("mock.limit.") for claim in response.claims)
        assert response.header(MOCK_HEADER)
        assert engine.world.account.journal.entries[-1].status == 413


def test_a_body_that_grew_over_the_limit():
    """The same answer as for a declared one."""
    engine = didit.new_engine()
    assert engine.max_body_bytes(head(MATCH, "0")) == LIMIT
    assert engine.too_large(head(MATCH, "0")) == engine.refuse_early(head(MATCH, str(LIMIT + 1)))


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
def test_a_fault_in_the_vendors_words(status, body, claim):
    """A status that a test asks for comes as the vendor words it, and carries nothing out."""
    engine = didit.new_engine()
    sent = request(MATCH, b"x", "x/y")
    response = struck_by(engine, Fault(stage="answer", kind="status", status=status), sent)
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
@pytest.mark.parametrize("path", [MATCH, "/v3/elsewhere"])
def test_a_fault_in_our_words(kind, status, claim, media, path):
    """What the vendor does not document is ours, and says so."""
    fault = Fault(stage="answer", kind=kind, status=status, path=path)
    response = struck_by(didit.new_engine(), fault, request(path))
    assert (response.status, response.header("Content-Type")) == (status, media)
    assert claim in response.claims
    assert response.header(MOCK_HEADER)


def test_the_faults_are_those_of_the_world():
    """Also after a reset."""
    engine = didit.new_engine()
    engine.account.faults.add(Fault(stage="connect", kind="reset"))
    control_of(engine.world).reset()
    assert engine.at_connection() is None
    engine.account.faults.add(Fault(stage="connect", kind="reset"))
    assert engine.at_connection() is not None


def test_an_entry_of_the_journal():
    """Fields, files and claims; no picture, no key, no secret."""
    engine = didit.new_engine()
    fields = {"vendor_data": "e" * 100, "api_token": "s3cr3t", "metadata": "{}"}
    probe = picture(secret="pixels")
    response = engine.handle(match(probe, **fields))
    (entry,) = engine.world.account.journal.entries
    assert (entry.method, entry.path, entry.status) == ("POST", MATCH, 200)
    assert (entry.vendor, entry.key, entry.at) == ("didit", "live", didit.START)
    assert entry.fields == {
        "vendor_data": "e" * 79 + "…",
        "api_token": "***",
        "metadata": "{}",
    }
    assert [(f.field, f.name, f.size) for f in entry.files] == [
        ("user_image", "probe.jpg", len(probe)),
        ("ref_image", "reference.png", len(picture())),
    ]
    assert all(len(file.digest) == 64 for file in entry.files)
    assert entry.claims == response.claims
    shown = repr(entry) + repr(entry.to_dict())
    assert not any(secret in shown for secret in ("pixels", "s3cr3t", "mock-live-key"))


@pytest.mark.parametrize(
    ("key", "word"),
    [("mock-live-key", "live"), ("mock-sandbox-key", "sandbox"), ("x", "wrong"), (None, "none")],
)
def test_the_journal_tells_the_kind_of_key(key, word):
    """Never the key."""
    engine = didit.new_engine()
    engine.handle(match(key=key))
    assert engine.world.account.journal.entries[-1].key == word


def test_the_journal_tells_what_was_malformed():
    """The vendor answers as if parts were missing; the journal says why they are."""
    engine = didit.new_engine()
    body, content_type = multipart([("vendor_data", "x")])
    engine.handle(request(MATCH, body[:-12], content_type))
    assert engine.world.account.journal.entries[-1].note.startswith("form: ")


def test_the_journal_is_bounded_and_without_control(monkeypatch):
    """The newest stay; looking does not change what is looked at."""
    monkeypatch.setattr(journal, "KEPT", 3)
    engine = didit.new_engine()
    for number in range(5):
        engine.handle(request(f"/v3/{number}/"))
        engine.handle(control("journal"))
    assert [entry.path for entry in engine.world.account.journal.entries] == [
        "/v3/2/",
        "/v3/3/",
        "/v3/4/",
    ]


def test_what_a_front_notes():
    """A front's own doing is an entry without a status."""
    engine = didit.new_engine()
    engine.note(Head(method="", target=""), "fault: connect reset")
    (entry,) = engine.world.account.journal.entries
    assert (entry.status, entry.note) == (None, "fault: connect reset")


def test_without_digests():
    """Nothing is digested where that is switched off."""
    engine = didit.new_engine(digests=False)
    engine.handle(match())
    assert {file.digest for file in engine.world.account.journal.entries[0].files} == {None}
    assert set(engine.world.sessions.all()[0].pictures.values()) == {None}


def test_a_broken_decider_is_not_hidden(caplog):
    """What the decider raises is handed on to the front, which answers 500."""
    caplog.set_level(logging.CRITICAL)
    with pytest.raises(RuntimeError):
        didit.new_engine().handle(liveness(b"broken decider"))


def test_a_world_decides_by_cards_unless_told_otherwise():
    """Without a decider the mock has its own, which is handed the digests."""
    engine = app_of(world_of(seed=1, clock=didit.VirtualClock(didit.START)))
    same = engine.handle(match(b"no picture", b"no picture")).json()
    assert same["face_match"]["warnings"][0]["risk"] == "NO_REFERENCE_IMAGE"
    assert engine.handle(liveness(b"no picture")).status == 400
    engine.handle(request(LIVENESS))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vendor": "acme"}, "no vendor acme"),
        ({"edition": "2020-01"}, "no edition 2020-01"),
        ({"switches": {"bondary": "exclusive"}}, "no switch bondary"),
        ({"switches": {"boundary": "fuzzy"}}, "takes one of inclusive, exclusive"),
        ({"switches": {"echo_fields": 1}}, "takes one of False, True"),
        ({"switches": {"write_limit": -1}}, "a whole number from 0"),
        ({"switches": {"size_limit_bytes": 0}}, "a whole number from 1"),
        ({"switches": {"price_match": 0.05}}, "with at most four decimals, as text"),
        ({"switches": {"price_match": "-1"}}, "from 0 to 1e12"),
        ({"switches": {"price_match": "0.00001"}}, "at most four decimals"),
        ({"switches": {"price_match": "x"}}, "with at most four decimals, as text"),
        ({"control_token": "short"}, "at least 8 characters"),
    ],
)
def test_a_world_that_cannot_be(settings, words):
    """One sentence says what was wrong."""
    with pytest.raises(ValueError, match=words):
        didit.new_world(**settings)
