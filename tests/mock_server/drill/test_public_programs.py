"""Faults of public programs, written anew from their threads: found before the cure, silent after.

- https://github.com/polarsource/polar/pull/13378 (read 2026-11-30): the user has one slot for a
  session, and webhooks about another session find no user and fail
- https://github.com/polarsource/polar/pull/5848 (by its title, read 2026-11-30): an event that is
  not `verified` puts a verified user back to pending
- https://github.com/kindfi-org/kindfi/pull/1067 (read 2026-11-30): the stored link is handed out
  although Didit has given the session up
"""

import json

import pytest
import requests

from facematch_mock_server import MockServer, drill
from facematch_mock_server.drill import Verdict, run


@pytest.fixture(autouse=True)
def _settles_at_once(monkeypatch):
    monkeypatch.setattr(run, "SETTLING_S", 0.1)


class Program:
    """A program at a vendor's mock; `is_cured` is False for that before its cure."""

    def __init__(self, mock, *, is_cured):
        self.url, self.key, self.is_cured = mock.url, mock.live_key, is_cured
        self.users = {}

    def call(self, method, path, **options):
        answer = requests.request(method, f"{self.url}{path}", timeout=10, **options)
        answer.raise_for_status()
        return answer.json()

    def state(self, name):
        return self.users.get(name, {"state": "new"})["state"]


class OneSlot(Program):
    path, vendor = "/v1/identity/verification_sessions", "stripe"

    def stripe(self, method, path="", **options):
        return self.call(method, f"{self.path}{path}", auth=(self.key, ""), **options)

    def begin(self, name):
        user = self.users.setdefault(name, {"state": "open", "session": None})
        if user["state"] == "approved":
            return user
        if self.is_cured and user["session"] is not None:
            session = self.stripe("GET", f"/{user['session']}")
            if session["status"] != "canceled":
                return session
        session = self.stripe("POST", data={"type": "document", "metadata[user]": name})
        user["session"] = session["id"]
        return session

    def receive(self, body, _):
        session = json.loads(body)["data"]["object"]
        user = self.users[session["metadata"]["user"]]
        if user["session"] != session["id"] and not self.is_cured:
            return 500
        if session["status"] == "verified":
            user["state"] = "approved"
        return 200


class PutBack(OneSlot):
    def receive(self, body, _):
        session = json.loads(body)["data"]["object"]
        user = self.users[session["metadata"]["user"]]
        if not (self.is_cured and user["state"] == "approved"):
            user["state"] = "approved" if session["status"] == "verified" else "open"
        return 200


class StoredLink(Program):
    vendor = "didit"

    def didit(self, method, path, **options):
        return self.call(method, path, headers={"x-api-key": self.key}, **options)

    def begin(self, name):
        user = self.users.get(name)
        if user is not None and self.is_over(user):
            user = None
        if user is None:
            workflow = "3c9f1b9e-5a0d-4a3e-8a52-0d9d4a0b7c11"
            fields = {"workflow_id": workflow, "vendor_data": name}
            session = self.didit("POST", "/v3/session/", json=fields)
            user = self.users[name] = {"state": "open", "session": session}
        return user["session"]

    def is_over(self, user):
        if not self.is_cured:
            return False
        path = f"/v3/session/{user['session']['session_id']}/decision/"
        return self.didit("GET", path)["status"] in ("Abandoned", "Expired", "Declined")

    def receive(self, body, _):
        event = json.loads(body)
        user = self.users[event["vendor_data"]]
        if event["status"] == "Approved" and event["session_id"] == user["session"]["session_id"]:
            user["state"] = "approved"
        return 200


@pytest.mark.parametrize(
    ("program", "story", "verdict"),
    [
        (OneSlot, "begin-twice,pass", Verdict.LOST_YES),
        (PutBack, "begin,fail,pass,hooks-reversed", Verdict.LOST_YES),
        (StoredLink, "begin,leave,hooks,begin,pass", Verdict.STUCK),
        (StoredLink, "begin,expire,hooks,begin,pass", Verdict.STUCK),
    ],
)
def test_fault_of_a_public_program_is_found_and_its_cure_is_silent(program, story, verdict):
    found = []
    for is_cured in (False, True):
        with MockServer(vendor=program.vendor) as mock:
            tried = program(mock, is_cured=is_cured)
            ways = {"begin": tried.begin, "state": tried.state, "webhook": tried.receive}
            failures = drill.play(story, mock=mock, **ways)
        found.append({failure.verdict for failure in failures})
    assert verdict in found[0]
    assert found[1] == set()
