"""Several vendors on one port: what they share, and what each has for itself."""

import json

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit

from facematch_mock_server import Fault, MockServer, card_sheet
from facematch_mock_server.vendors import choose_each, vendor_named

BOTH = ("didit", "deepvue")
P1, P2 = card_sheet()["p1"].data, card_sheet()["p2"].data


class Two:
    """A server of both vendors, and a call to each."""

    def __init__(self, **more):
        self.server = MockServer(**{"vendor": BOTH, "seed": 5, **more})
        self.didit, self.deepvue = (self.server.of(name).control for name in BOTH)
        self.token = deepvue.token_of(self.server.app)

    def ask_didit(self, **more):
        files = [("user_image", "a.png", P1), ("ref_image", "b.png", P2)]
        sent = didit.request(didit.MATCH, *didit.multipart((), files), **more)
        return self.server.app.handle(sent)

    def ask_deepvue(self, **more):
        sent = deepvue.match(P1, P2, names=("a.png", "b.png"), token=self.token, **more)
        return self.server.app.handle(sent)


@pytest.fixture
def two():
    """A server of both vendors."""
    return Two()


def test_both_answer_on_one_port():
    """Each at its own paths, with its own key; over HTTP and by the adapter."""
    with MockServer(vendor=BOTH) as mock:
        served = mock.of("deepvue")
        assert (served.url, mock.vendors) == (mock.url, BOTH)
        assert served.control_url == f"{mock.url}/__mock__/deepvue/"
        pair = {"client_id": served.client_id, "client_secret": served.live_key}
        for base in (mock.url, "https://production.deepvue.tech"):
            session = requests.Session()
            session.mount("https://production.deepvue.tech", mock.adapter())
            answer = session.post(f"{base}/v1/authorize", data=pair, timeout=10)
            headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            headers["x-api-key"] = served.live_key
            files = {"file_a": ("a.png", P1), "file_b": ("b.png", P1)}
            answer = session.post(f"{base}/v1/facematch", headers=headers, files=files, timeout=10)
            assert answer.json()["data"]["match"] is True
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        answer = requests.post(
            f"{mock.url}/v3/face-match/",
            headers={"x-api-key": mock.live_key},
            files=files,
            timeout=10,
        )
        assert answer.json()["face_match"]["status"] == "Approved"
        assert [len(mock.of(name).control.charges()) for name in BOTH] == [1, 2]


def test_what_each_has_for_itself(two):
    """Keys, credit, limits, sessions and outcomes of one are nothing to the other."""
    two.didit.set_outcome("match", score=99)
    assert two.ask_deepvue().json()["data"]["match"] is False
    assert two.ask_didit().json()["face_match"]["score"] == 99
    two.deepvue.set_outcome("match", score=77)
    assert two.ask_didit().json()["face_match"]["score"] < 21
    assert two.ask_deepvue().json()["data"]["confidence"] == 77
    two.didit.set_limit("write", 0)
    two.didit.set_balance(0)
    two.didit.revoke_key("mock-live-key")
    assert two.ask_deepvue().status == 200
    assert two.ask_didit().status == 429
    assert len(two.didit.sessions.all()) == 2
    assert "sessions" not in two.deepvue.extensions
    assert [len(control.charges()) for control in (two.didit, two.deepvue)] == [2, 3]


def test_what_they_share(two):
    """Clock, faults and journal, whoever is asked for them."""
    assert two.didit.advance(60) == two.deepvue.now()
    two.deepvue.add_fault(Fault(stage="answer", kind="status", status=503, times=None))
    assert two.didit.faults() == two.deepvue.faults()
    for sent, words in (
        (didit.request(didit.MATCH), "Server Error"),
        (deepvue.request(deepvue.MATCH), "Source Unav"),
    ):
        answer = two.server.app.handle(sent)
        assert answer.status == 503
        assert words in answer.body.decode()
    two.ask_didit()
    two.ask_deepvue()
    assert two.didit.journal() == two.deepvue.journal()
    assert [entry.vendor for entry in two.didit.journal()][-2:] == list(BOTH)


