"""The application on PostgreSQL: two web processes and a worker, killed, drilled, and its roles."""

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import requests
from kit.rawserver import free_port
from system.browser import until
from system.postgres import connected

from facematch_mock_server import MockServer, make_card

DOCS = Path(__file__).parents[2] / "docs"
APP = DOCS / "examples" / "shop"
UVICORN = "uvicorn==0.54.0"
#: Money that leaves: a row for each time that a payout is paid, which the application cannot hide.
LEDGER = """
CREATE TABLE ledger (about TEXT);
CREATE FUNCTION note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO ledger VALUES (new.about); RETURN new; END $$;
CREATE TRIGGER note AFTER UPDATE OF paid_at ON payouts FOR EACH ROW
WHEN (new.paid_at IS NOT NULL) EXECUTE FUNCTION note()"""
THEIRS = "SELECT session_id FROM facematch_sessions WHERE record::json->>'subject_ref' = %s"
CUSTOMERS = [f"customer-{number}" for number in range(10)]
#: Seconds after the start of the customers at which a process is killed, one after the other.
KILLS_S = (0.3, 0.8, 1.1, 1.7, 2.4, 3.2, 4.1, 5.3, 6.6, 8.0, 9.5, 11.0)
GIVES_UP_S = 150


@pytest.fixture(scope="module")
def site(tmp_path_factory, run_command):
    folder = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target")
    run_command(*pip, folder, UVICORN)
    return folder


@pytest.fixture
def owners_url(postgres):
    return postgres.new_database()


@pytest.fixture
def env(site, owners_url, tmp_path):
    """The environment of the application, whose role is not the owner of the tables."""
    with connected(owners_url, autocommit=True) as database:
        if not database.execute("SELECT 1 FROM pg_roles WHERE rolname = 'shop_app'").fetchall():
            database.execute("CREATE ROLE shop_app LOGIN")
    file = tmp_path / "facematch.toml"
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "FACEMATCH_CONFIG": str(file),
        "SHOP_KEY": "none",
        "SHOP_KEY_ID": "none",
        "SHOP_WEBHOOK_SECRET": "none",
        "UPLOADS_KEY": "none",
        "DATABASE_URL": owners_url.replace("//facematch@", "//shop_app@"),
    }


def configure(env, sessions_url, uploads_url):
    text = (APP / "facematch.toml").read_text()
    text = text.replace("http://127.0.0.1:8080", sessions_url)
    text = text.replace("http://127.0.0.1:8081", uploads_url)
    Path(env["FACEMATCH_CONFIG"]).write_text(text)


def migrate(env, owners_url, run_command):
    as_owner = {**env, "DATABASE_URL": owners_url}
    run_command(sys.executable, "migrate.py", "shop_app", cwd=APP, env=as_owner)


def _is_up(url):
    try:
        return requests.get(url, timeout=5).status_code == 204
    except requests.RequestException:
        return False


class Processes:
    """The application, of which each process can be killed and started again."""

    def __init__(self, env, folder):
        self.env, self.log = env, (folder / "log").open("ab")
        self.ports = [free_port(), free_port()]
        serve = [sys.executable, "-m", "uvicorn", "demo:app", "--log-level", "warning", "--port"]
        self.commands = [[*serve, str(port)] for port in self.ports]
        self.commands.append([sys.executable, "worker.py"])
        self.running = {}

    def start(self, number):
        self.running[number] = subprocess.Popen(
            self.commands[number], cwd=APP, env=self.env, stdout=self.log, stderr=self.log
        )

    def kill(self, number):
        self.running[number].send_signal(signal.SIGKILL)
        self.running[number].wait()

    def close(self):
        for number in self.running:
            self.kill(number)
        self.log.close()


