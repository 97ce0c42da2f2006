"""The service of the guide to sessions: its processes, the mock, and people at a Chromium."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests
from kit.browser import until

from facematch_mock_server import make_card

APP = Path(__file__).parents[2] / "docs" / "examples" / "sessions_app"
UVICORN = "uvicorn==0.38.0"
FIRST, SECOND = "payout 1: 250 EUR", "payout 2: 9 EUR"
CSRF = "a-token-of-the-form"
#: Also the transfers, each one that was made.
LEDGER = """CREATE TABLE transfers (about TEXT);
CREATE TRIGGER paid AFTER UPDATE OF paid_at ON payouts WHEN new.paid_at IS NOT NULL
BEGIN INSERT INTO transfers VALUES (new.about); END;"""


class Service:
    """uvicorn, the worker, and `facematch mock`, which posts its webhooks to the first."""

    def __init__(self, folder, run_command):
        self.folder, self.processes = folder, []
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target")
        run_command(*pip, folder / "site", UVICORN)
        # Both write down all that any library would say.
        (folder / "site" / "sitecustomize.py").write_text(
            "import logging\nlogging.basicConfig(level=0)"
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # For a cookie another site than the mock's.
        self.origin, self.env = f"http://localhost:{port}", {}
        self._open("mock", Path(sys.executable).parent / "facematch", "mock")
        self.mock = until(lambda: self.log("mock").partition("\n")[0], "no mock")
        hook = self.control("webhooks/destinations", url=f"http://127.0.0.1:{port}/didit")
        self.env = {
            "DIDIT_API_KEY": "mock-live-key",
            "DIDIT_BASE_URL": self.mock,
            "DIDIT_WEBHOOK_SECRET": hook["secret"],
            "DIDIT_WORKFLOW_ID": "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10",
            "REQUIRE_ENVIRONMENT": "mock",
            "PAYOUTS": str(folder / "payouts.sqlite3"),
            "ORIGIN": self.origin,
            "PYTHONPATH": str(folder / "site"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self._open("app", sys.executable, "-m", "uvicorn", "app:app", "--port", str(port))
        until(lambda: "startup complete" in self.log("app"), "no service")
        self._open("worker", sys.executable, "app.py")
        with closing(sqlite3.connect(self.env["PAYOUTS"])) as database:
            database.executescript(LEDGER)

    def _open(self, name, *command):
        with (self.folder / name).open("wb") as log:
            env = os.environ | self.env | {"PYTHONUNBUFFERED": "1"}
            process = subprocess.Popen(command, cwd=APP, env=env, stdout=log, stderr=log)
        self.processes.append(process)

    def log(self, name):
        return (self.folder / name).read_text()

    def control(self, path, **sent):
        answer = requests.post(f"{self.mock}/__mock__/{path}", json=sent, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def sql(self, text, *values):
        with closing(sqlite3.connect(self.env["PAYOUTS"], timeout=20)) as database, database:
            database.row_factory = lambda _, row: row[0] if len(row) == 1 else row
            return database.execute(text, values).fetchall()

    def close(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=20)


@pytest.fixture(scope="module")
def service(tmp_path_factory, run_command):
    running = Service(tmp_path_factory.mktemp("service"), run_command)
    yield running
    running.close()


class Person:
    """A customer with two payouts, at a browser that is logged in."""

    def __init__(self, service, browser, name):
        self.service, self.browser, self.name = service, browser, name
        self.first, self.second = f"{name}, {FIRST}", f"{name}, {SECOND}"
        service.sql("INSERT INTO logins VALUES (?, ?, ?)", f"login-{name}", name, CSRF)
        service.sql("INSERT INTO customers VALUES (?, ?)", name, make_card("p1"))
        for about in (self.first, self.second):
            service.sql("INSERT INTO payouts VALUES (?, ?, NULL)", about, name)
        browser.send(
            "Network.setCookie",
            name="login",
            value=f"login-{name}",
            url=service.origin,
            httpOnly=True,
            sameSite="Lax",
        )
        self.links = []

    def sessions(self):
        return self.service.sql("SELECT session_id FROM sessions WHERE customer = ?", self.name)

    def at_home(self):
        self.browser.open(self.service.origin)

    def form(self, about):
        return f"[...document.forms].find(x => x.about.value == {about!r})"

    def begin(self, about, *, clicks=1):
        """Start or go on by the button; the address of the vendor's page."""
        self.browser.value(f"{self.form(about)}.consent.click()")
        for _ in range(clicks):
            self.browser.value(f"{self.form(about)}.querySelector('button').click()")
        self.browser.wait(f"location.origin == {self.service.mock!r} && document.forms.length")
        self.links.append(self.browser.value("location.href"))
        return self.links[-1]

    def play(self, words, card="p1"):
        """Press a button of the vendor's page, which leads back."""
        self.browser.value(f"document.querySelector('input[value={card}]').click()")
        button = f"[...document.querySelectorAll('button')].find(x => x.textContent == {words!r})"
        self.browser.value(f"{button}.click()")
        self.browser.wait(f"location.origin == {self.service.origin!r} && document.body")

    def sees(self, words, about=None):
        """Wait until the page, which asks again by itself, says it of a payout."""
        form = self.form(about or self.first)
        self.browser.wait(f"{form}.textContent.includes({words!r})")

    def post(self, path, about, *, times=1, csrf=CSRF):
        """Send a form past the page, several at once; the statuses."""
        sent = {"about": about, "csrf": csrf, "consent": "yes"}
        ran = self.browser.send(
            "Runtime.evaluate",
            expression=f"Promise.all(Array({times}).fill().map(() => fetch({path!r}, {{method: "
            f"'POST', redirect: 'manual', body: new URLSearchParams({sent})}})"
            ".then(x => x.type == 'opaqueredirect' ? 303 : x.status)))",
            awaitPromise=True,
            returnByValue=True,
        )
        return ran["result"]["value"]


