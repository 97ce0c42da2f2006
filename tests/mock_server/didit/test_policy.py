"""What warnings do to a verdict, as somebody set it: policies by tag, and review bands by score."""

import attrs
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server import MockServer, card_sheet

URL = "http://127.0.0.1:1"
SANDBOX = MockServer.sandbox_key
P1 = card_sheet()["p1"].data
EFFECTS = ("approve", "review", "decline")
STATUSES = dict(zip(EFFECTS, ("Approved", "In Review", "Declined"), strict=True))
TYPES = dict(zip(EFFECTS, ("information", "warning", "error"), strict=True))

SIMILARITY, NO_FACE = "LOW_FACE_MATCH_SIMILARITY", "NO_FACE_DETECTED"
NO_REFERENCE = "NO_REFERENCE_IMAGE"
LOW, ATTACK, MANY = "LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK", "MULTIPLE_FACES_DETECTED"
QUALITY, DARK, BRIGHT = "LOW_FACE_QUALITY", "LOW_FACE_LUMINANCE", "HIGH_FACE_LUMINANCE"
LISTED, LIKE_LISTED = "FACE_IN_BLOCKLIST", "POSSIBLE_FACE_IN_BLOCKLIST"
TWICE, LIKE_TWICE = "DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"

PATHS = {
    "match": ("/v3/face-match/", "face_match"),
    "liveness": ("/v3/passive-liveness/", "liveness"),
}
#: One outcome for each tag: the call, what is found, and the edition that warns of it.
CAUSES = {
    SIMILARITY: ("match", {"score": 3}, "2026-07"),
    LOW: ("liveness", {"score": 3}, "2026-07"),
    ATTACK: ("liveness", {"attack": True}, "2026-07"),
    MANY: ("liveness", {"faces": 2}, "2026-07"),
    NO_FACE: ("liveness", {"faces": 0}, "2026-07"),
    QUALITY: ("liveness", {"quality": 1}, "2026-03"),
    DARK: ("liveness", {"luminance": 1}, "2026-03"),
    BRIGHT: ("liveness", {"luminance": 99}, "2026-03"),
    LISTED: ("liveness", {"blocklist": "certain"}, "2026-07"),
    LIKE_LISTED: ("liveness", {"blocklist": "possible"}, "2026-07"),
    TWICE: ("liveness", {"duplicate": "certain"}, "2026-07"),
    LIKE_TWICE: ("liveness", {"duplicate": "possible"}, "2026-07"),
}


def session_of(mock):
    """A session of requests that asks this mock without a socket."""
    session = requests.Session()
    session.mount(URL, mock.adapter())
    return session


def ask(mock, call="liveness", *, key=MockServer.live_key, fields=None, **found):
    """One call, for which `found` is what the pictures show; its block, its id and its claims.

    It is not saved unless `fields` say so.
    """
    fields = {"save_api_request": "false", **(fields or {})}
    if found:
        mock.control.set_outcome("match" if call == "match" else "liveness", **found)
    path, block = PATHS[call]
    files = {"user_image": ("a.png", P1)}
    if call == "match":
        files["ref_image"] = ("b.png", P1)
    with session_of(mock) as session:
        answer = session.post(URL + path, headers={"x-api-key": key}, files=files, data=fields)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body[block], body["request_id"], answer.headers["X-Facematch-Claims"]


def policy(mock, body=None, path="policy"):
    """Status and answer of the control API: POST with a body, else GET."""
    with session_of(mock) as session:
        url = f"{URL}/__mock__/{path}"
        answer = session.get(url) if body is None else session.post(url, json=body)
    return answer.status_code, answer.json()


def types(block):
    """The type of each warning, by tag."""
    return {one["risk"]: one["log_type"] for one in block["warnings"]}


# One tag


