"""The receivers of `docs/test/receive-webhooks.md`, tried by `facematch drill` alone."""

import re
from pathlib import Path

import pytest
from kit.commands import invoke_facematch
from kit.rawserver import free_port

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


@pytest.mark.parametrize("framework", COMMANDS)
def test_receiver_of_the_page_takes_what_is_signed_and_nothing_else(
    framework, tmp_path, monkeypatch, find_program
):
    for title, code in [*BLOCK.findall(PAGE.read_text()), *SERVERS.items()]:
        (tmp_path / title).write_text(code)
    monkeypatch.chdir(tmp_path)
    port = free_port()
    command = COMMANDS[framework].format(port=port).split()
    find_program(command[0])
    url = f"http://127.0.0.1:{port}/webhook"
    ended = invoke_facematch("drill", "--vendor", "stripe", "--webhook", url, "--", *command)
    assert ended.exit_code == 0, ended.output
