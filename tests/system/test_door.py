"""Programs whose vendor's host is a constant, behind `facematch mock --door`.

All run in one network of their own, in which nothing but loopback can be reached, and strace
records every address that any of them connects or sends to.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from system.browser import Browser

from facematch_mock_server import MockServer, card_sheet
from facematch_mock_server.door import Door

PROGRAMS = Path(__file__).with_name("door_programs")
NPM = ("undici@6", "axios@1", "got@14", "@aws-sdk/client-rekognition@3", "playwright-core@1")
NPM += ("stripe@23.1.0",)
APPROVED, ONE_MATCH, TOKEN = "Approved", "matches 1", "token True"
#: What each program prints if the mock answered it.
REACHES = {
    "with_aiohttp.py": APPROVED,
    "with_azure_sdk.py": "faces 1",
    "with_baidu_aip.py": "score above 80 True",
    "with_alibaba_sdk.py": "confidence above the last threshold True",
    "with_boto3.py": ONE_MATCH,
    "with_facepp.py": "confidence above 80 True",
    "with_http_client.py": TOKEN,
    "with_httpx.py": APPROVED,
    "with_httpx_async.py": APPROVED,
    "with_onfido_sdk.py": "session awaiting_input",
    "with_own_server.py": ONE_MATCH,
    "with_persona.py": "session created",
    "with_requests.py": APPROVED,
    "with_sockets.py": "HTTP/1.1 200 OK",
    "with_stripe_sdk.py": "session requires_input False",
    "with_sumsub.py": "session init",
    "with_tencent_sdk.py": "score above 50 True",
    "with_urllib.py": TOKEN,
    "with_urllib3.py": APPROVED,
    "with_urllib3_and_certifi.py": APPROVED,
    "with_uvloop.py": "HTTP/1.1 200 OK",
    "with_aws_sdk.mjs": ONE_MATCH,
    "with_axios.cjs": APPROVED,
    "with_fetch.mjs": APPROVED,
    "with_got.mjs": "token true",
    "with_https.cjs": "token true",
    "with_playwright.mjs": "the app, Show your face and your document",
    "with_stripe_sdk.mjs": "session requires_input true",
    "with_undici.mjs": APPROVED,
    "with_veriff.mjs": "session created null",
    "with_curl.sh": '"status":"Approved"',
    "with_curl.php": APPROVED,
    "with_net_http.go": "token true",
    "with_net_http.rb": "token true",
    "with_net_http_and_no_proxy.rb": "token true",
    "with_own_authorities.rb": "token true",
    "with_streams.php": "HTTP/1.1 200 OK, token true",
    "WithHttpClient.java": "token true",
    "WithUrlConnection.java": "token true",
}
#: The programs that find no way past the door, which does not see them.
STOPPED = ("WithNoProxy.java",)
#: The programs that the door refuses, and what it says.
REFUSED = {"with_http2.mjs": "HTTP/2 is not imitated"}
OPTIONS = ["--door", "--any-key", "--door-host", "compreface.corp.example=compreface"]
#: A network of one's own, as the page shows it. As root, without becoming root.
APART = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
UP = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
#: Chromium connects a UDP socket to this address to ask the kernel for a route, and sends nothing.
CHROMIUMS_ROUTE = "2001:4860:4860::8888"
ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@pytest.fixture(scope="module")
def folder(tmp_path_factory, install_from_npm, run_command):
    made = tmp_path_factory.mktemp("door")
    for program in PROGRAMS.iterdir():
        shutil.copy(program, made)
    sheet = card_sheet()
    (made / "selfie.png").write_bytes(sheet["p1-again"].data)
    (made / "id.png").write_bytes(sheet["p1"].data)
    install_from_npm(made, *NPM)
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--target", made / "packages")
    run_command(*pip, "aiohttp>=3.10", "aiodns>=3.2", "uvloop>=0.21", "onfido-python==6.2.0")
    run_command(*pip, "stripe==16.1.0")
    return made


@pytest.fixture(scope="module")
def ran(folder, find_program, missing_program):
    """What each program printed, what the door reported, and all addresses, by strace."""
    for name in ("strace", "unshare", "ip", "curl", "javac", "php", "ruby", "go"):
        find_program(name)
    chromium = find_program("chromium")
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        missing_program("the right to a network of its own (unshare --net)")
    runners = {
        ".py": shlex.quote(sys.executable),
        ".mjs": "node",
        ".cjs": "node",
        ".sh": "sh",
        ".java": "java",
        ".php": "php",
        ".rb": "ruby",
        ".go": "go run",
    }
    lines = [
        f"timeout 60 {runners[Path(name).suffix]} {name} > {name}.out 2> {name}.err"
        for name in (*REACHES, *REFUSED, *STOPPED)
    ]
    (folder / "all.sh").write_text("\n".join([*lines, "exit 9\n"]))
    facematch = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
    strace = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    strace += ["-e", "signal=none", "-o", folder / "trace"]
    done = subprocess.run(
        [*APART, *UP, *strace, *facematch, "mock", *OPTIONS, "--", "sh", "all.sh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "packages"), "CHROMIUM": chromium},
    )
    assert (done.returncode, done.stdout) == (9, ""), done.stderr
    return folder, done.stderr


@pytest.mark.parametrize("name", REACHES)
def test_program_with_a_constant_host_reaches_the_mock(ran, name):
    folder, _ = ran
    printed = (folder / f"{name}.out").read_text().strip()
    assert printed == REACHES[name], (folder / f"{name}.err").read_text()


@pytest.mark.parametrize("name", REFUSED)
def test_program_of_another_protocol_is_refused_with_the_reason(ran, name):
    folder, said = ran
    assert (folder / f"{name}.out").read_text().startswith("refused")
    assert REFUSED[name] in said


@pytest.mark.parametrize("name", STOPPED)
def test_program_that_does_not_reach_the_mock_fails(ran, name):
    folder, _ = ran
    assert (folder / f"{name}.out").read_text() == "refused\n"


def test_no_program_connects_to_another_address(ran):
    folder, _ = ran
    addresses = set()
    for line in (folder / "trace").read_text().splitlines():
        if "connect(" in line and CHROMIUMS_ROUTE in line:
            continue
        for found in ADDRESS.finditer(line):
            addresses.add(found[1] or found[2])
    assert "127.0.0.1" in addresses
    assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


OTHERS = {
    "python": [
        sys.executable,
        "-c",
        "import http.client; http.client.HTTPSConnection('example.com').connect()",
    ],
    "node": ["node", "-e", "fetch('https://example.com').catch(e => { throw e.cause })"],
    "curl": ["curl", "--silent", "--show-error", "--fail", "https://example.com"],
    "java": ["java", "Other.java"],
}
JAVA = """
public class Other {
    public static void main(String[] arguments) throws Exception {
        new java.net.URL("https://example.com/").openStream();
    }
}
"""


@pytest.mark.parametrize("language", OTHERS)
def test_other_hosts_are_refused_in_each_language(language, tmp_path, find_program):
    find_program({"python": "sh", "java": "javac"}.get(language, language))
    (tmp_path / "Other.java").write_text(JAVA)
    facematch = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
    done = subprocess.run(
        [*facematch, "mock", "--door", "--", *OTHERS[language]],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=tmp_path,
    )
    assert done.returncode not in (0, 126, 127)
    assert "refused example.com" in done.stderr


START_SESSION = {
    "timeout": 30,
    "url": "https://verification.didit.me/v3/session/",
    "json": {"workflow_id": "11111111-2222-4333-8444-555555555555", "vendor_data": "customer"},
}


def test_browser_with_the_key_of_the_door_opens_the_page_at_the_vendors_host(
    mock_door, find_program, tmp_path
):
    answer = requests.post(**START_SESSION, headers={"x-api-key": mock_door.live_key})
    link = answer.json()["url"]
    assert link.startswith("https://verify.didit.me/")
    browser = Browser(
        find_program("chromium"),
        tmp_path,
        f"--proxy-server={os.environ['HTTPS_PROXY']}",
        f"--ignore-certificate-errors-spki-list={os.environ['FACEMATCH_DOOR_SPKI']}",
    )
    play_the_person(browser, link)
    (session,) = mock_door.control.sessions.all()
    assert session.status == "Approved"


def test_browser_without_a_proxy_opens_the_page_that_is_on_loopback(find_program, tmp_path):
    browser_program = find_program("chromium")
    with MockServer() as server, Door(server, loopback_links=True) as door:
        proxies, ca_file = {"https": door.url}, str(door.authority.pem)
        headers = {"x-api-key": server.live_key}
        answer = requests.post(**START_SESSION, headers=headers, proxies=proxies, verify=ca_file)
        play_the_person(Browser(browser_program, tmp_path), answer.json()["url"])
        (session,) = server.control.sessions.all()
    assert session.status == "Approved"


def play_the_person(browser, link):
    try:
        browser.open(link)
        assert browser.value("document.styleSheets.length") == 1  # also from the page's host
        browser.value("document.querySelector('button[value=card]').click()")
        browser.wait("document.title.startsWith('Finished')")
    finally:
        browser.close()


def test_node_started_in_a_test_with_the_fixture_reaches_the_mock(
    mock_door, find_program, run_command
):
    run_command(find_program("node"), "-e", "fetch('https://verification.didit.me/x')")
    assert [entry.path for entry in mock_door.control.journal()] == ["/x"]
