"""The pytest fixtures, `didit_server` and the like, as other people's test suites use them."""

import asyncio
import http.client
import os
import socket
import subprocess
import sys
import textwrap
import urllib.request

import httpx
import pytest
import requests
import urllib3
from urllib3.exceptions import MaxRetryError

from facematch_core import (
    Charged,
    Environment,
    FaceVerifier,
    Image,
    VendorUnavailable,
    open_verifier,
)
from facematch_didit import DiditBackend
from facematch_mock_server import card_sheet, pytest_plugin
from facematch_mock_server.vendors import vendor_named, vendor_names

P1 = card_sheet()["p1"].data
FILES = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
DIDIT = "https://verification.didit.me"
PATH = "/v3/face-match/"


def post(url, mock, session=requests):
    """A call as a program makes it that knows nothing of a mock."""
    headers = {"x-api-key": mock.live_key}
    return session.post(url + PATH, headers=headers, files=FILES, timeout=10)


# In this process


@pytest.mark.parametrize("time", [1, 2])
def test_a_server_for_each_test(didit_server, time):
    """Running, empty, and not the one of the test before."""
    assert didit_server.control.journal() == ()
    assert didit_server.control.set_limit("write", 1) is None
    assert post(didit_server.url, didit_server).status_code == 200
    assert len(didit_server.control.charges()) == 1


def test_requests_to_didits_own_address_are_answered(didit_mock):
    """By every session, whenever it was made, without a socket."""
    assert post(DIDIT, didit_mock).json()["face_match"]["status"] == "Approved"
    with requests.Session() as session:
        assert post(DIDIT.upper().replace("HTTPS", "https"), didit_mock, session).ok
    assert len(didit_mock.control.charges()) == 2
    with pytest.raises(RuntimeError):
        _ = didit_mock.url


def test_both_hosts_are_didits(didit_mock):
    """The one of the accounts as well."""
    answer = requests.post("https://apx.didit.me/auth/v2/programmatic/register/", timeout=10)
    assert answer.status_code == 400
    assert answer.headers["X-Facematch-Mock"]


@pytest.mark.parametrize(
    "host", ["https://verification.didit.me.evil.example", "https://verification.didit.mex"]
)
def test_a_host_that_only_begins_alike_is_another(didit_mock, monkeypatch, host):
    """It goes where it would go without the fixture."""
    asked = []

    def send(self, request, **_):
        asked.append(request.url)
        raise requests.ConnectionError

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with pytest.raises(requests.ConnectionError):
        post(host, didit_mock)
    assert asked == [host + PATH]


def test_other_hosts_go_where_they_went(didit_mock, didit_server):
    """The two fixtures side by side: one in the process, one on its port."""
    assert post(didit_server.url, didit_server).ok
    assert len(didit_server.control.charges()) == 1
    assert didit_mock.control.journal() == ()


def test_the_library_takes_the_server(didit_server):
    """By its address alone."""
    backend = DiditBackend(api_key=didit_server.live_key, base_url=didit_server.url)
    with FaceVerifier(backend, require_environment=Environment.MOCK) as verifier:
        assert verifier.verify(Image.from_bytes(P1), Image.from_bytes(P1)).is_match


@pytest.mark.parametrize("fixture", ["didit_mock", "didit_server"])
def test_a_stopped_mock_is_an_outage_that_costs_nothing(request, fixture):
    """With and without a socket no connection is made, and after a start all is as it was."""
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


def test_requests_finds_a_stopped_mock_unreachable(didit_mock):
    """With the exception that it raises where nothing listens."""
    didit_mock.stop()
    with pytest.raises(requests.ConnectionError, match="Connection refused") as caught:
        post(DIDIT, didit_mock)
    assert isinstance(caught.value.args[0], MaxRetryError)


def compare_with_deepvue(url, mock):
    """A comparison with Deepvue as a program makes it."""
    pair = {"client_id": "mock-client", "client_secret": mock.live_key}
    token = requests.post(f"{url}/v1/authorize", data=pair, timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "x-api-key": mock.live_key}
    files = {"file_a": ("a.png", P1), "file_b": ("b.png", P1)}
    return requests.post(f"{url}/v1/facematch", headers=headers, files=files, timeout=10).json()


def test_deepvue_on_a_port(deepvue_server):
    """A server of Deepvue alone."""
    assert compare_with_deepvue(deepvue_server.url, deepvue_server)["data"]["match"] is True
    assert len(deepvue_server.control.charges()) == 1


def test_both_vendors_at_their_own_addresses(deepvue_mock, didit_mock):
    """Without a socket, in one test."""
    url = "https://production.deepvue.tech"
    assert compare_with_deepvue(url, deepvue_mock)["data"]["match"] is True
    assert post(DIDIT, didit_mock).ok
    assert [len(mock.control.charges()) for mock in (deepvue_mock, didit_mock)] == [1, 1]


