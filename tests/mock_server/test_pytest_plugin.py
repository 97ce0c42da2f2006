"""The pytest fixtures, `didit_server` and the like, as other people's test suites use them."""

import asyncio
import http.client
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import httpx
import pytest
import requests
import urllib3
from kit.mock_world import P1
from vendors.didit import post_match

from facematch_core import Charged, VendorUnavailable, open_verifier
from facematch_mock_server import MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names

DIDIT = "https://verification.didit.me"
PATH = "/v3/face-match/"


def post(url, mock, session=requests):
    return post_match(url, mock.live_key, session=session)


def test_requests_to_didits_own_hosts_reach_the_mock(didit_mock):
    assert post(DIDIT, didit_mock).json()["face_match"]["status"] == "Approved"
    with requests.Session() as session:
        assert post(DIDIT.upper().replace("HTTPS", "https"), didit_mock, session).ok
    assert len(didit_mock.control.charges()) == 2
    of_accounts = requests.post("https://apx.didit.me/auth/v2/programmatic/register/", timeout=10)
    assert of_accounts.status_code == 404
    assert of_accounts.headers["X-Facematch-Mock"]


@pytest.mark.parametrize("name", vendor_names())
def test_each_vendor_with_hosts_has_the_fixture_of_its_own_address(request, name):
    if vendor_named(name).hosts:
        assert request.getfixturevalue(f"{name}_mock").world.vendor.name == name
        return
    with pytest.raises(pytest.fail.Exception, match=f"use {name}_server"):
        request.getfixturevalue(f"{name}_mock")


@pytest.mark.parametrize("fixture", ["didit_mock", "didit_server"])
def test_a_stopped_mock_is_an_outage_that_costs_nothing(request, fixture):
    mock = request.getfixturevalue(fixture)
    settings = {"base_url": mock.url} if fixture == "didit_server" else {}
    with open_verifier("didit", api_key=mock.live_key, **settings) as verifier:
        mock.stop()
        for _ in range(2):
            with pytest.raises(VendorUnavailable) as caught:
                verifier.verify(P1, P1)
            assert caught.value.billing.charged is Charged.NO
            assert caught.value.retryable
    assert mock.control.journal() == mock.control.charges() == ()
    mock.start()
    assert post(mock.url if settings else DIDIT, mock).ok


def test_one_test_can_use_fixtures_of_several_vendors(deepvue_server, deepvue_mock, didit_mock):
    pair = {"client_id": "mock-client", "client_secret": deepvue_mock.live_key}
    for address in ({"base_url": deepvue_server.url}, {}):
        with open_verifier("deepvue", **pair, **address) as verifier:
            assert verifier.verify(P1, P1).is_match
    assert post(DIDIT, didit_mock).ok
    for mock in (deepvue_server, deepvue_mock, didit_mock):
        assert len(mock.control.charges()) == 1


# In a test run of its own

