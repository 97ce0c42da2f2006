"""Programs behind the door reach their own database, and public hosts only if they are allowed.

All run in a network of their own with one private address, and with a hosts file of their own.
"""

import os
import shlex
import subprocess
import sys

import pytest

ADDRESS = "10.77.0.5"
#: A second address on loopback that is no private one: it stands for a public server.
PUBLIC = "203.0.113.9"
APART = ["unshare", "--net", "--mount"]
if os.geteuid() != 0:
    APART.insert(1, "--map-root-user")
UP = (
    "ip link set lo up && "
    f"ip address add {ADDRESS}/32 dev lo && ip address add {PUBLIC}/32 dev lo && "
    'mount --bind hosts /etc/hosts && exec "$@"'
)
SERVER = """
import http.server, pathlib
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"own")
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", 5432), Answer)
pathlib.Path("ready").touch()
server.serve_forever()
"""
PYTHON = """
import socket
for host in ("db", "db.example.com", "elsewhere.example.com"):
    try:
        with socket.create_connection((host, 5432), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            print(host, b"".join(iter(lambda: connection.recv(99), b"")).endswith(b"own"))
    except OSError as error:
        print(host, "refused" in str(error))
"""
NODE = """
const net = require("net");
for (const host of ["db", "db.example.com", "elsewhere.example.com"]) {
  const socket = net.connect(5432, host, () => socket.write("GET / HTTP/1.0\\r\\n\\r\\n"));
  let received = "";
  socket.on("data", (part) => (received += part));
  socket.on("end", () => console.log(host, received.endsWith("own")));
  socket.on("error", (error) => console.log(host, String(error).includes("refused")));
}
fetch("http://db:5432/").then(async (answer) => console.log("fetch", await answer.text()));
"""
RESULTS = {"db True", "db.example.com True", "elsewhere.example.com True"}


@pytest.fixture(scope="module")
def ran(tmp_path_factory, find_program, missing_program):
    for name in ("unshare", "ip", "curl", "node"):
        find_program(name)
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        missing_program("the right to a network of its own (unshare --net --mount)")
    folder = tmp_path_factory.mktemp("own_hosts")
    names = {"db": ADDRESS, "db.example.com": PUBLIC, "elsewhere.example.com": PUBLIC}
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in names.items())]
    (folder / "hosts").write_text("".join(f"{line}\n" for line in lines))
    for name, program in {"server.py": SERVER, "own.py": PYTHON, "own.cjs": NODE}.items():
        (folder / name).write_text(program)
    python = shlex.quote(sys.executable)
    (folder / "all.sh").write_text(
        f"{python} -S server.py & server=$!\n"
        "while [ ! -e ready ]; do sleep 0.05; done\n"
        f"timeout 60 {python} own.py > python.out 2>&1\n"
        "timeout 60 node own.cjs > node.out 2>&1\n"
        "curl -s http://db:5432/ > curl.out\n"
        "curl -s -p http://db:5432/ > tunnel.out\n"
        "kill $server\n"
    )
    facematch = [sys.executable, "-c", "from facematch_core.cli import main; main()"]
    door = ["mock", "--door", "--allow-host", "db.example.com", "--", "sh", "all.sh"]
    done = subprocess.run(
        [*APART, "sh", "-c", UP, "sh", *facematch, *door],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return folder, done.stderr


def printed_by(file):
    """Return a program's lines, with Python's word for true."""
    return set(file.read_text().replace("true", "True").splitlines())


def test_python_reaches_its_database(ran):
    folder, _ = ran
    assert printed_by(folder / "python.out") == RESULTS


def test_node_reaches_its_database_by_sockets_and_by_fetch(ran):
    folder, _ = ran
    assert printed_by(folder / "node.out") == {*RESULTS, "fetch own"}


def test_proxy_client_reaches_its_database_by_requests_and_by_a_tunnel(ran):
    folder, _ = ran
    assert (folder / "curl.out").read_text() == (folder / "tunnel.out").read_text() == "own"


def test_each_host_that_passes_is_named_once_and_the_others_are_refused(ran):
    _, report = ran
    for name in ("db", "db.example.com"):
        assert report.count(f"connections to {name} pass") == 1
        assert f"--door-host {name}=VENDOR" in report
    assert "--allow-host elsewhere.example.com" in report
    assert ADDRESS not in report