def test_after_the_test_nothing_is_patched():
    """The tests above used `didit_mock`; this one does not, and has requests as it was."""
    assert requests.Session.get_adapter.__module__ == "requests.sessions"
    assert socket.getaddrinfo.__module__ == "socket"


# In a test run of its own

SUITE = """
import os, pathlib
import pytest, requests

CARD = pathlib.Path(os.environ["CARD"]).read_bytes()
FILES = {"user_image": ("a.png", CARD), "ref_image": ("b.png", CARD)}

@pytest.mark.parametrize("number", range(12))
def test_server(didit_server, number):
    assert didit_server.control.journal() == ()
    didit_server.control.set_outcome("match", score=number, times=None)
    answer = requests.post(didit_server.url + "/v3/face-match/", files=FILES,
                           headers={"x-api-key": didit_server.live_key})
    assert answer.json()["face_match"]["score"] == number
    assert len(didit_server.control.charges()) == 1

@pytest.mark.parametrize("number", range(12))
def test_mock(didit_mock, number):
    assert didit_mock.control.journal() == ()
    didit_mock.control.set_outcome("match", score=number, times=None)
    answer = requests.post("https://verification.didit.me/v3/face-match/", files=FILES,
                           headers={"x-api-key": didit_mock.live_key})
    assert answer.json()["face_match"]["score"] == number
"""

BLOCK = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "httptools":
            raise ModuleNotFoundError("No module named 'httptools'", name="httptools")

sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def run_suite(tmp_path):
    """Runs pytest on a file in a process of its own."""
    (tmp_path / "card.png").write_bytes(P1)

    def run(code, *arguments, **more):
        (tmp_path / "test_it.py").write_text(textwrap.dedent(code))
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "FACEMATCH"))}
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "pytest", "-q", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            env=kept | {"CARD": str(tmp_path / "card.png")} | more,
        )

    return run


AFTERWARDS = """
import os, pathlib, threading
import requests

CARD = pathlib.Path(os.environ["CARD"]).read_bytes()
FILES = {"user_image": ("a.png", CARD), "ref_image": ("b.png", CARD)}
DIDIT = "https://verification.didit.me/v3/"
KEPT = []

def test_it_delivers(didit_mock):
    KEPT.append(didit_mock)
    headers = {"x-api-key": didit_mock.live_key}
    didit_mock.control.webhooks.add("http://127.0.0.1:9/x")
    assert requests.post(DIDIT + "face-match/", files=FILES, headers=headers, timeout=9).ok
    (delivery,) = didit_mock.control.webhooks.wait()
    assert len(delivery.attempts) == 1

def test_not_any_more():
    (mock,) = KEPT
    mock.control.advance(61)
    (delivery,) = mock.control.webhooks.deliveries()
    assert (delivery.state, len(delivery.attempts)) == ("pending", 1)
    assert not any(one.name == "facematch-mock-webhooks" for one in threading.enumerate())
"""


def test_a_mock_in_the_process_ends_with_its_test(run_suite):
    """It delivers from a thread of its own, which is stopped, whoever still holds the mock."""
    done = run_suite(AFTERWARDS)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_one_world_for_each_test(run_suite, workers):
    """Whatever runs beside it, and with no import or setting of the suite's own."""
    done = run_suite(SUITE, *workers)
    assert done.returncode == 0, done.stdout
    assert "24 passed" in done.stdout


def test_the_fixtures_are_listed(run_suite):
    """`pytest --fixtures` tells what they are."""
    done = run_suite("", "--fixtures")
    for name in ("didit_server", "didit_mock", "deepvue_server", "deepvue_mock"):
        assert name in done.stdout


def test_without_the_extra_a_fixture_says_what_to_install(run_suite, tmp_path):
    """And a suite that does not use it runs as ever."""
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    code = """
        def test_plain(): pass
        def test_server(didit_server): pass
    """
    done = run_suite(code, PYTHONPATH=str(tmp_path))
    assert "1 passed, 1 error" in done.stdout
    assert (
        'The fixtures of the mock need httptools: pip install "facematch-core[mock]".'
        in done.stdout
    )
    assert "Traceback" not in done.stdout


#: The plug-in, and what lets both packages import their names late.
SMALL = {
    "facematch_core",
    "facematch_core._version",
    "facematch_core.lazy",
    "facematch_mock_server",
    "facematch_mock_server.pytest_plugin",
}


def test_a_suite_that_uses_no_fixture_loads_nothing(run_suite):
    """Pytest finds the plug-in by itself, and it is all that is loaded of us."""
    code = f"""
        import sys

        def test_plain():
            ours = {{name for name in sys.modules if name.startswith("facematch")}}
            assert ours == {SMALL}
            assert not {{"requests", "PIL", "numpy", "httptools", "stevedore"}} & set(sys.modules)
    """
    done = run_suite(code)
    assert done.returncode == 0, done.stdout


