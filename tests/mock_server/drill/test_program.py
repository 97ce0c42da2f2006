"""`facematch drill` with an application that runs in a process of its own, behind the door."""

import contextlib
import os
import re
import runpy
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import requests
from kit import shop
from kit.commands import invoke_facematch
from kit.rawserver import free_port

from facematch_mock_server.drill import STORIES, application
from facematch_mock_server.drill.application import Answer, Program, ask

ROOT = Path(__file__).parents[3]
SHOP = Path(shop.__file__)
PAGE = ROOT / "docs/test/test-offline.md"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def drill(port, tmp_path):
    """Return a function that drills a command at Stripe."""
    url = f"http://127.0.0.1:{port}"

    def drill(command, *options, begin=f"POST {url}/verify?customer={{customer}}"):
        words = ["--vendor", "stripe", "--webhook", f"{url}/webhook", "--begin", begin]
        words += ["--state", f"{url}/state?customer={{customer}}", *options]
        return invoke_facematch("drill", *words, "--", *map(str, command))

    return drill


def shop_command(port, tmp_path, way=""):
    return [sys.executable, SHOP, port, tmp_path / "shop.sqlite3", way]


def code_of_page(title):
    return re.search(rf'```python title="{title}"\n(.*?)```', PAGE.read_text(), re.DOTALL)[1]


@pytest.mark.parametrize("way", shop.MISTAKES_WHEN_KILLED)
def test_mistake_is_found_when_the_program_is_killed(drill, port, tmp_path, way):
    verdict, story = shop.MISTAKES_WHEN_KILLED[way]
    answer = drill(shop_command(port, tmp_path, way), "--play", story)
    assert answer.exit_code == 1, answer.output
    assert verdict.upper() in answer.stdout


def test_right_program_survives_a_kill_and_is_written_as_junit(drill, port, tmp_path):
    file = tmp_path / "drill.xml"
    story = "begin,kill,pass,hooks-kill"
    answer = drill(shop_command(port, tmp_path), "--play", story, "--junit", file)
    assert answer.exit_code == 0, answer.output
    (case,) = ET.parse(file).getroot()
    assert (case.get("name"), len(case)) == (story, 0)


@pytest.fixture
def page(port, tmp_path, monkeypatch):
    """The shop of the page, and the shop after its cure, as commands."""
    monkeypatch.chdir(tmp_path)  # where it keeps its customers
    wrong = code_of_page("app.py")
    (tmp_path / "wrong.py").write_text(wrong)
    start = wrong.index('db.execute("CREATE')
    end = wrong.index("if __name__")
    cured = f"import time\n{wrong[:start]}{code_of_page('cure.py')}\n\n{wrong[end:]}"
    (tmp_path / "cured.py").write_text(cured)
    return {name: [sys.executable, f"{name}.py", port] for name in ("wrong", "cured")}


#: The mistakes of the page's shop, each with a story that shows it.
OF_THE_PAGE = (
    "begin,fail,pass,hooks-reversed",
    "begin,pass,old",
    "begin,expire,hooks,begin,pass",
    "begin,fail,pass,hooks-tied",
)


@pytest.mark.slow
@pytest.mark.parametrize("story", OF_THE_PAGE)
def test_program_of_the_page_is_wrong_and_right_after_its_cure(drill, page, story):
    codes = [drill(page[name], "--play", story).exit_code for name in ("wrong", "cured")]
    assert codes == [1, 0]