def test_every_tag_that_may_be_set_is_tried():
    """So that a new one gets a line above."""
    known = set(MockServer().control.behaviours()["policies"])
    assert known == {*CAUSES, NO_REFERENCE}


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("tag", CAUSES)
def test_the_effect_of_a_tag(tag, effect):
    """It decides the status and the type of the warning; nothing else changes, and all pay."""
    call, found, edition = CAUSES[tag]
    default = ask(MockServer(edition=edition, seed=4), call, **found)[0]
    mock = MockServer(edition=edition, seed=4, policy={tag: effect})
    block, name, claims = ask(mock, call, **found)
    assert block["status"] == STATUSES[effect]
    assert types(block) == {tag: TYPES[effect]}
    assert "didit.policy.effect" in claims
    assert [charge.request_id for charge in mock.control.charges()] == [name]
    for one in (default, block):
        del one["status"], one["warnings"][0]["log_type"]
    assert block == default


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize(("edition", "tag"), [("2026-03", NO_FACE), ("2026-07", NO_REFERENCE)])
def test_a_comparison_without_a_face(edition, tag, effect):
    """Its tag differs by edition, and both may be set."""
    mock = MockServer(edition=edition, policy={tag: effect})
    block = ask(mock, "match", score=None)[0]
    assert (block["status"], types(block)) == (STATUSES[effect], {tag: TYPES[effect]})


def test_a_warning_that_does_not_come_has_no_effect():
    """A policy makes no warnings."""
    mock = MockServer(policy=dict.fromkeys(MockServer().control.behaviours()["policies"], "review"))
    for call in PATHS:
        block, _, claims = ask(mock, call)
        assert (block["status"], block["warnings"]) == ("Approved", [])
        assert "policy." not in claims


def test_a_card_that_asks_for_a_person():
    """Is In Review where the edition has it, unless a warning declines."""
    files = dict.fromkeys(("user_image", "ref_image"), ("a.png", card_sheet()["review"].data))
    with session_of(
        mock := MockServer(edition="2026-03", policy={SIMILARITY: "approve"})
    ) as session:
        headers = {"x-api-key": mock.live_key}
        path, block = PATHS["match"]
        answer = session.post(URL + path, headers=headers, files=files).json()
    assert answer[block]["status"] == "In Review"
    mock.control.set_policy({SIMILARITY: "decline"})
    assert ask(mock, "match", score=3)[0]["status"] == "Declined"


def test_a_session_in_review_goes_on(mock_in_review):
    """It is kept, listed and decided like every other one."""
    mock, name = mock_in_review
    (session,) = mock.control.sessions.all()
    assert (session.id, session.status) == (name, "In Review")
    url = f"{URL}/v3/session/{name}"
    with session_of(mock) as client:
        client.headers["x-api-key"] = mock.live_key
        assert client.get(f"{url}/decision/").json()["status"] == "In Review"
        rows = client.get(f"{URL}/v3/sessions/?status=In Review").json()["results"]
        assert [row["session_id"] for row in rows] == [name]
        answer = client.patch(f"{url}/update-status/", json={"new_status": "Approved"})
        assert answer.status_code == 200
        assert client.get(f"{url}/decision/").json()["status"] == "Approved"


@pytest.fixture
def mock_in_review():
    """A mock with one comparison that a person is to look at, and its id."""
    mock = MockServer(policy={SIMILARITY: "review"})
    _, name, _ = ask(mock, "match", fields={"save_api_request": "true"}, score=3)
    return mock, name


# Review bands


@pytest.mark.parametrize(
    ("score", "status", "tags"),
    [
        (0, "Declined", {LOW: "error"}),
        (30, "Declined", {LOW: "error"}),
        (30.01, "In Review", {LOW: "warning"}),
        (69.99, "In Review", {LOW: "warning"}),
        (70, "In Review", {LOW: "warning"}),
        (70.004, "In Review", {LOW: "warning"}),
        (70.01, "Approved", {}),
        (100, "Approved", {}),
        (None, "Declined", {LOW: "error"}),
    ],
)
def test_a_band(score, status, tags):
    """What passes with a score up to it is In Review; what does not pass is Declined as ever."""
    mock = MockServer(review_bands={"liveness": 70})
    block, _, claims = ask(mock, score=score)
    assert (block["status"], types(block)) == (status, tags)
    assert ("didit.policy.band" in claims) == (status == "In Review")


