"""A state at start: what a server begins with, and shows while it runs."""

import json

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.mock_didit import START

from facematch_core import open_verifier
from facematch_core.errors import InvalidRequest
from facematch_mock_server import Fault, MockServer, VirtualClock, make_card
from facematch_mock_server.faults import POSSIBLE

P1 = make_card("p1")
#: A state as a person writes it.
SHOP = {
    "format": 1,
    "accounts": {
        "main": {"faults": [{"stage": "answer", "kind": "status", "status": 503}]},
        "shop": {
            "latency": {"match": 0.001},
            "faults": [
                {"stage": "answer", "kind": "json", "status": 503, "body": {"detail": "Down."}}
            ],
            "vendors": {
                "didit": {
                    "edition": "2026-11",
                    "switches": {"price_match": "0.20"},
                    "balance": 1.25,
                    "limits": {"write": 2},
                    "keys": [
                        {"key": "shop-key-1"},
                        {"key": "shop-key-2", "allowed": False, "expires": "2026-12-31"},
                    ],
                    "outcomes": [{"kind": "match", "score": 12.5}],
                    "destinations": [{"url": "http://127.0.0.1:9/", "secret": "known to the app"}],
                    "sessions": [],
                },
                "deepvue": {
                    "keys": [{"key": "shop-secret"}],
                    "answers": [{"kind": "match", "fields": {"data": None}}],
                },
            },
        },
    },
}
BOTH = ["didit", "deepvue"]


def server(state, **more):
    return MockServer(vendor=BOTH, clock=VirtualClock(START), state=state, **more)


def after_a_round(state):
    """The state of a server that began with this one, by way of JSON."""
    return server(json.loads(json.dumps(state))).control.state()


def test_a_server_begins_with_a_state(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps(SHOP))
    for source in (SHOP, tmp_path / "state.json", str(tmp_path / "state.json")):
        with server(source) as mock:
            shop = mock.account("shop-key-1")
            assert (shop.name, shop.live_key) == ("shop", "shop-key-1")
            assert shop.of("deepvue").client_id == "mock-client-shop"
            control = shop.control
            assert (str(control.balance()), control.limits()["write"]) == ("1.25", 2)
            assert control.behaviours()["edition"] == "2026-11"
            (hook,) = control.webhooks.destinations()
            assert (hook.secret, hook.events) == ("known to the app", ("status.updated",))
            with open_verifier("didit", api_key="shop-key-1", base_url=mock.url) as verifier:
                with pytest.raises(Exception, match="Down"):
                    verifier.verify(P1, P1)
                assert verifier.verify(P1, P1).score.value == 12.5
            assert [str(charge.amount) for charge in control.charges()] == ["0.20"]
            assert shop.of("deepvue").control.answers.all()[0].fields == {"data": None}
            assert [fault.status for fault in mock.control.faults()] == [503]
            assert mock.new_account().control.behaviours()["edition"] == "2026-07"


def test_the_same_is_shown_in_python_and_over_http():
    with server(SHOP) as mock:
        shown = requests.get(f"{mock.control_url}state", timeout=10).json()
        assert shown == mock.control.state()
    shop = shown["accounts"]["shop"]
    assert shop["latency"] == {"match": [0.001, 0.001]}
    assert [key["key"] for key in shop["vendors"]["didit"]["keys"]] == ["shop-key-1", "shop-key-2"]
    assert shop["vendors"]["didit"]["balance"] == "1.2500"
    assert shop["vendors"]["didit"]["sessions"] == shop["vendors"]["deepvue"]["sessions"] == []
    assert shown["accounts"]["main"]["vendors"]["didit"]["keys"][0]["key"] == "mock-live-key"
    assert after_a_round(shown) == shown


def test_what_a_registration_opened_is_not_shown():
    with MockServer() as mock:
        child = mock.accounts.open("child", keys={}, parent=mock.accounts.main)
        assert child.name not in mock.control.state()["accounts"]


def test_to_show_a_state_makes_no_world():
    with server(SHOP) as mock:
        name = mock.new_account().name
        before = mock.control.state()["accounts"][name]
        assert [mock.accounts.get(name).find_world(vendor) for vendor in BOTH] == [None, None]
        for vendor in BOTH:
            mock.accounts.get(name).world(vendor)
        assert mock.control.state()["accounts"][name] == before
        assert before["vendors"]["didit"]["balance"] == "100.0000"


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | words,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=4,
).filter(lambda body: body is not None)