@pytest.mark.parametrize("name", ["wrong", "cured"])
def test_program_of_the_page_takes_either_secret_and_refuses_a_malformed_header(
    page, name, stripe_mock, monkeypatch
):
    hooks = stripe_mock.control.webhooks
    added = hooks.add("http://127.0.0.1:9/", held=True)
    rolled = hooks.roll(added.uuid)
    for secret in (added.secret, rolled.secret):
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", secret)
        program = runpy.run_path(page[name][1])
        with contextlib.closing(program["db"]), program["app"].test_client() as client:
            begun = client.post(f"/verify?customer={secret}")
            assert begun.status_code == 200
            stripe_mock.control.sessions.finish(stripe_mock.control.sessions.all()[-1].id, "p1")
            letter = hooks.delivery(hooks.deliveries()[-1].id)
            sent = {"data": letter.body, "content_type": "application/json"}
            signed = {"Stripe-Signature": letter.headers["Stripe-Signature"]}
            assert client.post("/webhook", headers=signed, **sent).status_code == 200
            now = str(int(time.time()))
            for header in (
                "",
                "garbage",
                "t",
                f"t={now}",
                "v1=a",
                f"t={now},v1=caf\u00e9",
                "t=x,v1=",
            ):
                answer = client.post("/webhook", headers={"Stripe-Signature": header}, **sent)
                assert answer.status_code == 400, header


@pytest.mark.long
def test_cure_of_the_page_is_right_in_each_story(drill, page):
    answer = drill(page["cured"])
    assert answer.exit_code == 0, answer.output


#: The shop as in another container, where the vendor's name leads to the drill's door, and which
#: starts once the drill is healthy: its certificate is there.
BY_NAME = """
import runpy, socket, sys, time
from pathlib import Path

import requests

certificate, door, *sys.argv = sys.argv[1:]
while not Path(certificate).exists():
    time.sleep(0.05)
look_up = socket.getaddrinfo


def look_up_by_name(host, port, *more, **options):
    place = ("127.0.0.1", int(door)) if host == "api.stripe.com" else (host, port)
    return look_up(*place, *more, **options)


class TrustingSession(requests.Session):
    def request(self, *words, **options):
        return super().request(*words, **{**options, "verify": certificate})


socket.getaddrinfo = look_up_by_name
requests.Session = TrustingSession
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(("way", "code"), [("", 0), ("last event wins", 1)])
def test_application_elsewhere_is_drilled_by_the_vendors_name(port, tmp_path, way, code):
    door_port = free_port()
    certificate = tmp_path / "ca" / "ca.pem"
    secret = tmp_path / "secret"
    secret.write_text("whsec_of_the_shop")
    environment = {
        **os.environ,
        "DRILL_URL": "https://api.stripe.com",
        "DRILL_KEY": "sk_of_the_shop",
        "DRILL_SECRET": "whsec_of_the_shop",
    }
    words = [certificate, door_port, *shop_command(port, tmp_path, way)[1:]]
    command = [sys.executable, "-c", BY_NAME, *map(str, words)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment) as elsewhere:
        answer = invoke_facematch(
            *("drill", "--vendor", "stripe", "--webhook", f"{url}/webhook"),
            *("--begin", f"POST {url}/verify?customer={{customer}}"),
            *("--state", f"{url}/state?customer={{customer}}"),
            *("--door-port", str(door_port), "--ca-folder", str(certificate.parent)),
            *("--secret-file", str(secret), "--play", "begin,fail,pass,hooks-reversed"),
        )
        elsewhere.kill()
    assert answer.exit_code == code, answer.output


@pytest.mark.parametrize(
    "options",
    [["--ca-folder", "ca"], ["--door-port", "0", "--", "true"]],
)
def test_options_of_a_door_that_do_not_go_together_are_refused(options):
    answer = invoke_facematch(
        "drill", "--vendor", "stripe", "--webhook", "http://127.0.0.1:9/", *options
    )
    assert answer.exit_code == 2
    assert "--door-port" in answer.output.partition("error: ")[2]


def test_drill_with_a_door_says_that_nobody_listens(tmp_path, port, monkeypatch):
    monkeypatch.setattr(application, "START_S", 0.1)
    secret = tmp_path / "secret"
    secret.write_text("s")
    url = f"http://127.0.0.1:{port}/webhook"
    words = ("--vendor", "stripe", "--webhook", url, "--secret-file", str(secret))
    answer = invoke_facematch("drill", *words, "--door-port", "0")
    assert answer.exit_code == 3
    assert f"does not listen at {url}" in answer.output


@contextlib.contextmanager
def answering(port, answer):
    """An application that answers each request with the status that a function returns."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(answer())
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def drill_elsewhere(tmp_path, door_port, *options, begin, state):
    words = ("--vendor", "stripe", "--begin", begin, "--state", state, "--play", "begin")
    door = ("--door-port", str(door_port), "--ca-folder", str(tmp_path / "ca"))
    return invoke_facematch("drill", *words, *door, *options)


