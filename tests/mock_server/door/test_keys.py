"""The program's own key, which a door with `any_key` makes one of the mock's."""

import base64
import importlib
from urllib.parse import quote

import attrs
import pytest
from kit.mock_world import P1, START
from kit.of_vendors import of_vendors
from vendors import (
    alibaba,
    azure,
    baidu,
    compreface,
    deepface,
    deepvue,
    onfido,
    persona,
    rekognition,
    stripe,
    sumsub,
    tencent,
)
from vendors.didit import match_request

from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.base.messages import Request
from facematch_mock_server.door.keys import accept_key
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.keys import KeyKind

#: The keys of CompreFace are UUIDs.
KEY = "3f0c9a62-94f3-4c0f-9d55-0e3a3c1b7a11"
CLIENT = "AKIAOFTHEPROGRAM0000"
BAIDU_KEY = f"bce-v3/ALTAK-{CLIENT}/{KEY}"


class Door:
    """A mock of one vendor, asked as through a door; with `any_key` unless it is switched off."""

    def __init__(self, vendor, *, any_key=True, **settings):
        self.server = MockServer(vendor=vendor, clock=VirtualClock(START), **settings)
        self.control = self.server.of(vendor).control
        self.vendor = vendor
        self.any_key = any_key

    def handle(self, request):
        if self.any_key:
            request = accept_key(self.server, self.vendor, request)
        return self.server.app.handle(request)

    def accepts(self, request):
        response = self.handle(request)
        # Some vendors refuse with 200.
        return response.status < 300 and self.control.journal()[-1].key != "wrong"

    def knows_key(self, request):
        """Return whether the mock knows the key, whatever else it answers."""
        self.handle(request)
        return self.control.journal()[-1].key in list(KeyKind)


#: The program's client id at each vendor whose requests are signed.
CLIENTS = {
    "alibaba": CLIENT,
    "rekognition": CLIENT,
    "tencent": CLIENT,
    "sumsub": "sbx:token-of-the-program",
    **of_vendors("OWN_CLIENT"),
}


def signed_request(vendor, key):
    """Return a call that is signed with the key of the program's client id."""
    client = CLIENTS[vendor]
    match vendor:
        case "rekognition":
            return rekognition.signed_request(rekognition.pair(P1, P1), key=client, secret=key)
        case "alibaba":
            return alibaba.liveness_request(P1, key_id=client, secret=key)
        case "tencent":
            return tencent.liveness_request(P1, secret_id=client, secret_key=key)
        case "sumsub":
            return sumsub.link(how={"token": client, "key": key})
    (call,) = of_vendors("own_key_calls")[vendor](client, key)
    return call


#: Vendors and a call with the program's own key.
CALLS = [(vendor, signed_request(vendor, KEY)) for vendor in CLIENTS]
CALLS += [
    ("alibaba", alibaba.signed_by_version_2(alibaba.pair(P1, P1), key_id=CLIENT, secret=KEY)),
    ("didit", match_request(P1, P1, key=KEY)),
    ("azure", azure.detect_request(P1, key=KEY)),
    ("compreface", compreface.verification_request(P1, P1, key=KEY)),
    ("deepface", deepface.verify_request(P1, P1, token=KEY)),
    ("deepvue", deepvue.authorize(CLIENT, KEY)),
    ("baidu", baidu.match(P1, P1, authorization=f"Bearer {BAIDU_KEY}")),
    ("baidu", baidu.login(client_id=CLIENT, client_secret=KEY)),
    ("baidu", baidu.login(in_form=True, client_id=CLIENT, client_secret=KEY)),
    ("onfido", onfido.ask(onfido.APPLICANTS, onfido.NAME, token=KEY)),
    ("persona", persona.persona_request(key=KEY)),
    ("stripe", stripe.stripe_request(key=KEY)),
]
for _vendor, _calls_of in of_vendors("own_key_calls").items():
    if _vendor not in CLIENTS:
        CALLS += [(_vendor, call) for call in _calls_of(CLIENT, KEY)]


def test_each_vendor_with_keys_has_a_call():
    with_keys = {name for name in vendor_names() if vendor_named(name).first_keys}
    assert {vendor for vendor, _ in CALLS} == with_keys


@pytest.mark.parametrize(("vendor", "request_"), CALLS, ids=[vendor for vendor, _ in CALLS])
def test_programs_own_key_is_accepted_only_with_any_key(vendor, request_):
    switches = {"auth": "token"} if vendor == "deepface" else {}
    door = Door(vendor, switches=switches)
    assert door.accepts(request_)
    # Alibaba accepts a nonce once.
    assert door.accepts(request_) is (vendor != "alibaba")
    door = Door(vendor, switches=switches, any_key=False)
    assert not door.accepts(request_)
    # By this the door knows that it has to name the option.
    assert door.control.journal()[-1].key == "wrong"


def strange(text):
    """Return a key of the same form that no mock knows."""
    return f"{text[:-3]}0b0"