def test_a_band_begins_where_a_call_says():
    """The threshold of the call decides what passes."""
    mock = MockServer(review_bands={"liveness": 70})
    for threshold, status in (("69", "In Review"), ("70", "Declined"), ("0", "In Review")):
        fields = {"face_liveness_score_decline_threshold": threshold}
        assert ask(mock, fields=fields, score=70)[0]["status"] == status


def test_a_band_is_of_liveness_checks_alone():
    """A comparison has none."""
    mock = MockServer(review_bands={"liveness": 70})
    assert ask(mock, "match", score=60)[0]["status"] == "Approved"


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_policy_goes_before_a_band(effect):
    """Whoever says what the tag does means it in the band, too."""
    mock = MockServer(review_bands={"liveness": 70}, policy={LOW: effect})
    for score in (10, 50):
        block = ask(mock, score=score)[0]
        assert (block["status"], types(block)) == (STATUSES[effect], {LOW: TYPES[effect]})


def test_no_band_without_a_face():
    """There is no score to compare."""
    block = ask(MockServer(review_bands={"liveness": 100}), faces=0)[0]
    assert (block["status"], types(block)) == ("Declined", {NO_FACE: "error"})


# All together


@attrs.frozen
class Found:
    """What a liveness check finds."""

    cents: int
    faces: int
    attack: bool
    blocklist: str | None
    duplicate: str | None


#: What a tag does where nothing is set, and its type then.
DEFAULTS = {
    LOW: ("decline", "error"),
    ATTACK: ("decline", "error"),
    MANY: ("approve", "warning"),
    LISTED: ("decline", "error"),
    LIKE_LISTED: ("decline", "error"),
    TWICE: ("approve", "information"),
    LIKE_TWICE: ("approve", "information"),
}


def model(found, effects, band):
    """Status and types of a liveness check in July 2026, threshold 30."""
    in_band = band is not None and 3000 < found.cents <= band * 100
    there = {
        LOW: found.cents <= 3000 or in_band,
        ATTACK: found.attack,
        MANY: found.faces > 1,
        LISTED: found.blocklist == "certain",
        LIKE_LISTED: found.blocklist == "possible",
        TWICE: found.duplicate == "certain",
        LIKE_TWICE: found.duplicate == "possible",
    }
    kinds, done = {}, {"approve"}
    for tag in (tag for tag in DEFAULTS if there[tag]):
        effect, kind = DEFAULTS[tag]
        if tag == LOW and in_band:
            effect, kind = "review", "warning"
        if tag in effects:
            effect, kind = effects[tag], TYPES[effects[tag]]
        kinds[tag] = kind
        done.add(effect)
    return STATUSES[max(done, key=EFFECTS.index)], kinds


LIKENESS = st.sampled_from([None, "certain", "possible"])
FOUND = st.builds(
    Found,
    cents=st.integers(0, 10_000) | st.sampled_from([2999, 3000, 3001, 7000, 7001]),
    faces=st.integers(1, 3),
    attack=st.booleans(),
    blocklist=LIKENESS,
    duplicate=LIKENESS,
)


@given(
    found=FOUND,
    effects=st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.sampled_from(EFFECTS)),
    band=st.none() | st.sampled_from([0, 30, 70, 100]) | st.integers(0, 100),
)
def test_the_highest_effect_wins(found, effects, band):
    """Decline before review before approve, whatever comes together."""
    mock = MockServer(policy=effects, review_bands=None if band is None else {"liveness": band})
    seen = {name: value for name, value in attrs.asdict(found).items() if value is not None}
    block = ask(mock, score=seen.pop("cents") / 100, **seen)[0]
    assert (block["status"], types(block)) == model(found, effects, band)