class Customer:
    """A browser that sends a form again until it is answered, to either web process."""

    def __init__(self, name, processes, tidy):
        self.name, self.tidy = name, tidy
        self.urls = itertools.cycle(f"http://127.0.0.1:{port}" for port in processes.ports)
        self.about = f"250 EUR to {name}"

    def send(self, path, method="POST", expected=303, **more):
        ends = time.monotonic() + GIVES_UP_S
        status = None
        while time.monotonic() < ends:
            try:
                answer = requests.request(
                    method,
                    f"{next(self.urls)}{path}",
                    headers={"Cookie": f"login={self.name}"},
                    data={"csrf": self.name, "about": self.about, "consent": "yes"},
                    allow_redirects=False,
                    timeout=60,
                    **more,
                )
            except requests.RequestException:
                time.sleep(0.1)
                continue
            if answer.status_code == expected:
                return answer
            status = answer.status_code
            # A lost answer: the job that runs daily finds it.
            assert status == 503, f"{path}: {status} {answer.text[:200]}"
            self.tidy()
        raise AssertionError(f"{self.name} gave up at {path}: {status}")

    def live(self, mock, owners_url):
        """Open an account by upload, be seen in a session, and get paid; each form twice."""
        self.send(f"/demo/login?who={self.name}&new=1", "GET")
        files = {"selfie": make_card("p1"), "document": make_card("p1", quality=70)}
        for _ in range(2):
            self.send("/verifications", files=files)
        for _ in range(2):
            self.send("/accounts")
        for _ in range(2):
            link = self.send("/start").headers["Location"]
        assert link.startswith("http")
        with connected(owners_url) as database:
            ((session_id,),) = database.execute(THEIRS, [self.name]).fetchall()
        mock.control.sessions.finish(session_id, card="p1")
        for _ in range(2):
            self.send("/pay")


def test_killed_processes_pay_nothing_twice_and_lose_nothing(
    env, owners_url, run_command, tmp_path, request
):
    mock = MockServer(vendor="didit").start()
    request.addfinalizer(mock.stop)
    configure(env, mock.url, mock.url)
    migrate(env, owners_url, run_command)
    with connected(owners_url, autocommit=True) as database:
        database.execute(LEDGER)
    processes = Processes(env, tmp_path)
    request.addfinalizer(processes.close)
    hook = mock.control.webhooks.add(f"http://127.0.0.1:{processes.ports[0]}/webhook")
    env |= {"SHOP_KEY": mock.live_key, "UPLOADS_KEY": mock.live_key}
    env |= {"SHOP_WEBHOOK_SECRET": hook.secret, "ORIGIN": "https://shop.example"}
    for number in range(3):
        processes.start(number)
    for port in processes.ports:
        until(lambda port=port: _is_up(f"http://127.0.0.1:{port}/ready"), "ready")
    one_at_a_time = threading.Lock()

    def tidy():
        with one_at_a_time:
            daily = [sys.executable, "worker.py", "daily"]
            subprocess.run(daily, cwd=APP, env=env, check=True, timeout=100)

    def kill_them():
        began = time.monotonic()
        for number, after_s in enumerate(KILLS_S):
            time.sleep(max(0.0, began + after_s - time.monotonic()))
            processes.kill(number % 3)
            processes.start(number % 3)

    with ThreadPoolExecutor(len(CUSTOMERS) + 1) as pool:
        killing = pool.submit(kill_them)
        customers = [Customer(name, processes, tidy) for name in CUSTOMERS]
        lives = [pool.submit(each.live, mock, owners_url) for each in customers]
        for each in [*lives, killing]:
            each.result()
    with connected(owners_url) as database:
        paid = [about for (about,) in database.execute("SELECT about FROM ledger")]
        opened = database.execute("SELECT count(*) FROM customers WHERE picture IS NOT NULL")
        assert opened.fetchone() == (len(CUSTOMERS),)
    assert sorted(paid) == sorted(each.about for each in customers)
    charged = [charge.what for charge in mock.control.charges()]
    assert {each: charged.count(each) for each in charged} == dict.fromkeys(
        {*charged}, len(CUSTOMERS)
    )
    assert len(charged) == 3 * len(CUSTOMERS)