def with_strange_keys(request, vendor):
    """Return a request with the program's own keys in place of the mock's, wherever they stand."""
    known = dict.fromkeys(vendor.first_keys) | dict.fromkeys(
        key.client for key in vendor.first_keys.values() if key.client
    )

    def replaced(text):
        for key in known:
            text = text.replace(key, strange(key)).replace(quote(key, ""), quote(strange(key), ""))
        return text

    headers = []
    for name, value in request.headers:
        scheme, _, credentials = value.partition(" ")
        if scheme == "Basic":
            decoded = replaced(base64.b64decode(credentials).decode())
            credentials = base64.b64encode(decoded.encode()).decode()
            headers.append((name, f"Basic {credentials}"))
        else:
            headers.append((name, replaced(value)))
    path, mark, query = request.target.partition("?")
    body = replaced(bytes(request.body).decode("latin-1")).encode("latin-1")
    return attrs.evolve(
        request, target=f"{path}{mark}{replaced(query)}", headers=tuple(headers), body=body
    )


def accepted_requests(name):
    """Return the calls of a vendor's scenarios whose key its mock accepts, one of each form."""
    by_form = {}
    for scenario in importlib.import_module(f"vendors.{name}").scenarios():
        for step in scenario.steps:
            if not isinstance(step, Request) or step.is_for_mock:
                continue
            door = Door(name, any_key=False, switches=scenario.switches)
            if with_strange_keys(step, vendor_named(name)) == step or not door.knows_key(step):
                continue
            head = {key: value.partition(" ")[0] for key, value in step.headers}
            has_query = "?" in step.target
            form = (step.method, step.path, has_query, *sorted(head), head.get("authorization"))
            by_form.setdefault(form, (step, scenario.switches))
    return list(by_form.values())


@pytest.mark.parametrize("name", [name for name in vendor_names() if vendor_named(name).first_keys])
def test_strange_key_is_accepted_in_every_form_that_the_mock_takes(name):
    requests = accepted_requests(name)
    assert requests
    for request, switches in requests:
        strange_request = with_strange_keys(request, vendor_named(name))
        assert Door(name, switches=switches).knows_key(strange_request), strange_request
        assert not Door(name, any_key=False, switches=switches).knows_key(strange_request)


def test_key_of_a_login_is_accepted_by_the_calls_that_follow():
    door = Door("deepvue")
    token = door.handle(deepvue.authorize(CLIENT, KEY)).json()["access_token"]
    assert door.accepts(deepvue.deepvue_match(P1, P1, token=token, key=KEY))
    door = Door("baidu")
    token = door.handle(baidu.login(client_id=CLIENT, client_secret=KEY)).json()["access_token"]
    assert door.handle(baidu.match(P1, P1, token=token)).json()["error_code"] == 0


@pytest.mark.parametrize("vendor", CLIENTS)
def test_request_that_is_signed_again_keeps_its_other_headers(vendor):
    """Such as the host, which a link to a hosted session begins with."""
    request = signed_request(vendor, KEY)
    signed_again = accept_key(MockServer(vendor=vendor), vendor, request)
    assert signed_again != request
    assert signed_again.header("host") == request.header("host")
    assert signed_again.body == request.body


@pytest.mark.parametrize("vendor", CLIENTS)
def test_known_access_key_still_needs_its_secret(vendor):
    door = Door(vendor)
    door.control.add_key(key="right-secret", client=CLIENTS[vendor])
    assert not door.accepts(signed_request(vendor, "wrong-secret"))
    assert door.accepts(signed_request(vendor, "right-secret"))


@pytest.mark.parametrize(
    ("vendor", "request_", "kind"),
    [
        ("persona", persona.persona_request(key="persona_sandbox_of-the-program"), "sandbox"),
        ("persona", persona.persona_request(key="persona_production_of-the-program"), "live"),
        ("stripe", stripe.stripe_request(key="sk_test_of-the-program"), "sandbox"),
        ("stripe", stripe.stripe_request(key="rk_live_of-the-program"), "live"),
        ("sumsub", sumsub.create(token="sbx:of-the-program", key=KEY), "sandbox"),
        ("sumsub", sumsub.create(token="prd:of-the-program", key=KEY), "live"),
    ],
)
def test_programs_own_key_of_a_sandbox_opens_the_sandbox(vendor, request_, kind):
    door = Door(vendor)
    assert door.accepts(request_)
    assert door.control.journal()[-1].key == kind


def test_revoked_key_stays_refused_and_an_accounts_key_stays_the_accounts():
    door = Door("didit")
    assert door.accepts(match_request(key="my-key"))
    door.control.revoke_key("my-key")
    assert not door.accepts(match_request(key="my-key"))
    account = door.server.new_account()
    assert door.handle(match_request(P1, P1, key=account.live_key)).status == 200
    assert len(account.control.charges()) == 1


def test_text_that_is_another_vendors_key_is_accepted():
    server = MockServer(vendor=["didit", "azure"])
    server.of("azure").control.add_key(key=KEY)
    request = match_request(P1, P1, key=KEY)
    assert server.app.handle(accept_key(server, "didit", request)).status == 200