def test_a_fault_can_be_aimed_at_one(two):
    """By the beginning of its paths."""
    two.didit.add_fault(Fault(stage="answer", kind="status", status=500, path="/v3/"))
    assert two.server.app.handle(deepvue.request()).status != 500
    assert two.server.app.handle(didit.request()).status == 500


def test_a_reset_is_for_all_and_its_switches_for_one(two):
    """The other one begins again as it was settled."""
    two.deepvue.reset(switches={"bad_token": 401})
    for control in (two.didit, two.deepvue):
        assert (control.journal(), control.charges(), control.outcomes()) == ((), (), ())
    assert two.ask_deepvue().status == 401
    two.didit.set_outcome("match", score=3)
    two.deepvue.set_outcome("match", score=3)
    two.didit.reset(edition="2026-03")
    assert two.deepvue.behaviours()["switches"] == {"bad_token": 401}
    assert (two.didit.outcomes(), two.deepvue.outcomes()) == ((), ())
    assert two.ask_deepvue().status == 401
    two.ask_didit()
    with pytest.raises(ValueError, match="no switch boundary"):
        two.deepvue.reset(switches={"boundary": "inclusive"})
    assert len(two.didit.journal()) == 2


def test_a_host_goes_before_a_path(two):
    """A request that names a vendor's own host is that vendor's, whatever its path."""
    for host, vendor in (
        ("verification.didit.me", "didit"),
        ("production.deepvue.tech:443", "deepvue"),
    ):
        for path in ("/v1/nothing", "/v3/nothing/", "/nothing"):
            two.server.app.handle(didit.request(path, host=host))
            assert two.didit.journal()[-1].vendor == vendor


def test_a_path_of_nobody(two):
    """Names the one that was meant, of any vendor."""
    for path, meant in (("/liveness", "/v1/liveness-check"), ("/face-match/", "/v3/face-match/")):
        assert meant in two.server.app.handle(didit.request(path)).json()["mock"]


def ask(two, path, body=None):
    """A verb of the control API: status and body."""
    answer = two.server.app.handle(didit.control(path, body))
    return answer.status, answer.json()


def test_control_over_http(two):
    """Below the prefix for the first vendor, and below its name for each."""
    assert ask(two, "")[1]["vendors"] == list(BOTH)
    assert ask(two, "deepvue")[1]["vendor"] == "deepvue"
    verbs = ask(two, "deepvue/")[1]["operations"]
    assert {"POST /__mock__/deepvue/tokens/revoke", "GET /__mock__/deepvue/ledger"} <= set(verbs)
    assert not [verb for verb in verbs if "webhooks" in verb]
    assert ask(two, "didit/ledger") == ask(two, "ledger")
    assert ask(two, "deepvue/ledger/balance", {"balance": "1"}) == (200, {"balance": "1.0000"})
    assert two.deepvue.balance() == 1
    assert two.didit.balance() == 100
    assert ask(two, "deepvue/tokens")[1]["asked"] == 1
    assert ask(two, "deepvue/tokens/revoke", {}) == (200, {"revoked": 1})
    two.deepvue.answers.set("match", {"data": None})
    assert ask(two, "deepvue/answers")[1]["answers"][0]["fields"] == {"data": None}
    assert ask(two, "deepvue/answers/clear", {}) == (200, {})
    made = ask(two, "deepvue/keys", {"key": "second-secret", "client": "second"})
    assert made == (200, {"key": "second-secret"})
    assert ask(two, "deepvue/keys")[1]["keys"][1]["client"] == "second"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("deepvue/webhooks/due", None, 404, "There is no /__mock__/deepvue/webhooks/due"),
        ("tokens", None, 404, "There is no /__mock__/tokens"),
        ("acme/ledger", None, 404, "There is no /__mock__/acme/ledger"),
        ("deepvue/tokens/revoke", {"x": 1}, 400, "'x' is not known here"),
        ("deepvue/answers", {}, 400, "kind is missing"),
        ("deepvue/answers", {"kind": "match", "without": "data"}, 400, "list of strings"),
        ("deepvue/answers", {"kind": "match", "fields": 3}, 400, "must be an object"),
        ("deepvue/answers/clear", {"x": 1}, 400, "'x' is not known here"),
        ("keys", {"client": "x"}, 400, "client must be a string"),
    ],
)
def test_a_verb_that_is_refused(two, path, body, status, words):
    """One sentence says why."""
    code, said = ask(two, path, body)
    assert code == status
    assert words in said["mock"]