#: The plug-ins, and what lets both packages import their names late.
SMALL = {
    "facematch_core",
    "facematch_core._version",
    "facematch_core.base",
    "facematch_core.base.lazy",
    "facematch_mock_server",
    "facematch_mock_server.pytest_plugin",
}
#: Files in the order in which they are run.
SUITE = {
    "test_1_plain.py": f"""
import sys

def test_a_suite_without_a_fixture_loads_nothing():
    ours = {{name for name in sys.modules if name.startswith("facematch")}}
    assert ours <= {SMALL}
    assert not {{"requests", "PIL", "numpy", "httptools", "stevedore"}} & set(sys.modules)
""",
    "test_2_without_the_extra.py": """
import sys
import pytest

@pytest.fixture
def without(monkeypatch):
    monkeypatch.setitem(sys.modules, "httptools", None)

def test_without_the_extra(without, didit_server): pass
""",
    "helpers.py": """
import os, pathlib

def ask(mock, url="https://verification.didit.me"):
    import requests
    card = pathlib.Path(os.environ["CARD"]).read_bytes()
    files = {"user_image": ("a.png", card), "ref_image": ("b.png", card)}
    headers = {"x-api-key": mock.live_key}
    return requests.post(url + "/v3/face-match/", files=files, headers=headers, timeout=9)

def down(**more):
    from facematch_mock_server import Fault
    return Fault(stage="answer", kind="status", status=503, **more)
""",
    "test_3_worlds.py": """
import pytest
from helpers import ask

@pytest.mark.parametrize("number", range(2))
def test_server(didit_server, number):
    assert didit_server.control.journal() == ()
    didit_server.control.set_outcome("match", score=number, times=None)
    assert ask(didit_server, didit_server.url).json()["face_match"]["score"] == number
    assert len(didit_server.control.charges()) == 1

@pytest.mark.parametrize("number", range(2))
def test_mock(didit_mock, number):
    assert didit_mock.control.journal() == ()
    didit_mock.control.set_outcome("match", score=number, times=None)
    assert ask(didit_mock).json()["face_match"]["score"] == number
""",
    "test_4_ended.py": """
import socket, threading
from helpers import ask

KEPT = []

def couriers():
    from facematch_mock_server.world.webhooks import THREAD
    return [one for one in threading.enumerate() if one.name == THREAD]

def test_it_delivers_from_a_thread(didit_mock):
    KEPT.append(didit_mock)
    # It accepts no connection, and resets those that wait when it is closed.
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        didit_mock.control.webhooks.add(f"http://127.0.0.1:{deaf.getsockname()[1]}/x")
        assert ask(didit_mock).ok
        assert couriers()
    (delivery,) = didit_mock.control.webhooks.wait()
    assert len(delivery.attempts) == 1

def test_it_ended_with_its_test():
    (mock,) = KEPT
    mock.control.advance(61)
    (delivery,) = mock.control.webhooks.deliveries()
    assert (delivery.state, len(delivery.attempts)) == ("pending", 1)
    for thread in couriers():
        thread.join(10)
    assert not couriers()
""",
    "test_5_unused.py": """
import pytest
from helpers import ask, down

def test_outcome_left(didit_mock):
    didit_mock.control.set_outcome("match", score=1)

def test_fault_left(didit_server):
    didit_server.control.add_fault(down(times=None))

def test_one_of_two_left(didit_mock):
    didit_mock.control.add_faults(down(), down(person="nobody"))
    assert ask(didit_mock).status_code == 503

def test_left_in_an_account(didit_server):
    didit_server.new_account().control.add_fault(down())

def test_used(didit_mock):
    didit_mock.control.add_faults(down(times=None))
    assert ask(didit_mock).status_code == 503

def test_cleared(didit_mock):
    didit_mock.control.add_fault(down())
    didit_mock.control.set_outcome("match", score=1)
    didit_mock.control.clear_faults()
    didit_mock.control.clear_outcomes()

def test_failed_anyway(didit_mock):
    didit_mock.control.add_fault(down())
    assert False

def test_skipped(didit_mock):
    didit_mock.control.add_fault(down())
    pytest.skip()
""",
    "own.json": '{"mappings": [{"request": {"urlPath": "/a"}, "response": {"body": "of a file"}}]}',
    "test_5_replies.py": """
import pytest

EXTRA = {"request": {"urlPath": "/b"}, "response": {"body": "of a mapping"}}

def get(url):
    import requests
    return requests.get(url, timeout=9).text

@pytest.mark.facematch_replies(EXTRA, "own.json")
def test_replies_of_both_kinds(didit_server):
    texts = [get(didit_server.url + path) for path in ("/a", "/b")]
    assert texts == ["of a file", "of a mapping"]

@pytest.mark.facematch_replies(EXTRA)
def test_replies_through_the_door(mock_door):
    assert get("https://api.onfido.com/b") == "of a mapping"

@pytest.mark.parametrize("turn", [1, 2])
def test_urllib_finds_the_door_of_its_test(mock_door, turn):
    import urllib.request
    with urllib.request.urlopen("https://verification.didit.me/system/healthcheck") as answer:
        assert answer.status == 200

@pytest.mark.facematch_replies("own.json")
def test_unused_file(didit_mock): pass

@pytest.mark.facematch_replies(EXTRA)
def test_mapping_left(didit_mock): pass

def test_reply_left(didit_server):
    didit_server.control.add_replies(EXTRA)

@pytest.mark.facematch_replies({"request": {"cookies": 1}, "response": {}})
def test_wrong_reply(didit_mock): pass
""",
    "test_6_red.py": """
from helpers import ask, down

def test_red(didit_server):
    import requests

    account = didit_server.new_account("case-7")
    for number in range(12):
        requests.get(didit_server.url + f"/v3/nothing/{number}?token=a-secret-text", timeout=9)
    account.control.add_fault(down())
    ask(account, account.url)
    requests.get(didit_server.url + "/v3/%1B%5B31m", timeout=9)
    assert False

def test_green(didit_server):
    assert ask(didit_server, didit_server.url + "/v3/of-a-green-test").status_code == 404
""",
}


