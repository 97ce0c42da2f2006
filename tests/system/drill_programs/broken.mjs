// A shop at Stripe in Node that is broken in the way of its second argument.
import http from "node:http";

const [port, way] = process.argv.slice(2);
const SESSIONS = "https://api.stripe.com/v1/identity/verification_sessions";
const states = {};

async function begin(customer) {
  if (way === "no migration") throw new Error("no such table: customers");
  const answer = await fetch(SESSIONS, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.STRIPE_SECRET_KEY}`, "Idempotency-Key": customer,
      "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ type: "document", "metadata[customer]": customer }).toString(),
  });
  states[customer] = "open";
  return { url: (await answer.json()).url };
}

function receive(body) {
  if (way === "crashes") {
    console.log("out of memory");
    process.exit(9);
  }
  if (way === "bug in the receiver") throw new Error("no column named session");
  const session = JSON.parse(body).data.object;
  if (session.status === "verified") states[session.metadata.customer] = "approved";
  return {};
}

http.createServer(async (request, response) => {
  const url = new URL(request.url, "http://shop");
  const customer = url.searchParams.get("customer");
  let body = "";
  for await (const part of request) body += part;
  console.log(request.method, request.url);
  try {
    let answer;
    if (url.pathname === "/verify") answer = await begin(customer);
    else if (url.pathname === "/webhook") answer = receive(body);
    else if (url.pathname === "/state") answer = { state: states[customer] ?? "new", booked: 0 };
    response.writeHead(answer ? 200 : 404).end(JSON.stringify(answer ?? {}));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(String(error));
  }
}).listen(Number(port), "127.0.0.1");
