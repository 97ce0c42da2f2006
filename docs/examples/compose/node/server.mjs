// A server that sends customers to Didit, and takes its signed webhooks as a reason to ask.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const DIDIT = "https://verification.didit.me/v3";
const approved = new Set();
let reads = Promise.resolve(); // one at a time: a slow read must not overwrite what a later one found

async function call(path, options = {}) {
  const headers = { "x-api-key": process.env.DIDIT_API_KEY, "content-type": "application/json" };
  const answer = await fetch(`${DIDIT}${path}`, { ...options, headers, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`Didit answered ${answer.status}`);
  return answer.json();
}

async function begin() {
  const body = JSON.stringify({ workflow_id: process.env.DIDIT_WORKFLOW_ID, vendor_data: "customer-17" });
  return (await call("/session/", { method: "POST", body })).session_id;
}

async function look(session) {
  const { status } = await call(`/session/${session}/decision/`);
  if (status === "Approved") approved.add(session);
  else approved.delete(session);
}

async function receive(headers, body) {
  const expected = createHmac("sha256", process.env.DIDIT_WEBHOOK_SECRET).update(body).digest();
  const given = Buffer.from(headers["x-signature"] ?? "", "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 401;
  const { session_id: session, timestamp } = JSON.parse(body);
  // The time is the body's: no signature covers X-Timestamp.
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= 300)) return 401;
  const read = reads.then(() => look(session));
  reads = read.catch(() => {});
  await read;
  return 204;
}

createServer(async (request, response) => {
  try {
    const { pathname, searchParams } = new URL(`http://app${request.url}`);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (pathname === "/begin") response.end(await begin());
    else if (pathname === "/webhook") response.writeHead(await receive(request.headers, Buffer.concat(chunks))).end();
    else if (pathname === "/verdict") response.end(approved.has(searchParams.get("session")) ? "yes" : "no");
    else response.writeHead(404).end();
  } catch (error) {
    // An error that leaves this function ends the program; after 503, Didit delivers again.
    console.error(error);
    response.writeHead(503).end("later");
  }
}).listen(8000);
