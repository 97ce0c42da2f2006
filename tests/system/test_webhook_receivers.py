"""The receivers of `docs/test/receive-webhooks.md`: a drill, a rolled secret, odd headers."""

import contextlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import requests
from kit.commands import invoke_facematch
from kit.rawserver import free_port

from facematch_mock_server import MockServer
from facematch_mock_server.drill.application import wait_for_listeners

PAGE = Path(__file__).parents[2] / "docs/test/receive-webhooks.md"
BLOCK = re.compile(r'```\w+ title="(.*?)"\n(.*?)```', re.DOTALL)
#: What a framework does: it hands the raw request on.
SERVERS = {
    "serve.mjs": """
import { createServer } from "node:http";
import { POST } from "./route.mjs";
createServer(async (incoming, answer) => {
  const parts = [];
  for await (const part of incoming) parts.push(part);
  const body = Buffer.concat(parts);
  const url = "http://127.0.0.1/webhook";
  const request = new Request(url, { method: "POST", headers: incoming.headers, body });
  const response = await POST(request);
  answer.writeHead(response.status).end();
}).listen(Number(process.argv[2]), "127.0.0.1");
""",
    "serve.rb": """
require "socket"
require_relative "webhook"
server = TCPServer.new("127.0.0.1", Integer(ARGV[0]))
loop do
  client = server.accept
  next client.close unless client.gets # a connection that asks whether somebody listens
  headers = {}
  while (line = client.gets) && line != "\\r\\n"
    name, value = line.split(":", 2)
    headers[name.downcase] = value.strip
  end
  body = client.read(headers["content-length"].to_i)
  status = receive(body, headers["stripe-signature"])
  client.write("HTTP/1.1 #{status} x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
  client.close
end
""",
}
COMMANDS = {
    "Next.js": "node serve.mjs {port}",
    "Laravel": "php -S 127.0.0.1:{port} webhook.php",
    "Rails": "ruby serve.rb {port}",
}


MALFORMED = (
    "",
    "garbage",
    "t=1",
    "t,v1",
    "v1",
    "t=x,v1=",
    "t={now},v1=caf\u00e9",
    "\u00ff=\u00ff,t={now}",
)


@pytest.fixture
def write_receiver(tmp_path, monkeypatch, find_program):
    """Write the page's code; return the command of a framework's receiver, and its URL."""
    for title, code in [*BLOCK.findall(PAGE.read_text()), *SERVERS.items()]:
        (tmp_path / title).write_text(code)
    monkeypatch.chdir(tmp_path)

    def write(framework):
        port = free_port()
        command = COMMANDS[framework].format(port=port).split()
        find_program(command[0])
        return command, f"http://127.0.0.1:{port}/webhook"

    return write


@pytest.mark.parametrize("framework", COMMANDS)
def test_receiver_of_the_page_takes_what_is_signed_and_nothing_else(framework, write_receiver):
    command, url = write_receiver(framework)
    ended = invoke_facematch("drill", "--vendor", "stripe", "--webhook", url, "--", *command)
    assert ended.exit_code == 0, ended.output


@contextlib.contextmanager
def running(command, url, secret):
    environment = {**os.environ, "STRIPE_WEBHOOK_SECRET": secret}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for_listeners([url])
            yield
        finally:
            process.terminate()


@pytest.fixture
def rolled():
    """A webhook that is signed with two secrets, and the secrets."""
    with MockServer(vendor="stripe") as mock:
        # Nobody listens at the port 9: the delivery is read here, and is not sent.
        hooks = mock.control.webhooks
        added = hooks.add("http://127.0.0.1:9/", held=True)
        secrets = (added.secret, hooks.roll(added.uuid).secret)
        url = f"{mock.url}/v1/identity/verification_sessions"
        auth, fields = (mock.live_key, ""), {"type": "document"}
        session_id = requests.post(url, auth=auth, data=fields, timeout=20).json()["id"]
        mock.control.sessions.finish(session_id, "p1")
        yield hooks.delivery(hooks.deliveries()[0].id), secrets


@pytest.mark.parametrize("framework", COMMANDS)
def test_receiver_of_the_page_takes_either_secret_and_refuses_a_malformed_header(
    framework, write_receiver, rolled
):
    letter, secrets = rolled
    command, url = write_receiver(framework)
    now = letter.headers["Stripe-Signature"].partition(",")[0].removeprefix("t=")
    for secret in secrets:
        with running(command, url, secret):
            taken = requests.post(url, data=letter.body, headers=letter.headers, timeout=20)
            assert taken.status_code == 200
            for header in MALFORMED:
                headers = {"Stripe-Signature": header.format(now=now).encode("latin-1")}
                refused = requests.post(url, data=b"{}", headers=headers, timeout=20)
                assert refused.status_code == 400, header
