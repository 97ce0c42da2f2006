"""The fixture `mock_door`: any client in this process and in its children."""

import asyncio
import http.client
import importlib
import json
import os
import socket
import subprocess
import sys
import urllib.request

import certifi
import httpx
import pytest
import requests
import urllib3
from kit.mock_world import P1
from vendors.didit import post_match

from facematch_core import open_verifier

HOST = "verification.didit.me"
URL = f"https://{HOST}/v3/face-match/"
HEALTH = f"https://{HOST}/system/healthcheck"


def with_httpx():
    return httpx.get(HEALTH).status_code


def with_urllib():
    with urllib.request.urlopen(HEALTH) as answer:
        return answer.status


def with_urllib3():
    # A list of authorities of its own, and no proxy.
    with urllib3.PoolManager(ca_certs=certifi.where()) as pool:
        return pool.request("GET", HEALTH).status


def with_http_client():
    connection = http.client.HTTPSConnection(HOST)
    connection.request("GET", "/system/healthcheck")
    with connection.getresponse() as answer:
        status = answer.status
    connection.close()
    return status


def with_asyncio():
    async def ask():
        reader, writer = await asyncio.open_connection(HOST, 443, ssl=True)
        writer.write(f"GET /system/healthcheck HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return int(line.split()[1])

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "ask", [with_httpx, with_urllib, with_urllib3, with_http_client, with_asyncio]
)
def test_any_client_in_this_process_reaches_the_mock(mock_door, ask):
    assert ask() == 200
    assert [entry.path for entry in mock_door.control.journal()] == ["/system/healthcheck"]


def test_requests_and_facematch_reach_the_mock(mock_door):
    assert post_match(f"https://{HOST}", mock_door.live_key).ok
    deepvue = mock_door.of("deepvue")
    keys = {"client_id": deepvue.client_id, "client_secret": deepvue.live_key}
    with open_verifier("deepvue", **keys) as verifier:
        assert verifier.verify(P1, P1).is_match
    assert len(mock_door.control.charges()) == len(deepvue.control.charges()) == 1


def test_other_hosts_are_refused_and_loopback_is_not(mock_door):
    for address in (("example.com", 80), ("192.0.2.1", 80)):
        with pytest.raises(OSError, match=f"refused {address[0]}"):
            socket.create_connection(address)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with datagrams, pytest.raises(OSError, match="refused"):
        datagrams.sendto(b"", ("192.0.2.1", 53))
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get("https://example.com/", timeout=10)
    assert requests.get(f"{mock_door.url}/system/healthcheck", timeout=10).ok
    assert socket.getfqdn()


@pytest.mark.parametrize("name", ["uvloop", "aiodns"])
def test_packages_that_would_bypass_the_door_are_missing(mock_door, name):
    with pytest.raises(ModuleNotFoundError, match="door refused"):
        importlib.import_module(name)


CHILD = f"""
import http.client, json, sys
connection = http.client.HTTPSConnection("{HOST}")
connection.request("GET", "/system/healthcheck")
status = connection.getresponse().status
try:
    http.client.HTTPSConnection("example.com").connect()
except OSError as error:
    print(json.dumps([status, str(error), sys.modules["sitecustomize"].MARK]))
"""


def test_child_process_reaches_the_mock_and_keeps_its_own_sitecustomize(
    mock_door, monkeypatch, tmp_path
):
    (tmp_path / "sitecustomize.py").write_text("MARK = 'mine'")
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}{os.pathsep}{tmp_path}")
    printed = subprocess.check_output([sys.executable, "-c", CHILD], text=True)
    status, refusal, mark = json.loads(printed)
    assert (status, mark) == (200, "mine")
    assert "example.com" in refusal


def test_after_the_fixture_connections_are_as_before():
    assert "FACEMATCH_DOOR_PORT" not in os.environ
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        # By the test suite, no longer by the door.
        pytest.raises(AssertionError, match="a test tried to reach"),
    ):
        datagrams.connect(("192.0.2.1", 9))
