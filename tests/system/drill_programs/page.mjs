// A shop around the program of the page about Node: its routes, and what it stores.
import { createServer } from "node:http";
import { start } from "./didit.mjs";
import { webhookServer } from "./server.mjs";

const orders = new Map(); // by order, its sessions in order: { sessionId, url, state }
const starting = new Map();

async function begin(orderId) {
  const sessions = orders.get(orderId) ?? [];
  orders.set(orderId, sessions);
  const open = sessions.findLast((each) => each.state !== "ended");
  if (open) return open;
  const session = { ...(await start(orderId, process.env.DIDIT_WORKFLOW_ID)), state: "open" };
  sessions.push(session);
  return session;
}

function beginOnce(orderId) {
  if (!starting.has(orderId)) starting.set(orderId, begin(orderId).finally(() => starting.delete(orderId)));
  return starting.get(orderId);
}

function stateOf(orderId) {
  const states = (orders.get(orderId) ?? []).map((each) => each.state);
  if (states.includes("approved")) return "approved";
  return states.at(-1) === "open" ? "open" : "none";
}

const STATES = { Approved: "approved", Declined: "ended", Expired: "ended", Abandoned: "ended" };

const webhooks = webhookServer(process.env.DIDIT_WEBHOOK_SECRET, (orderId, sessionId, status) => {
  const session = (orders.get(orderId) ?? []).find((each) => each.sessionId === sessionId);
  if (session) session.state = STATES[status] ?? "open";
});

createServer(async (request, response) => {
  const url = new URL(`http://localhost${request.url}`);
  const orderId = url.searchParams.get("customer");
  if (url.pathname === "/webhook") return webhooks.emit("request", request, response);
  try {
    const answer = url.pathname === "/verify" ? await beginOnce(orderId) : { state: stateOf(orderId) };
    response.end(JSON.stringify(answer));
  } catch {
    response.writeHead(503).end();
  }
}).listen(Number(process.argv[2]), "127.0.0.1");