def drill_a_server(tmp_path, port, door_port, *options):
    url = f"http://127.0.0.1:{port}"
    targets = {"begin": f"POST {url}/verify", "state": f"{url}/state"}
    return drill_elsewhere(tmp_path, door_port, *options, **targets)


def test_application_elsewhere_that_does_not_trust_the_certificate_is_told_so(port, tmp_path):
    door_port = free_port()

    def call_the_vendor():
        tls = ssl.create_default_context()
        with (
            socket.create_connection(("127.0.0.1", door_port)) as door,
            contextlib.suppress(ssl.SSLError),
        ):
            tls.wrap_socket(door, server_hostname="api.stripe.com")
        return 500

    with answering(port, call_the_vendor):
        answer = drill_a_server(tmp_path, port, door_port)
    assert answer.exit_code == 3
    assert "refused the door's certificate for api.stripe.com" in answer.output


def test_application_elsewhere_that_calls_nobody_is_told_the_vendors_name_and_the_certificate(
    port, tmp_path
):
    door_port, mock_port = free_port(), free_port()
    with answering(port, lambda: 200):
        answer = drill_a_server(tmp_path, port, door_port, "--port", str(mock_port))
    assert answer.exit_code == 4
    advice = answer.output.partition("saw no call")[2]
    for word in ("api.stripe.com", f"127.0.0.1:{door_port}", str(tmp_path / "ca" / "ca.pem")):
        assert word in advice
    assert str(mock_port) not in advice


def test_drill_whose_door_port_is_taken_keeps_its_door(port, tmp_path):
    with answering(port, lambda: 200):
        answer = drill_a_server(tmp_path, port, port)
    assert answer.exit_code == 4
    assert f"Port {port} is in use" in answer.output
    assert "leave" not in answer.output


def test_application_of_commands_that_starts_later_is_waited_for(tmp_path):
    tries, begun = tmp_path / "tries", tmp_path / "begun"
    state = tmp_path / "state.py"
    state.write_text(f"""if True:
        with open({str(tries)!r}, "a+") as file:
            file.write(".")
            file.seek(0)
            if len(file.read()) > 2:
                print("new")""")
    begin = tmp_path / "begin.py"
    begin.write_text(f"open({str(begun)!r}, 'w').write(open({str(tries)!r}).read())")
    commands = {"begin": f"{sys.executable} {begin}", "state": f"{sys.executable} {state}"}
    answer = drill_elsewhere(tmp_path, 0, **commands)
    assert answer.exit_code == 4  # it has begun, and called nobody
    assert begun.read_text() == "..."


def test_application_that_closes_the_connection_is_not_said_to_be_slow(drill, port):
    code = f"""if True:
        import socket
        with socket.create_server(("127.0.0.1", {port})) as server:
            while True:
                server.accept()[0].close()"""
    answer = drill([sys.executable, "-c", code])
    assert answer.exit_code == 3
    assert "closed the connection" in answer.output


# What is no verdict


def test_application_that_dies_at_its_start_is_said_with_its_last_line(drill):
    answer = drill([sys.executable, "-c", "raise SystemExit('no database')"])
    assert answer.exit_code == 3
    assert "ended by itself with exit code 1. Its last line: no database" in answer.output


def test_application_that_cannot_begin_is_said_once_with_what_it_wrote(drill, port):
    code = f"""if True:
        import os, sys
        from http.server import BaseHTTPRequestHandler, HTTPServer
        from urllib.request import Request, urlopen

        url = os.environ["DRILL_URL"] + "/v1/identity/verification_sessions"
        key = {{"Authorization": "Bearer " + os.environ["DRILL_KEY"]}}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                urlopen(Request(url, headers=key))
                print("no such profile", flush=True)
                self.send_error(500)

        HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()"""
    answer = drill([sys.executable, "-c", code])
    assert answer.exit_code == 3
    assert "answered 500 to the first --begin" in answer.output
    assert "no such profile" in answer.output
    assert "WRONG" not in answer.output