def run_pytest(folder, **variables):
    """Run the tests in a folder, in the order of its files; return what it prints."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "FACEMATCH"))}
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-rA", "-p", "no:randomly"]
    # The plug-in of requests-mock imports requests.
    command += ["-p", "no:requests_mock"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=folder,
        env=kept | variables,
    )
    return done.stdout


#: Acme as a plug-in, whose name has a hyphen.
ACME = (Path(__file__).parents[1] / "kit" / "acme_vendor.py").read_text()
ACME += "import attrs\nVENDOR = attrs.evolve(VENDOR, name='an-acme', hosts={'api.acme.example'})\n"
OF_ACME = """
import os, requests

def send(url, key):
    pictures = {"probe": b"a", "reference": b"b"}
    return requests.post(f"{url}/compare", files=pictures, headers={"x-api-key": key}, timeout=9)

def test_acme(an_acme_server, an_acme_mock):
    assert os.environ["AN_ACME_ENVIRONMENT"] == "mock"
    for mock, url in ((an_acme_server, an_acme_server.url), (an_acme_mock, "https://api.acme.example")):
        assert send(url, mock.live_key).json()["error"] == "probe is no picture."
        assert len(mock.control.journal()) == 1
"""


def test_vendor_of_a_plug_in_has_its_fixtures(tmp_path):
    (tmp_path / "mock_acme.py").write_text(ACME)
    (tmp_path / "test_acme.py").write_text(OF_ACME)
    info = tmp_path / "acme_mock-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mock\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[facematch.mock_vendors]\nan-acme = mock_acme:VENDOR\n")
    printed = run_pytest(tmp_path, PYTHONPATH=str(tmp_path))
    assert "1 passed" in printed, printed


@pytest.mark.slow
def test_fixtures_behave_as_documented_in_a_separate_test_suite(tmp_path):
    (tmp_path / "card.png").write_bytes(P1)
    for name, code in SUITE.items():
        (tmp_path / name).write_text(code)
    printed = run_pytest(tmp_path, CARD=str(tmp_path / "card.png"))
    failed, broken = (
        set(re.findall(rf"^{outcome} \w+\.py::test_(\w+)", printed, re.MULTILINE))
        for outcome in ("FAILED", "ERROR")
    )
    left = {"outcome_left", "fault_left", "one_of_two_left", "left_in_an_account"}
    left |= {"mapping_left", "reply_left"}
    refused = {"without_the_extra", "wrong_reply"}
    assert (failed, broken) == ({"failed_anyway", "red"}, left | refused)
    assert "2 failed, 21 passed, 1 skipped, 8 errors" in printed
    for words in (
        "The fixtures of the mock need httptools: pip install",
        "SetOutcome(kind='match', score=1",
        "OwnReply(control #1, ANY /b)",
        "The marker facematch_replies: control #1 request.cookies",
        "control.clear_faults()",
        "closest: no call",
        "closest: POST /v3/face-match/, answered",
    ):
        assert words in printed
    _, report = printed.split("____ test_red ____")
    section = re.search(r"^-+ facematch mock -+\n((?:\w.*\n)*)", report, re.MULTILINE)[1]
    # Calls of others hide none of the first account's, and no text steers the terminal.
    assert section.startswith("case-7: POST /v3/face-match/ 503 fault: answer status\nmain: GET ")
    assert section.endswith("\nmain: GET /v3/?[31m 404\n")
    assert section.count("\n") == 11
    assert "token=" not in section
    assert "of-a-green-test" not in printed


@pytest.mark.slow
def test_shared_mock_recipe_links_a_failed_test_to_its_calls(tmp_path):
    page = (Path(__file__).parents[2] / "docs/test/use-the-mock.md").read_text()
    conftest = re.search(r'(?sm)```python title="conftest.py"\n(.*?)^```', page)
    (tmp_path / "conftest.py").write_text(conftest[1])
    (tmp_path / "test_red.py").write_text(
        "import requests\n\ndef test_red(didit):\n"
        "    requests.get(didit.url + '/v3/', headers={'x-api-key': didit.live_key}, timeout=9)\n"
        "    assert False\n"
    )
    token = {"X-Mock-Token": "only-for-these-tests"}
    with MockServer(control_token=token["X-Mock-Token"]) as mock:
        printed = run_pytest(tmp_path, MOCK_URL=mock.url, MOCK_TOKEN=token["X-Mock-Token"])
        link = re.search(r"facematch mock.*\ncalls of this test: (.*)/#/accounts/(.*)", printed)
        assert link[1] == mock.url
        headers = {**token, "X-Facematch-Account": link[2]}
        journal = requests.get(f"{mock.url}/__mock__/journal/count", headers=headers, timeout=10)
        assert journal.json() == {"count": 1}


def test_unused_outcomes_can_be_allowed_in_pytest_ini(tmp_path):
    source = "def test_it(didit_server): didit_server.control.set_outcome('match', score=1)"
    (tmp_path / "test_left_unused.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfacematch_unused = allow\n")
    code = pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(tmp_path)])
    assert code == 0


async def with_httpx_and_asyncio(url):
    async with httpx.AsyncClient() as client:
        await client.post(url)


#: How other clients would connect to a URL.
CLIENTS = {
    "httpx, asyncio": lambda url: asyncio.run(with_httpx_and_asyncio(url)),
    "urllib3": lambda url: urllib3.PoolManager().request("POST", url, retries=False),
    "http.client": lambda url: http.client.HTTPSConnection(url.split("/")[2]).connect(),
    "a socket": lambda url: socket.create_connection((url.split("/")[2], 443)),
}


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"], ids=["direct", "proxy"])
@pytest.mark.parametrize("client", CLIENTS)
def test_other_http_clients_cannot_reach_the_vendor(monkeypatch, request, client, proxy):
    """A sentence says what to use, in place of a call that would be paid."""
    if proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    request.getfixturevalue("didit_mock")
    with pytest.raises(pytest.fail.Exception, match=r"not covered by didit_mock.*didit_server"):
        CLIENTS[client](DIDIT + PATH)


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_existing_no_proxy_hosts_are_preserved(monkeypatch, request, variable):
    monkeypatch.setenv(variable, "intranet.example")
    request.getfixturevalue("didit_mock")
    hosts = ("intranet.example", "apx.didit.me", "other.example")
    found = [host for host in hosts if urllib.request.proxy_bypass_environment(host)]
    assert found == ["intranet.example", "apx.didit.me"]


def test_each_mock_blocks_its_own_hosts_in_any_spelling(didit_mock, deepvue_mock):
    of_didit = {"APX.didit.me.": "didit", b"verification.didit.me": "didit"}
    for host, name in {**of_didit, "production.deepvue.tech": "deepvue"}.items():
        with pytest.raises(pytest.fail.Exception, match=f"{name}_server"):
            socket.getaddrinfo(host, 443)
    assert socket.getaddrinfo("127.0.0.1", 443)