@pytest.fixture
def person(service, browser, request):
    browser.send("Network.clearBrowserCookies")
    seen = Person(service, browser, f"ada-{request.node.nodeid.rpartition('::')[2]}")
    yield seen
    # Whoever has the link is the person.
    logs = service.log("app") + service.log("worker")
    assert "POST /didit" in logs
    for link in seen.links:
        assert link.rpartition("/")[2] not in logs
        assert link.rpartition("/")[2] not in "".join(service.sql("SELECT record FROM sessions"))


def test_somebody_who_was_seen_is_paid_once_in_two_tabs_at_once(person, browser, service):
    person.at_home()
    browser.events.clear()
    link = person.begin(person.first)
    hops = [e["params"] for e in browser.events if "redirectResponse" in e.get("params", {})]
    (start,) = [hop for hop in hops if hop["redirectResponse"]["url"].endswith("/start")]
    headers = {n.lower(): text for n, text in start["redirectResponse"]["headers"].items()}
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "Referer" not in start["request"]["headers"]
    browser.events.clear()
    person.play("Show this face")
    sent = [e["params"]["request"] for e in browser.events if "request" in e.get("params", {})]
    back = [request for request in sent if request["url"].startswith(service.origin)]
    assert back
    assert [request for request in back if "Referer" in request["headers"]] == []
    person.sees("Verified.")
    assert browser.value("[location.pathname + location.search, document.referrer]") == ["/", ""]
    assert link not in browser.value("document.documentElement.outerHTML")
    with browser.tab():
        person.at_home()
        assert person.post("/pay", person.first, times=4) == [303] * 4
        person.sees("Paid.")
    assert person.post("/pay", person.first) == [303]
    assert person.post("/pay", person.second) == [403]
    assert service.sql("SELECT about FROM transfers WHERE about LIKE ?", f"{person.name},%") == [
        person.first
    ]


@pytest.mark.parametrize("step", ["p2", "spoof", "no-face", "Walk away", "Let it expire"])
def test_another_face_a_mask_and_nobody_are_not_paid(step, person, browser):
    person.at_home()
    person.begin(person.first)
    person.play(*[step] if " " in step else ["Show this face", step])
    browser.wait(f"!{person.form(person.first)}.textContent.includes('still looking')")
    person.sees("Show your face")
    assert person.post("/pay", person.first) == [403]
    # And again, in a session of its own.
    person.begin(person.first)
    assert len(person.sessions()) == 2


def test_a_return_address_that_was_changed_by_hand_changes_nothing(person, service):
    """Its own session, and one of somebody else who has passed."""
    person.at_home()
    person.begin(person.first)
    (own,) = person.sessions()
    others = service.sql("SELECT session_id FROM sessions WHERE result LIKE '%\"Approved\"%'")
    for session_id in (own, others[0] if others else own):
        person.browser.open(
            f"{service.origin}/back?verificationSessionId={session_id}&status=Approved&next=//x.example"
        )
        assert person.browser.value("location.href") == f"{service.origin}/"
        person.sees("We are still looking")
        assert person.post("/pay", person.first) == [403]
    assert person.sessions() == [own]


def test_a_second_tab_for_another_payout_ends_the_link_of_the_first(person, browser):
    person.at_home()
    link = person.begin(person.first)
    with browser.tab():
        person.at_home()
        person.begin(person.second)
        person.play("Show this face")
        person.sees("Verified.", person.second)
        assert person.post("/pay", person.first) == [403]
    browser.open(link)
    assert "There is no such session" in browser.value("document.title")


def test_a_telephone_is_only_the_camera(person, browser, service):
    """Nobody is logged in there, so that the webhook alone tells of it."""
    person.at_home()
    link = person.begin(person.first)
    person.at_home()
    with browser.tab(private=True):
        browser.open(link)
        person.play("Show this face")
        assert browser.value("document.body.textContent") == "Thank you. Go on where you began."
        browser.open(service.origin)
        assert not browser.value("document.forms.length")
    person.sees("Verified.")


def test_a_double_click_and_whoever_comes_back_are_in_one_session(person, browser):
    person.at_home()
    link = person.begin(person.first, clicks=2)
    person.at_home()
    person.sees("We are still looking")
    assert person.begin(person.first) == link
    assert len(person.sessions()) == 1


def test_a_form_of_another_site_starts_and_pays_nothing(person):
    person.at_home()
    for path in ("/start", "/pay", "/logout"):
        assert person.post(path, person.first, csrf="guessed") == [403]
    assert person.sessions() == []
    person.sees("Show your face")


def test_a_log_out_ends_the_link(person, browser):
    person.at_home()
    link = person.begin(person.first)
    person.at_home()
    assert person.post("/logout", person.first) == [200]
    browser.open(link)
    assert "There is no such session" in browser.value("document.title")