@given(cents=st.integers(0, 10_000), effect=st.none() | st.sampled_from(EFFECTS))
def test_a_comparison_declines_up_to_its_threshold(cents, effect):
    """And does what was set there, and nothing above."""
    mock = MockServer(policy={} if effect is None else {SIMILARITY: effect})
    block = ask(mock, "match", score=cents / 100)[0]
    assert block["status"] == ("Approved" if cents > 3000 else STATUSES[effect or "decline"])


# Whom it is for


def test_a_sandbox_key_knows_no_policy():
    """It approves, whatever was set and whatever the pictures show."""
    tags = MockServer().control.behaviours()["policies"]
    mock = MockServer(policy=dict.fromkeys(tags, "decline"), review_bands={"liveness": 100})
    for call in PATHS:
        block, _, claims = ask(mock, call, key=SANDBOX)
        assert (block["status"], block["warnings"]) == ("Approved", [])
        assert "policy." not in claims


@pytest.mark.parametrize("vendor", [["didit", "deepvue"], ["deepvue", "didit"]])
def test_of_several_vendors(vendor):
    """The one that has policies is meant, wherever it stands; the others have none."""
    mock = MockServer(vendor=vendor, policy={LOW: "review"}, review_bands={"liveness": 50})
    didit, deepvue = mock.of("didit").control, mock.of("deepvue").control
    assert (didit.policy(), didit.bands()) == ({LOW: "review"}, {"liveness": 50})
    assert (deepvue.policy(), deepvue.bands()) == ({}, {})
    with pytest.raises(ValueError, match="known tags: none"):
        deepvue.set_policy({LOW: "review"})
    assert policy(mock, path="didit/policy")[1]["effects"] == {LOW: "review"}
    assert policy(mock, {"effects": {LOW: None}}, "didit/policy")[1]["effects"] == {}
    assert policy(mock, {"effects": {LOW: "review"}}, "deepvue/policy")[0] == 400


def test_servers_share_nothing():
    """Each has its own."""
    given = {LOW: "review"}
    one, other = MockServer(policy=given), MockServer(policy=given)
    one.control.set_policy({LOW: "approve"})
    assert (other.control.policy(), given) == ({LOW: "review"}, {LOW: "review"})
    one.control.policy()[MANY] = "decline"
    assert one.control.policy() == {LOW: "approve"}


# Set, read and begun again


def test_set_while_it_runs():
    """The next call follows; None is the vendor's default again."""
    mock = MockServer()
    assert (mock.control.policy(), mock.control.bands()) == ({}, {})
    for effect in (*EFFECTS, None):
        mock.control.set_policy({MANY: effect})
        status = STATUSES[effect or "approve"]
        assert ask(mock, faces=2)[0]["status"] == status
    for band in (80, 40, None):
        mock.control.set_band("liveness", band)
        assert ask(mock, score=60)[0]["status"] == ("In Review" if band == 80 else "Approved")
    assert (mock.control.policy(), mock.control.bands()) == ({}, {})


def test_over_http():
    """POST changes what is named, and both tell what was set."""
    mock = MockServer()
    assert policy(mock) == (200, {"effects": {}, "bands": {}})
    body = {"effects": {MANY: "decline", LOW: "approve"}, "bands": {"liveness": 70.5}}
    assert policy(mock, body) == (200, body)
    assert policy(mock) == (200, body)
    assert (mock.control.policy(), mock.control.bands()) == (body["effects"], body["bands"])
    assert ask(mock, faces=2)[0]["status"] == "Declined"
    less = {"effects": {MANY: None}, "bands": {"liveness": None}}
    assert policy(mock, less) == (200, {"effects": {LOW: "approve"}, "bands": {}})
    assert policy(mock, {}) == (200, {"effects": {LOW: "approve"}, "bands": {}})