def test_what_the_application_writes_in_a_wrong_story_is_shown(drill, port, tmp_path):
    program = tmp_path / "talking.py"
    program.write_text(
        f"""
import runpy, sys, threading, time
print("at the start", flush=True)
def talk():
    while True:
        print("in the story", flush=True)
        time.sleep(0.05)
threading.Thread(target=talk, daemon=True).start()
sys.argv = {[str(word) for word in shop_command(port, tmp_path, "answers 500")[1:]]!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    )
    answer = drill([sys.executable, program], "--play", "begin,pass")
    assert answer.exit_code == 1, answer.output
    assert "REFUSES WEBHOOKS" in answer.stdout
    written = answer.stdout.partition("The application wrote:")[2]
    assert "in the story" in written
    assert "at the start" not in written


def test_secret_of_the_application_s_own_is_suspected_if_it_refuses_every_webhook(
    drill, port, tmp_path
):
    command = ["env", "DRILL_SECRET=whsec_of_its_own", *shop_command(port, tmp_path)]
    answer = drill(command, "--play", "begin,pass")
    assert answer.exit_code == 1, answer.output
    assert "a secret of its own" in answer.stdout


def test_second_drill_of_an_application_that_keeps_its_customers_is_played(drill, port, tmp_path):
    for _ in range(2):
        answer = drill(shop_command(port, tmp_path), "--play", "begin,pass")
        assert answer.exit_code == 0, answer.output


def test_port_of_another_program_is_said_and_nothing_is_started(drill, port, tmp_path):
    with subprocess.Popen([sys.executable, "-m", "http.server", str(port)]) as other:
        try:
            wait_until_it_listens(port)
            answer = drill([sys.executable, "-c", f"open({str(tmp_path / 'made')!r}, 'w')"])
        finally:
            other.kill()
    assert answer.exit_code == 3
    assert f"Port {port} is taken by another program" in answer.output
    assert not (tmp_path / "made").exists()


def test_application_that_never_calls_the_mock_is_asked_once(drill, port, tmp_path):
    command = [sys.executable, "-m", "http.server", str(port), "--directory", tmp_path]
    answer = drill(command, begin=f"http://127.0.0.1:{port}/?customer={{customer}}")
    assert answer.exit_code == 4
    assert "it may have called the vendor, and paid" in answer.output.replace("\n", " ")
    assert "right" not in answer.output


def test_unknown_word_of_a_state_is_no_verdict(drill, port, tmp_path):
    answer = drill(
        shop_command(port, tmp_path), "--play", "begin,pass", "--map", "approved=declined"
    )
    assert answer.exit_code == 1
    url = f"http://127.0.0.1:{port}"
    words = ("--vendor", "stripe", "--begin", f"POST {url}/verify?customer={{customer}}")
    command = [str(word) for word in shop_command(port, tmp_path)]
    answer = invoke_facematch("drill", *words, "--state", "echo done", "--", *command)
    assert answer.exit_code == 3
    assert "--map 'done=approved'" in answer.output


NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux names children")


def test_json_without_the_state_is_said_with_the_command_that_prints_it(drill, port, tmp_path):
    command = [str(word) for word in shop_command(port, tmp_path)]
    url = f"http://127.0.0.1:{port}"
    words = ("--vendor", "stripe", "--begin", f"POST {url}/verify?customer={{customer}}")
    state = """echo '{"kyc": "pending"}'"""
    answer = invoke_facematch("drill", *words, "--state", state, "--", *command)
    assert answer.exit_code == 3
    assert "jq -r .kyc" in answer.output


def test_restart_waits_until_the_killed_program_has_left_its_port(monkeypatch, port, tmp_path):
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "http.server", str(port), "--directory", str(tmp_path)]
    program = Program(command, dict(os.environ), [url])
    program.start()
    late = iter([True, True])
    listens = application.listens
    monkeypatch.setattr(application, "listens", lambda url: next(late, False) or listens(url))
    program.restart()
    assert requests.get(url, timeout=30).ok
    assert next(late, None) is None
    program.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a FIFO and a shell")
@pytest.mark.parametrize("started_by", ["", pytest.param("setsid", marks=NEEDS_LINUX)])
def test_command_that_takes_too_long_is_killed_with_what_it_started(
    monkeypatch, tmp_path, started_by
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)

    def time_out(process, timeout):
        # The child of the command is running, and holds the other end.
        assert select.select([reading], [], [], 30)[0]
        assert os.read(reading, 100) == b"started\n"
        raise subprocess.TimeoutExpired(process.args, timeout)

    monkeypatch.setattr(subprocess.Popen, "communicate", time_out)
    child = 'sh -c "echo started; exec sleep 300"'
    command = f"sh -c '{started_by} {child} > {fifo} & wait'"
    assert ask(command, "") == Answer()
    assert select.select([reading], [], [], 30)[0], "what the command started still runs"
    assert os.read(reading, 100) == b""
    os.close(reading)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_ended_drill_leaves_nothing_running(port, tmp_path, name):
    url = f"http://127.0.0.1:{port}"
    code = "from facematch_core.cli import main; main()"
    words = ["drill", "--vendor", "stripe", "--webhook", f"{url}/webhook"]
    words += ["--begin", f"POST {url}/verify?customer={{customer}}"]
    file = tmp_path / "drill.xml"
    words += ["--state", f"{url}/state?customer={{customer}}", "--junit", str(file), "--"]
    words += [str(word) for word in shop_command(port, tmp_path)]
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"right")
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == 130
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/state?customer=nobody", timeout=5)
    # What was played stays.
    assert ET.parse(file).getroot()[0].get("name") == STORIES["begin,pass"]


def wait_until_it_listens(port):
    gives_up_at = time.monotonic() + 30
    while time.monotonic() < gives_up_at:
        try:
            requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        except requests.ConnectionError:
            continue
        return
    raise AssertionError("it does not listen")


@pytest.mark.long
def test_day_shrinks_a_mistake_to_a_story_of_few_steps(drill, port, tmp_path):
    command = shop_command(port, tmp_path, "refuses after a failure")
    answer = drill(command, "--customers", "20", "--seed", "3")
    assert answer.exit_code == 1, answer.output
    day = answer.stdout.partition("A day with 20 customers")[2]
    stories = re.findall("--play '(.*?)'", day)
    assert stories
    assert all(len(story.split(",")) <= 5 for story in stories)
    assert len(re.findall(r"\d+ of \d+ steps", day)) in range(5, 11)


def test_application_that_runs_already_calls_the_mock_at_its_port(port, tmp_path):
    mock_port = free_port()
    file = tmp_path / "secret"
    file.write_text("whsec_of_the_shop")
    mock = {"DRILL_URL": f"http://127.0.0.1:{mock_port}", "DRILL_KEY": "mock-live-key"}
    environment = {**os.environ, **mock, "DRILL_SECRET": "whsec_of_the_shop"}
    command = [str(word) for word in shop_command(port, tmp_path)]
    url = f"http://127.0.0.1:{port}"
    words = ["--vendor", "stripe", "--webhook", f"{url}/webhook", "--secret-file", str(file)]
    words += ["--begin", f"POST {url}/verify?customer={{customer}}"]
    words += ["--state", f"{url}/state?customer={{customer}}", "--port", str(mock_port)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            wait_until_it_listens(port)
            right = invoke_facematch("drill", *words, "--play", "begin,other,hooks,begin,pass")
            killed = invoke_facematch("drill", *words, "--play", "begin,kill,pass")
        finally:
            process.kill()
    assert right.exit_code == 0, right.output
    assert f"must call the mock at http://127.0.0.1:{mock_port}" in right.stdout
    assert killed.exit_code == 2
    assert "needs the command that starts the application" in killed.output.replace("\n", " ")
