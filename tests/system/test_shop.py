"""The service of the guide to sessions: its processes, the mock, and people at a Chromium."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from kit.rawserver import free_port
from system.browser import until

from facematch_mock_server import make_card

APP = Path(__file__).parents[2] / "docs" / "examples" / "shop"
ROWS = "SELECT json_array(session_id, record, result) FROM facematch_sessions"
THEIRS = "SELECT session_id FROM facematch_sessions WHERE json_extract(record, '$.subject_ref') = ?"
CSRF = "a-token-of-the-form"
ONCE = """CREATE TRIGGER once BEFORE UPDATE OF paid_at ON payouts WHEN old.paid_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'this was paid before'); END"""


@pytest.fixture(scope="module")
def service(tmp_path_factory, run_command, request):
    """uvicorn, the worker, and `facematch mock`, which posts its webhooks to the first."""
    folder, env = tmp_path_factory.mktemp("service"), {**os.environ, "PYTHONUNBUFFERED": "1"}
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target")
    run_command(*pip, folder / "site", "uvicorn==0.54.0")
    # Both write down all that any library would say.
    (folder / "site/sitecustomize.py").write_text("import logging\nlogging.basicConfig(level=0)")

    def serve(name, *command, ready):
        with (folder / name).open("wb") as log:
            process = subprocess.Popen(command, cwd=APP, env=env, stdout=log, stderr=log)
        request.addfinalizer(lambda: process.wait(20))
        request.addfinalizer(process.terminate)
        return until(lambda: re.search(ready, (folder / name).read_text()), name)[0]

    def sql(text, *values):
        with closing(sqlite3.connect(folder / "shop.sqlite3", timeout=20)) as database, database:
            return [row[0] for row in database.execute(text, values)]

    port = str(free_port())
    origin = f"http://localhost:{port}"  # for a cookie another site than the mock's
    mock = serve("mock", Path(sys.executable).parent / "facematch", "mock", ready="http.*(?=\n)")
    hook = {"url": f"http://127.0.0.1:{port}/webhook"}
    hook = requests.post(f"{mock}/__mock__/webhooks/destinations", json=hook, timeout=20).json()
    profiles = (APP / "facematch.toml").read_text()
    file = folder / "facematch.toml"
    file.write_text(profiles.replace("http://127.0.0.1:8080", mock))
    env |= {"SHOP_KEY": "mock-live-key", "SHOP_WEBHOOK_SECRET": hook["secret"]}
    env |= {"UPLOADS_KEY": "mock-live-key"}
    env |= {"FACEMATCH_CONFIG": str(file), "ORIGIN": origin}
    env |= {"DATABASE_URL": f"sqlite:///{folder / 'shop.sqlite3'}"}
    env |= {"PYTHONPATH": str(folder / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    python = (sys.executable, "-m")
    run_command(sys.executable, "migrate.py", cwd=APP, env=env)
    serve("app", *python, "uvicorn", "app:app", "--port", port, ready="startup complete")
    serve("worker", sys.executable, "worker.py", ready="")
    sql(ONCE)
    logs = [folder / "app", folder / "worker"]
    return SimpleNamespace(origin=origin, mock=mock, sql=sql, logs=logs)


class Person:
    def __init__(self, service, browser, name):
        self.service, self.browser, self.name, self.links = service, browser, name, []
        self.first, self.second = (f"{name}, {about}" for about in ("250 EUR", "9 EUR"))
        service.sql("INSERT INTO logins VALUES (?, ?, false, ?)", name, name, CSRF)
        service.sql("INSERT INTO customers VALUES (?, ?, 1, ?)", name, name, make_card("p1"))
        for about in (self.first, self.second):
            service.sql("INSERT INTO payouts VALUES (?, ?, NULL)", about, name)
        cookie = {"name": "login", "value": name, "httpOnly": True, "sameSite": "Lax"}
        browser.send("Network.setCookie", url=service.origin, **cookie)
        self.at_home()

    def sessions(self):
        return self.service.sql(THEIRS, self.name)

    def at_home(self):
        self.browser.open(self.service.origin)
        self.browser.wait(self.form(self.first))

    def form(self, about):
        return f"[...document.forms].find(x => x.about.value == {about!r})"

    def begin(self, about, *, clicks=1):
        form = self.form(about)
        press = f"{form}.querySelector('button').click();" * clicks
        self.browser.value(f"{form}.consent.click(); {press}")
        self.browser.wait(
            f"location.origin == {self.service.mock!r} && document.readyState == 'complete'"
        )
        self.links.append(self.browser.value("location.href"))
        return self.links[-1]

    def play(self, words):
        button = f"[...document.querySelectorAll('button')].find(x => x.textContent == {words!r})"
        self.browser.value(f"document.querySelector('[value=p1]').click(); {button}.click()")
        self.browser.wait(f"location.origin == {self.service.origin!r} && document.body")

    def sees(self, words):
        """Wait until the page, which asks again by itself, says it of the first payout."""
        self.browser.wait(f"{self.form(self.first)}.textContent.includes({words!r})")

    def post(self, path, about, *, times=1, csrf=CSRF):
        sent = {"about": about, "csrf": csrf, "consent": "yes"}
        send = f"fetch({path!r}, {{method: 'POST', body: new URLSearchParams({sent})}})"
        every = f"Promise.all(Array({times}).fill().map(() => {send}.then(x => x.status)))"
        return self.browser.result(every)


@pytest.fixture
def person(service, browser, request):
    browser.send("Network.clearBrowserCookies")
    seen = Person(service, browser, request.node.name)
    yield seen
    # Whoever has the link is the person.
    places = [*(log.read_text() for log in service.logs), str(service.sql(ROWS))]
    assert all("DEBUG:facematch" in log for log in places[:2])
    tokens = [link.rpartition("/")[2] for link in seen.links]
    assert [token for token in tokens if token in "".join(places)] == []


def test_a_verified_customer_is_paid_once_from_two_tabs(person, browser, service):
    browser.events.clear()
    link = person.begin(person.first)
    person.play("Show this face")
    person.sees("Verified.")
    steps = [e["params"] for e in browser.events if "request" in e.get("params", {})]
    start = next(step for step in steps if step["request"]["url"] == link)
    headers = {n.lower(): text for n, text in start["redirectResponse"]["headers"].items()}
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    sent = [x["request"] for x in steps if x["request"]["url"].startswith(service.origin)]
    assert [x for x in sent if service.mock in x["headers"].get("Referer", "")] == []
    place = browser.value("[location.href, document.referrer]")
    assert (place, len(sent) > 3) == ([f"{service.origin}/", ""], True)
    with browser.tab():
        person.at_home()
        assert person.post("/pay", person.first, times=4) == [200] * 4
    assert person.post("/pay", person.first) == [200]
    assert person.post("/pay", person.second) == [403]
    person.at_home()
    person.sees("Paid.")
    paid = "SELECT about FROM payouts WHERE customer = ? AND paid_at"
    assert service.sql(paid, person.name) == [person.first]


def test_a_phone_is_only_the_camera_and_the_webhook_updates_the_desktop(person, browser, service):
    link = person.begin(person.first)
    person.at_home()
    with browser.tab(private=True):
        browser.open(link)
        person.play("Show this face")
        browser.wait("document.body.textContent == 'Thank you. Continue where you started.'")
        browser.open(service.origin)
        browser.wait("document.body.textContent.includes('Unauthorized')")
    person.sees("Verified.")


def test_double_clicks_and_returns_stay_in_one_session_until_logout(person, browser):
    link = person.begin(person.first, clicks=2)
    person.at_home()
    person.sees("We are still checking")
    assert person.begin(person.first) == link
    assert len(person.sessions()) == 1
    person.at_home()
    assert person.post("/logout", person.first) == [200]
    browser.open(link)
    browser.wait("document.title.includes('There is no such session')")


def test_a_cross_site_form_is_rejected(person):
    for path in ("/start", "/pay", "/logout"):
        assert person.post(path, person.first, csrf="guessed") == [403]
    assert person.sessions() == []
    person.sees("Show your face")