@pytest.mark.parametrize("how", ["python", "http"])
def test_reset_brings_back_what_the_server_began_with(how):
    """What was set since then is gone, in another edition, too."""
    first = {"policy": {LOW: "review", MANY: "decline"}, "review_bands": {"liveness": 60}}
    mock = MockServer(**first)
    for edition in (None, "2026-11"):
        mock.control.set_policy({LOW: "approve", MANY: None, ATTACK: "review"})
        mock.control.set_band("liveness", None)
        if how == "python":
            mock.control.reset(edition=edition)
        else:
            assert policy(mock, {} if edition is None else {"edition": edition}, "reset")[0] == 200
        assert mock.control.policy() == first["policy"]
        assert mock.control.bands() == first["review_bands"]
        assert ask(mock, faces=2)[0]["status"] == "Declined"


# What is refused

#: policy, bands, and what the sentence names
WRONG = [
    ({"LOW_SCORE": "review"}, {}, ("LOW_SCORE", LOW, SIMILARITY)),
    ({"": "review"}, {}, (LOW, SIMILARITY)),
    ({LOW.lower(): "review"}, {}, (LOW.lower(), LOW)),
    ({LOW: "refuse"}, {}, ("approve, review, decline",)),
    ({LOW: "Review"}, {}, ("approve, review, decline",)),
    ({LOW: ""}, {}, ("approve, review, decline",)),
    ({}, {"match": 70}, ("match", "liveness")),
    ({}, {"": 70}, ("liveness",)),
    ({}, {"liveness": -0.1}, ("band", "from 0 to 100")),
    ({}, {"liveness": 100.1}, ("band", "from 0 to 100")),
]
#: What a command line cannot say.
WRONG_KINDS = [
    ({LOW: 1}, {}, ("approve, review, decline",)),
    ({LOW: ["review"]}, {}, ("approve, review, decline",)),
    ({}, {"liveness": "70"}, ("band", "from 0 to 100")),
    ({}, {"liveness": True}, ("band", "from 0 to 100")),
    ({}, {"liveness": [1]}, ("band", "from 0 to 100")),
]


def is_a_sentence(text, named):
    """Whether it is one line of a readable length that names what it should."""
    return "\n" not in text and 10 < len(text) < 500 and all(one in text for one in named)


@pytest.mark.parametrize(("effects", "bands", "named"), WRONG + WRONG_KINDS)
def test_a_wrong_word_is_a_value_error(effects, bands, named):
    """Of the server and of its control; then nothing was changed."""
    with pytest.raises(ValueError) as refused:
        MockServer(policy=effects, review_bands=bands)
    assert is_a_sentence(str(refused.value), named), refused.value
    mock = MockServer(policy={MANY: "review"}, review_bands={"liveness": 40})
    with pytest.raises(ValueError) as refused:
        mock.control.set_policy({MANY: "decline", **effects})
        mock.control.set_band(*next(iter(bands.items())))
    assert is_a_sentence(str(refused.value), named), refused.value
    assert mock.control.bands() == {"liveness": 40}
    assert mock.control.policy() == {MANY: "review" if effects else "decline"}
    mock.stop()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_band_is_a_finite_number(number):
    """JSON has no other ones."""
    with pytest.raises(ValueError, match="band"):
        MockServer(review_bands={"liveness": number})


@pytest.mark.parametrize(("effects", "bands", "named"), WRONG + WRONG_KINDS)
def test_a_wrong_word_is_a_400(effects, bands, named):
    """One sentence; then nothing was changed, not even what was right."""
    mock = MockServer()
    body = {"effects": {MANY: "decline", **effects}, "bands": {"liveness": 40, **bands}}
    status, said = policy(mock, body)
    assert (status, list(said)) == (400, ["mock"])
    assert is_a_sentence(said["mock"], named), said
    assert policy(mock) == (200, {"effects": {}, "bands": {}})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"policy": {}}, "this takes effects, bands"),
        ({"effects": [LOW]}, "effects must be an object"),
        ({"effects": "review"}, "effects must be an object"),
        ({"bands": 70}, "bands must be an object"),
        ([LOW], "not a JSON object"),
    ],
)
def test_a_body_of_another_shape(body, words):
    """400, by name."""
    status, said = policy(MockServer(), body)
    assert status == 400
    assert words in said["mock"]