@st.composite
def faults(draw):
    stage = draw(st.sampled_from(list(POSSIBLE)[1:]))
    kind = draw(st.sampled_from(sorted(POSSIBLE[stage])))
    return Fault(
        stage=stage,
        kind=kind,
        times=draw(st.none() | st.integers(1, 9)),
        chance=draw(st.sampled_from([1, 1.0, 0.5, 0.1])),
        path=draw(st.sampled_from([None, "/v3/", "/v1/facematch"])),
        method=draw(st.sampled_from([None, "POST"])),
        seconds=draw(st.floats(0, 3600)),
        status=draw(st.integers(400, 599)),
        body=draw(bodies) if kind == "json" else None,
        headers={"Retry-After": draw(st.none() | st.integers(0, 9))} if stage == "answer" else None,
    )


scores = st.none() | st.floats(0, 100) | st.integers(0, 100)
outcomes = st.fixed_dictionaries(
    {"kind": st.just("liveness"), "times": st.none() | st.integers(1, 5)},
    optional={
        "score": scores,
        "attack": st.booleans(),
        "quality": st.floats(0, 100),
        "duplicate": st.sampled_from(["certain", "possible"]),
        "digest": st.just("ab" * 32),
    },
)
keys = st.fixed_dictionaries(
    {"key": st.text("abcdefgh", min_size=4, max_size=12)},
    optional={
        "kind": st.sampled_from(["live", "sandbox"]),
        "allowed": st.booleans(),
        "expires": st.dates(),
    },
)


@pytest.mark.slow
@settings(max_examples=60)
@given(data=st.data())
def test_a_state_makes_a_server_of_the_same_state(data):
    mock = MockServer(vendor=BOTH, clock=VirtualClock(START), seed=7)
    names = ["main", *data.draw(st.sampled_from([[], ["shop"], ["shop", "x.y_z-1"]]))]
    for name in names:
        account = mock.account("main") if name == "main" else mock.new_account(name)
        steer = account.control
        if data.draw(st.booleans()):
            switches = {"media_ttl_s": data.draw(st.integers(1, 99)), "in_review": True}
            steer.reset(edition="2026-03", switches=switches)
            more = {"match_from": data.draw(st.floats(0, 100)), "start_credit": "7.5"}
            account.of("deepvue").control.reset(switches=more)
        steer.add_faults(*data.draw(st.lists(faults(), max_size=3)))
        for outcome in data.draw(st.lists(outcomes, max_size=2)):
            steer.set_outcome(**outcome)
        steer.set_balance(data.draw(st.decimals(0, 10**6, places=4)))
        steer.set_limits({"write": data.draw(st.none() | st.integers(0, 900))})
        steer.set_latency("match", data.draw(st.floats(0, 3600)))
        for key in data.draw(st.lists(keys, max_size=2)):
            key["key"] += name
            text = steer.add_key(key.pop("kind", "live"), **key)
            if data.draw(st.booleans()):
                steer.revoke_key(text)
        if data.draw(st.booleans()):
            steer.webhooks.add("http://127.0.0.1:9/hook", events=["data.updated"], enabled=False)
        if data.draw(st.booleans()):
            steer = account.of("deepvue").control
            steer.answers.set("match", {"data": data.draw(bodies)}, without=["code"], times=None)
            steer.add_key(client="another", key=f"deepvue-{name}") if name == "main" else None
    state = mock.control.state()
    assert [*state["accounts"]] == names
    assert after_a_round(state) == state
    # The second server has made no call less ready: what is shown is enough.
    assert server(state).control.state() == state


def shop(**part):
    return {"format": 1, "accounts": {"shop": part}}


def didit(**part):
    return shop(vendors={"didit": part})


ANSWER = {"stage": "answer", "kind": "status"}


