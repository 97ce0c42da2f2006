// Both kinds of session by Microsoft's own client, in the calls of its README.
import createFaceClient, { isUnexpected } from "@azure-rest/ai-vision-face";
import { readFileSync } from "node:fs";

const [endpoint, key, picture] = process.argv.slice(2);
// The mock has no TLS, without which this client sends nothing by itself.
const client = createFaceClient(endpoint, { key }, { allowInsecureConnection: true });

async function act(id, what, card) {
  const body = JSON.stringify({ session_id: id, do: what, ...(card && { card }) });
  const headers = { "Content-Type": "application/json" };
  await fetch(`${endpoint}/__mock__/sessions/act`, { method: "POST", headers, body });
}

async function ask(call) {
  const answer = await call;
  return { status: answer.status, unexpected: isUnexpected(answer), body: answer.body,
           code: answer.headers["x-ms-error-code"] };
}

const seen = {};
const fields = { livenessOperationMode: "PassiveActive", enableSessionImage: true,
                 deviceCorrelationId: "723d6d03-ef33-40a8-9682-23a1feb7bccd" };
const parts = [
  ...Object.entries(fields).map(([name, body]) => ({ name, body })),
  { name: "verifyConfidenceThreshold", body: 0.9 },
  { name: "verifyImage", body: readFileSync(picture), filename: "id.png", contentType: "image/png" },
];
for (const [path, content] of [
  ["/detectLiveness-sessions", { body: fields }],
  ["/detectLivenessWithVerify-sessions", { contentType: "multipart/form-data", body: parts }],
]) {
  const start = await ask(client.path(path).post(content));
  const id = start.body.sessionId;
  const one = () => client.path(`${path}/{sessionId}`, id);
  await act(id, "fail_attempt");
  const between = await ask(one().get());
  await act(id, "card", "p1-again");
  const read = await ask(one().get());
  const image = read.body.results.attempts[0].result.sessionImageId;
  const got = await client.path("/sessionImages/{sessionImageId}", image).get().asNodeStream();
  const chunks = [];
  for await (const chunk of got.body) chunks.push(chunk);
  const bytes = Buffer.concat(chunks).length;
  const gone = [await ask(one().delete()), await ask(one().get())];
  seen[path] = { start, between, read, bytes, gone };
}
delete fields.deviceCorrelationId;
seen.refused = await ask(client.path("/detectLiveness-sessions").post({ body: fields }));
console.log(JSON.stringify(seen));