def test_what_a_vendor_has_not(two):
    """Is no attribute of its control, and the sentence says what there is."""
    with pytest.raises(AttributeError, match=r"deepvue has no webhooks; it has tokens, answers"):
        _ = two.deepvue.webhooks
    with pytest.raises(AttributeError, match="didit has no tokens"):
        _ = two.didit.tokens
    with pytest.raises(LookupError, match="no vendor acme; it has didit, deepvue"):
        two.server.of("acme")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vendor": ()}, "at least one"),
        ({"vendor": "acme"}, "known: .*deepvue, didit"),
        ({"vendor": ("didit", "didit")}, "named twice"),
        ({"vendor": BOTH, "switches": {"acme.x": 1}}, "no vendor acme"),
        ({"vendor": BOTH, "switches": {"acme": {"x": 1}}}, "no vendor acme"),
        ({"vendor": BOTH, "switches": {"deepvue.x": 1}}, "no switch x"),
        ({"vendor": BOTH, "switches": {"x": 1}}, "there are auth_errors"),
        ({"vendor": BOTH, "switches": {"plan": "none", "deepvue": {"plan": "none"}}}, "twice"),
        ({"vendor": BOTH, "edition": {"acme": "1"}}, "no vendor acme"),
        ({"vendor": BOTH, "edition": {"deepvue": "2026-07"}}, "no edition 2026-07"),
    ],
)
def test_a_server_that_cannot_be_made(settings, words):
    """One sentence says why."""
    with pytest.raises(ValueError, match=words):
        MockServer(**settings)


def test_whose_switch_it_is():
    """Of the first vendor that has it; by name with a dot, or in a mapping."""
    kinds = [vendor_named(name) for name in BOTH]
    switches = {"bad_token": 401, "start_credit": 1, "deepvue.start_credit": 2}
    for given_switches in (
        switches,
        {"didit": {"start_credit": 1}, "deepvue": {"bad_token": 401, "start_credit": 2}},
    ):
        chosen = choose_each(kinds, "2026-07", given_switches)
        assert chosen["didit"].switches == {"start_credit": 1}
        assert chosen["deepvue"].switches == {"bad_token": 401, "start_credit": 2}
        assert chosen["didit"].edition == "2026-07"
        assert chosen["deepvue"].edition == kinds[1].default_edition


@given(
    switches=st.dictionaries(
        st.sampled_from(["start_credit", "didit", "deepvue", "x", "deepvue.start_credit", "."]),
        st.integers(0, 9)
        | st.dictionaries(st.sampled_from(["start_credit", "x"]), st.integers(0, 9)),
    ),
    edition=st.sampled_from([None, "2026-07", "x"]) | st.dictionaries(st.just("didit"), st.text()),
)
def test_any_settings_are_shared_out_or_refused(switches, edition):
    """No value is lost, none goes to two."""
    try:
        chosen = choose_each([vendor_named(name) for name in BOTH], edition, switches)
    except ValueError:
        return
    count = sum(len(value) if isinstance(value, dict) else 1 for value in switches.values())
    assert sum(len(one.switches) for one in chosen.values()) == count


def test_one_vendor_is_as_ever():
    """The attributes of a server are those of its first vendor."""
    mock = MockServer()
    mock.control.set_balance(7)
    assert mock.of("didit").control.balance() == 7
    assert (mock.of("didit").sandbox_key, mock.of("didit").client_id) == ("mock-sandbox-key", None)
    alone = MockServer(vendor="deepvue")
    assert (alone.of("deepvue").sandbox_key, alone.live_key) == (None, "mock-live-key")
    assert alone.control.behaviours()["vendor"] == "deepvue"
    assert repr(MockServer(vendor=BOTH)) == "MockServer(didit, 2026-07, deepvue, 2026-11)"
    assert json.loads(json.dumps(alone.control.behaviours()))["editions"] == ["2026-11"]
