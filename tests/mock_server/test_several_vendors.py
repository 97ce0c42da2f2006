"""Several vendors on one port: what they share, and what each has for itself."""

from decimal import Decimal

import pytest
from kit.mock_world import P1, P2, control_request, multipart, request_to
from vendors import deepvue, didit

from facematch_mock_server import MockServer

BOTH = ("didit", "deepvue")


class Two:
    """A server of both vendors, and a call to each."""

    def __init__(self, **more):
        self.server = MockServer(**{"vendor": BOTH, "seed": 5, **more})
        self.didit, self.deepvue = (self.server.of(name).control for name in BOTH)
        self.token = deepvue.token_of(self.server.app)

    def ask_didit(self, **more):
        files = [("user_image", "a.png", P1), ("ref_image", "b.png", P2)]
        sent = request_to(didit.MATCH_PATH, *multipart((), files), **more)
        return self.server.app.handle(sent)

    def ask_deepvue(self, **more):
        sent = deepvue.deepvue_match(P1, P2, names=("a.png", "b.png"), token=self.token, **more)
        return self.server.app.handle(sent)


@pytest.fixture
def two():
    return Two()


def test_vendors_share_no_keys_credit_limits_sessions_or_outcomes(two):
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


def test_host_header_selects_the_vendor_before_the_path(two):
    hosts = {"verification.didit.me": "didit", "production.deepvue.tech:443": "deepvue"}
    for host, vendor in hosts.items():
        for path in ("/v1/nothing", "/v3/nothing/", "/nothing"):
            two.server.app.handle(request_to(path, host=host))
            assert two.didit.journal()[-1].vendor == vendor


def ask(two, path, body=None):
    answer = two.server.app.handle(control_request(path, body))
    return answer.status, answer.json()


def test_control_api_of_each_vendor_is_under_its_name(two):
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
    reply = ask(two, "deepvue/keys", {"key": "second-secret", "client": "second"})
    assert reply == (200, {"key": "second-secret"})
    assert ask(two, "deepvue/keys")[1]["keys"][1]["client"] == "second"


def test_unsupported_control_feature_raises_attribute_error(two):
    with pytest.raises(AttributeError, match=r"deepvue has no webhooks; it has tokens"):
        _ = two.deepvue.webhooks
    with pytest.raises(AttributeError, match="didit has no tokens"):
        _ = two.didit.tokens
    with pytest.raises(LookupError, match="no such vendor; it has didit, deepvue"):
        two.server.of("acme")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"vendor": "acme"}, "unknown vendor acme"),
        ({"switches": {"price_match": 0.05}}, "with at most four decimals, as text"),
        ({"switches": {"price_match": "-1"}}, "from 0 to 1e12"),
        ({"control_token": "short"}, "at least 8 characters"),
        ({"vendor": ()}, "at least one"),
        ({"engine": "gpu"}, "engine must be cards or local, not 'gpu'"),
        ({"vendor": ("didit", "didit")}, "given twice"),
        ({"vendor": BOTH, "switches": {"acme.x": 1}}, "unknown vendor acme"),
        ({"vendor": BOTH, "switches": {"token_life_s": 1, "deepvue.token_life_s": 1}}, "twice"),
    ],
)
def test_invalid_server_setting_is_rejected_with_the_reason(settings, words):
    with pytest.raises(ValueError, match=words):
        MockServer(**settings)


@pytest.mark.parametrize(
    ("switches", "vendors"),
    [
        ({"price_match": "0.06"}, {"didit", "deepvue"}),
        ({"deepvue.price_match": "0.06"}, {"deepvue"}),
        ({"deepvue": {"price_match": "0.06"}}, {"deepvue"}),
    ],
)
def test_switch_without_a_vendors_name_is_for_each_that_has_it(switches, vendors):
    two = Two(switches=switches)
    two.ask_didit()
    two.ask_deepvue()
    controls = {"didit": two.didit, "deepvue": two.deepvue}
    changed = {
        name
        for name, control in controls.items()
        if Decimal("0.06") in [charge.amount for charge in control.charges()]
    }
    assert changed == vendors


def test_server_attributes_belong_to_its_first_vendor():
    mock = MockServer()
    mock.control.set_balance(7)
    assert mock.of("didit").control.balance() == 7
    keys = {"didit": ("mock-sandbox-key", None), "deepvue": (None, "mock-client")}
    for name, expected in keys.items():
        alone = MockServer(vendor=name)
        for place in (alone, alone.of(name)):
            assert (place.sandbox_key, place.client_id) == expected
            assert place.live_key == "mock-live-key"
    # A failing test prints it: no key.
    assert repr(MockServer(vendor=BOTH)) == "MockServer(didit, deepvue)"