def test_the_applications_role_may_insert_into_the_audit_alone(env, owners_url, run_command):
    configure(env, "http://127.0.0.1:9", "http://127.0.0.1:9")
    migrate(env, owners_url, run_command)
    migrate(env, owners_url, run_command)
    with connected(env["DATABASE_URL"], autocommit=True) as database:
        row = "INSERT INTO audit VALUES ('e', 'r', 'sue', true, 'a mole', 1)"
        for _ in range(2):
            database.execute(f"{row} ON CONFLICT DO NOTHING")
        for statement in (
            "SELECT * FROM audit",
            "UPDATE audit SET accept = false",
            "DELETE FROM audit",
            "TRUNCATE audit",
            "DROP TABLE audit",
            "ALTER TABLE audit ADD more TEXT",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.execute(statement)
        database.execute("SELECT * FROM payouts")
    with connected(owners_url) as database:
        assert len(database.execute("SELECT * FROM audit").fetchall()) == 1


def test_a_text_that_postgresql_does_not_store_is_refused(
    env, owners_url, run_command, tmp_path, request
):
    configure(env, "http://127.0.0.1:9", "http://127.0.0.1:9")
    migrate(env, owners_url, run_command)
    processes = Processes(env, tmp_path)
    request.addfinalizer(processes.close)
    processes.start(0)
    url = f"http://127.0.0.1:{processes.ports[0]}"
    until(lambda: _is_up(f"{url}/ready"), "ready")
    requests.get(f"{url}/demo/login?who=ada", allow_redirects=False, timeout=20)
    form = {"csrf": "ada", "about": "\0", "consent": "yes"}
    answer = requests.post(f"{url}/start", data=form, headers={"Cookie": "login=ada"}, timeout=20)
    assert answer.status_code == 422
    in_cookie = requests.get(url, headers={"Cookie": 'login="\\000"'}, timeout=20)
    assert in_cookie.status_code == 422


# A day of many customers takes minutes more: `sh drill.sh onfido --customers 60`.
def test_the_drill_accuses_it_of_nothing(env, owners_url, run_command):
    port = free_port()
    configure(env, f"http://127.0.0.1:{port}", "http://127.0.0.1:9")
    env |= {"DATABASE_URL": owners_url, "MOCK": str(port)}
    env |= {"ONE": str(free_port()), "TWO": str(free_port())}
    printed = run_command("sh", "drill.sh", "didit", cwd=APP, env=env)
    ((right, played),) = re.findall(r"(\d+) of (\d+) stories end right", printed)
    assert int(right) == int(played) >= 39, printed


def commands_of_the_page():
    page = (DOCS / "apps" / "whole-application.md").read_text()
    lines = "".join(re.findall(r"(?ms)^```sh\n(.*?)^```", page)).splitlines()
    commands = [line.partition("#")[0].strip() for line in lines]
    return [each for each in commands if not each.startswith(("pip ", "cd "))]


def test_the_commands_of_the_page_serve_customers_and_staff(env, tmp_path, request):
    # The other two are run above, and in tests/examples/test_web_apps.py.
    assert commands_of_the_page() == ["python demo.py", "python -m pytest", "sh drill.sh didit"]
    origin = f"http://127.0.0.1:{free_port()}"
    del env["DATABASE_URL"]
    with (tmp_path / "demo").open("wb") as log:
        env |= {"ORIGIN": origin}
        demo = subprocess.Popen([sys.executable, "demo.py"], cwd=APP, env=env, stdout=log)
    request.addfinalizer(demo.wait)
    request.addfinalizer(demo.terminate)
    until(lambda: (tmp_path / "demo").read_text().count("\n") == 3, "three addresses")
    ada, bob, staff = (tmp_path / "demo").read_text().split()
    until(lambda: _is_up(f"{origin}/ready"), "ready")
    with requests.Session() as browser:
        assert "Show your face" in browser.get(ada, timeout=20).text
        form = {"csrf": "ada", "about": "250 EUR to ada", "consent": "yes"}
        page = browser.post(f"{origin}/start", data=form, timeout=20)
        assert not page.url.startswith(origin)
        assert page.status_code == 200
    with requests.Session() as browser:
        assert "Passport" in browser.get(bob, timeout=20).text
        files = {"selfie": make_card("p1"), "document": make_card("p1", quality=70)}
        page = browser.post(
            f"{origin}/verifications", data={"csrf": "bob"}, files=files, timeout=20
        )
        assert "Open the account" in page.text
        page = browser.post(f"{origin}/accounts", data={"csrf": "bob"}, timeout=20)
        assert "250 EUR to bob" in page.text
    assert requests.get(staff, timeout=20).status_code == 200