def test_the_plugin_costs_a_suite_nothing():
    """Beside pytest it loads a few small modules, and nothing that they would need."""
    code = """
        import sys
        import pytest
        before = set(sys.modules)
        import facematch_mock_server.pytest_plugin
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stdout.split())
    assert loaded == SMALL


# What was set and never used


UNUSED = """
import os, pathlib
import pytest, requests
from facematch_mock_server import Fault

CARD = pathlib.Path(os.environ["CARD"]).read_bytes()
FILES = {"user_image": ("a.png", CARD), "ref_image": ("b.png", CARD)}
DOWN = {"stage": "answer", "kind": "status", "status": 503}

def ask(mock):
    headers = {"x-api-key": mock.live_key}
    url = "https://verification.didit.me/v3/face-match/"
    return requests.post(url, files=FILES, headers=headers).status_code

def test_outcome_left(didit_mock):
    didit_mock.control.set_outcome("match", score=1)

def test_fault_left(didit_server):
    didit_server.control.add_fault(Fault(**DOWN, times=None))

def test_one_of_two_left(didit_mock):
    didit_mock.control.add_faults(Fault(**DOWN), Fault(**DOWN, person="nobody"))
    assert ask(didit_mock) == 503

def test_left_in_an_account(didit_server):
    didit_server.new_account().control.add_fault(Fault(**DOWN))

def test_used(didit_mock):
    didit_mock.control.add_faults(Fault(**DOWN, times=None), Fault(**DOWN, chance=1e-9))
    assert ask(didit_mock) == 503

def test_cleared(didit_mock):
    didit_mock.control.add_fault(Fault(**DOWN))
    didit_mock.control.set_outcome("match", score=1)
    didit_mock.control.clear_faults()
    didit_mock.control.clear_outcomes()

def test_failed_anyway(didit_mock):
    didit_mock.control.add_fault(Fault(**DOWN))
    assert False

def test_skipped(didit_mock):
    didit_mock.control.add_fault(Fault(**DOWN))
    pytest.skip()
"""


def test_a_test_that_sets_what_no_call_uses_fails(run_suite, tmp_path):
    """At its end, once, and not in addition to another failure."""
    done = run_suite(UNUSED, "-rEf")
    assert "1 failed, 6 passed, 1 skipped, 4 errors" in done.stdout
    for name in ("outcome_left", "fault_left", "one_of_two_left", "left_in_an_account"):
        assert f"ERROR test_it.py::test_{name}" in done.stdout
    assert "SetOutcome(kind='match', score=1" in done.stdout
    assert "control.clear_faults()" in done.stdout
    (tmp_path / "pytest.ini").write_text("[pytest]\nfacematch_unused = allow\n")
    assert "1 failed, 6 passed, 1 skipped" in run_suite(UNUSED).stdout
    (tmp_path / "pytest.ini").write_text("[pytest]\nfacematch_unused = maybe\n")
    assert "facematch_unused must be fail or allow" in run_suite(UNUSED).stdout


# The vendor's real hosts


URL = f"{DIDIT}/v3/face-match/"


async def with_httpx_and_asyncio(url):
    async with httpx.AsyncClient() as client:
        await client.post(url)


CLIENTS = {
    "httpx": httpx.post,
    "httpx, asyncio": lambda url: asyncio.run(with_httpx_and_asyncio(url)),
    "urllib": lambda url: urllib.request.urlopen(url, data=b"", timeout=5),
    "urllib3": lambda url: urllib3.PoolManager().request("POST", url, retries=False),
    "http.client": lambda url: http.client.HTTPSConnection(url.split("/")[2]).connect(),
    "a socket": lambda url: socket.create_connection((url.split("/")[2], 443)),
}


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"], ids=["direct", "proxy"])
@pytest.mark.parametrize("client", CLIENTS)
def test_another_client_never_finds_the_vendor(monkeypatch, request, client, proxy):
    """A sentence says what to use, in place of a call that would be paid."""
    if proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    request.getfixturevalue("didit_mock")
    with pytest.raises(pytest.fail.Exception, match=r"not covered by didit_mock.*didit_server"):
        CLIENTS[client](URL)


def test_each_mock_keeps_its_own_hosts(didit_mock, deepvue_mock):
    """Of any spelling; other hosts are found as ever."""
    for host, name in (
        ("APX.didit.me.", "didit"),
        (b"verification.didit.me", "didit"),
        ("production.deepvue.tech", "deepvue"),
    ):
        with pytest.raises(pytest.fail.Exception, match=f"{name}_server"):
            socket.getaddrinfo(host, 443)
    assert socket.getaddrinfo("127.0.0.1", 443)


def test_a_server_is_there_for_every_vendor_and_a_mock_for_those_with_hosts():
    """A fixture that could only fail is none."""
    mocks = {name.removesuffix("_mock") for name in vars(pytest_plugin) if name.endswith("_mock")}
    servers = {name.removesuffix("_server") for name in vars(pytest_plugin)} & set(vendor_names())
    assert mocks == {name for name in vendor_names() if vendor_named(name).hosts}
    assert servers == set(vendor_names())
