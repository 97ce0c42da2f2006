// A server that sends customers to Didit, and believes its signed webhooks.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const DIDIT = "https://verification.didit.me/v3";
const approved = new Set();

async function begin() {
  const answer = await fetch(`${DIDIT}/session/`, {
    method: "POST",
    headers: { "x-api-key": process.env.DIDIT_API_KEY, "content-type": "application/json" },
    body: JSON.stringify({ workflow_id: process.env.DIDIT_WORKFLOW_ID, vendor_data: "customer-17" }),
  });
  if (!answer.ok) throw new Error(`Didit answered ${answer.status}`);
  return (await answer.json()).session_id;
}

function receive(headers, body) {
  if (!(Math.abs(Date.now() / 1000 - Number(headers["x-timestamp"])) <= 300)) return 401;
  const expected = createHmac("sha256", process.env.DIDIT_WEBHOOK_SECRET).update(body).digest();
  const given = Buffer.from(headers["x-signature"] ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 401;
  const { session_id: session, status } = JSON.parse(body);
  if (status === "Approved") approved.add(session);
  else approved.delete(session);
  return 204;
}

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://app");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    if (pathname === "/begin") response.end(await begin());
    else if (pathname === "/webhook") response.writeHead(receive(request.headers, Buffer.concat(chunks))).end();
    else if (pathname === "/verdict") response.end(approved.has(searchParams.get("session")) ? "yes" : "no");
    else response.writeHead(404).end();
  } catch (error) {
    console.error(error);
    response.writeHead(503).end("later");
  }
}).listen(8000);
