// The messages of persona 5.9.0, and its query of /widget (its dist/persona.mjs and dist/lib/interfaces.d.ts).
import { facts, isFramed, moment, say, session, status } from "./frame.mjs";

const query = new URLSearchParams(location.search);
const inquiry = { inquiryId: session, sessionToken: facts.sessionToken };

const send = (name, details) => {
  const message = {
    name,
    containerId: query.get("container-id"),
    // The SDK ignores messages about another template than its own; one without a template compares with undefined.
    templateId: query.get("inquiry-template-id") ?? query.get("template-id") ?? undefined,
    templateVersionId: query.get("inquiry-template-version-id"),
    ...details,
  };
  say(message, query.get("message-target-origin") ?? query.get("iframe-origin") ?? "*");
};

/** Wait until the SDK asks for an action: open or exit. */
const asked = (action) => new Promise((resolve) => {
  addEventListener("message", ({ source, data }) => {
    if (source === parent && data.action === action) resolve();
  });
});

const unauthenticated = { status: 409, code: "unauthenticated" };
// Without the id of an inquiry the SDK has asked for a new one.
const unknown = query.has("inquiry-id") ? unauthenticated : { status: 400, code: "invalid_config" };
const end = ["declined", "failed"].includes(status) ? "fail" : "complete";

const MESSAGES = {
  opened: [["load"], ["ready"]],
  finished: [[end, { metadata: { inquiryId: session, status, fields: facts.fields } }]],
  left: [["exit", { metadata: inquiry }]],
  expired: [["error", { error: unauthenticated }]],
  over: [["error", { error: unauthenticated }]],
  unknown: [["error", { error: unknown }]],
};
for (const [name, details] of MESSAGES[moment] ?? []) send(name, details);

const buttons = document.querySelector(".acts");
buttons?.closest("form").addEventListener("submit", ({ submitter }) => {
  // An inquiry begins with the person's first action.
  if (status === "created" && submitter.value !== "expire") send("start", { metadata: inquiry });
});
if (isFramed) {
  asked("exit").then(() => buttons?.querySelector("[value=abandon]").click());
  if (moment === "left") asked("open").then(() => location.replace(location.href));
  // The embedded flow is loaded before it is shown; versions before 4.6 do not say when.
  const tellsOpening = !/^(3|4\.[0-5])\./.test(query.get("client-version"));
  if (moment === "opened" && query.get("flow-type") === "embedded" && tellsOpening) await asked("open");
}