@pytest.mark.parametrize(
    ("state", "place"),
    [
        ({}, "format is missing"),
        ({"format": 2}, "reads the format 1, not 2"),
        ({"format": True}, "reads the format 1, not True"),
        ({"format": 1, "account": {}}, "'account' is not known here"),
        ({"format": 1, "accounts": {"a b": {}}}, "accounts.a b: an account's name"),
        (shop(fault=[]), "accounts.shop: 'fault' is not known here"),
        (
            shop(vendors={"didit": {"sessions": [{}]}}),
            "accounts.shop.vendors.didit.sessions[0]: this version begins without sessions",
        ),
        (shop(faults={}), "accounts.shop: faults must be a list of objects"),
        (
            shop(faults=[ANSWER, ANSWER, {**ANSWER, "stage": "answers"}]),
            "accounts.shop.faults[2]: the stage of a fault must be one of",
        ),
        (shop(faults=[{**ANSWER, "path": "/v9/"}]), "accounts.shop.faults[0]: the path of no"),
        (shop(faults=[{"stage": "connect", "kind": "reset"}]), "accounts.shop.faults[0]: a fault"),
        (shop(latency={"read": 1}), "accounts.shop.latency.read: there is no operation read"),
        (shop(latency={"match": "soon"}), "accounts.shop.latency.match: must be a number"),
        (shop(vendors={"azure": {}}), "vendors.azure: the vendors of this server are didit, deep"),
        (didit(edition="1999"), "accounts.shop.vendors.didit: there is no edition 1999"),
        (didit(switches={"x": 1}), "vendors.didit: there is no switch x"),
        (didit(balance="-1"), "vendors.didit.balance: an amount must be between"),
        (didit(limits={"push": 1}), "vendors.didit.limits: there is no rate limit push"),
        (didit(keys=[{}]), "vendors.didit.keys[0]: key is missing"),
        (didit(keys=[{"key": " x"}]), "vendors.didit.keys[0]: a key must be printable"),
        (didit(keys=[{"key": "x", "kind": "gold"}]), "vendors.didit.keys[0]: kind of a key"),
        (didit(keys=[{"key": "x", "client": "y"}]), "keys[0]: a key of this vendor has no client"),
        (didit(keys=[{"key": "x", "expires": "soon"}]), "keys[0]: expires must be a date"),
        (didit(outcomes=[{"kind": "match", "score": 300}]), "outcomes[0]: score of an outcome"),
        (didit(outcomes=[{"kind": "match", "review": True}]), "outcomes[0]: the edition 2026-07"),
        (didit(destinations=[{"url": "http://a.example/"}]), "destinations[0]: url must be"),
        (didit(destinations=[{"events": []}]), "destinations[0]: url is missing"),
        (didit(sessions=[{"id": "1"}]), "sessions[0]: 'id' is not known here"),
        ({"format": "1"}, "reads the format 1, not"),
        (didit(keys=[{"key": "k-1"}, {"key": "k-1"}]), "vendors.didit: keys has a key twice"),
        (didit(outcomes=[{"kind": "match", "digests": 5}]), "digests of an outcome must be a list"),
        (didit(outcomes=[{"kind": "match", "digests": ["a", "c"]}]), "(SHA-256), not 'a'"),
        (didit(keys=[{"key": "k", "kind": "gold"}]), "must be live or sandbox, not 'gold'"),
        (
            didit(destinations=[{"url": "http://127.0.0.1:9/", "secret": "\ud800"}]),
            "destinations[0]: secret must be whole characters",
        ),
        (
            {
                "format": 1,
                "accounts": {
                    "main": {"faults": [{"stage": "connect", "kind": "reset", "times": None}]}
                },
            },
            "accounts.main.faults[0]: a fault at connect without an end",
        ),
        (
            {
                "format": 1,
                "accounts": {n: didit(keys=[{"key": "k"}])["accounts"]["shop"] for n in "ab"},
            },
            "accounts.b",
        ),
    ],
)
def test_a_mistake_is_a_sentence_with_its_place(state, place):
    with pytest.raises(ValueError) as refused:
        server(state)
    assert str(refused.value).startswith("the state is wrong")
    assert place in str(refused.value)


@pytest.mark.parametrize("place", ["key", "client", "account", "name", "secret"])
def test_no_mistake_repeats_a_key(place):
    key = "mock-live-key" if place == "account" else "s3cret-key-1"
    state = {
        "key": didit(keys=[{"key": [key]}]),
        "client": didit(keys=[{"key": "x", "client": [key]}]),
        "account": {"format": 1, "accounts": {key: {}}},
        "name": didit(keys=[{key: "x"}]),
        "secret": didit(destinations=[{"url": "http://127.0.0.1:9/", "secret": [key]}]),
    }[place]
    with pytest.raises(ValueError) as refused:
        server(state)
    assert key not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"format": 1, "format": 1}',
        "",
        "{",
        "[]",
        '{"format": 1e99999999999999999999}',
        "[" * 99999,
    ],
)
def test_a_file_that_holds_no_state_is_refused(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ValueError, match="the state is wrong"):
        server(tmp_path / "state.json")
    with pytest.raises(InvalidRequest):
        server(tmp_path / "none.json")
