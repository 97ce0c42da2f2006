// Functions that do not need a document, so that Node.js can import them.

// Return text that is safe to show: shortened, without control characters and text direction controls.
export function clean(value, length = 400) {
  const text = String(value);
  const cut = text.length > length ? `${text.slice(0, length)}… (${text.length.toLocaleString()} characters)` : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// Return the token in the URL, or else the stored one, and the URL's fragment without the token.
export function readToken(hash, kept) {
  const token = new URLSearchParams(hash.slice(1)).get("token");
  return { token: token ?? kept ?? "", hash: token === null ? hash : "#calls" };
}

// Parse a fragment: `#/accounts/case-7/calls/12`, or only a view, in the current account.
export function address(hash) {
  const path = hash.replace(/^#/, "").split("/").filter(Boolean);
  const [account, view, number] = path[0] === "accounts" && path.length > 1 ? path.slice(1) : [null, ...path];
  return { account, view: view ?? "calls", number: /^[0-9]{1,15}$/.test(number) ? Number(number) : null };
}

export const hashOf = (account, view, number) => `#/accounts/${account}/${view}${number ? `/${number}` : ""}`;

// Return the headers of every control request: the token and the account, if any.
export const authHeaders = (token, account) => ({ ...(token && { "X-Mock-Token": token }), ...(account && { "X-Facematch-Account": account }) });

// Yield JSON in pieces with their types; a list of numbers (such as a box) is one line.
export function* tokens(value, pad = "") {
  const isList = Array.isArray(value), inner = `${pad}  `;
  if (value === null || typeof value !== "object") {
    yield [typeof value === "string" ? "text" : "number", JSON.stringify(value)];
  } else if (isList && value.length && value.every((item) => typeof item === "number")) {
    yield ["", "["];
    yield ["number", value.join(", ")];
    yield ["", "]"];
  } else {
    const entries = Object.entries(value);
    yield ["", isList ? "[" : "{"];
    for (const [at, [name, inside]] of entries.entries()) {
      yield ["", `${at ? "," : ""}\n${inner}`];
      if (!isList) yield ["name", JSON.stringify(name)];
      if (!isList) yield ["", ": "];
      yield* tokens(inside, inner);
    }
    yield ["", `${entries.length ? `\n${pad}` : ""}${isList ? "]" : "}"}`];
  }
}

// Parse one server-sent event: its fields by name.
export function parseEvent(event) {
  return Object.fromEntries(event.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
}

export const dollars = (amount) => (amount == null ? "" : `$${amount.replace(/00$/, "")}`);
// Two decimals; four of a score from 0 to 1.
export const rounded = (score) => (typeof score === "number" ? String(Number(score.toFixed(score > 0 && score < 1 ? 4 : 2))) : score);
export const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0) * 137) % 3600, 7) % 360;
// Return the colour class of a vendor's value, for display only.
export function tone(word) {
  if (/^(true|approved|match|live|delivered)$/i.test(word)) return "good";
  if (/^(false|declined|no_match|failed|dropped|rejected)$/i.test(word)) return "bad";
  return /review|pending|waiting|resubmitted/i.test(word) ? "wait" : "";
}

// Return a call's problem in a word or two; empty for a successful call.
export function trouble({ status, note }) {
  if (note?.startsWith("fault")) return "fault";
  if (status == null) return "no answer";
  return status < 400 ? "" : status < 500 ? "refused" : "failed";
}

// Return whose word an answer is, if it is not the mock's.
export const author = ({ reply, recorded }) => (recorded ? "recorded" : reply ? "own reply" : "");

export const kind = (call) => author(call) || (trouble(call) ? "fail" : tone(String(call.verdict)));

// Return the searchable text of a call, without filters.
export function searchText(call) {
  const people = call.pictures.map(({ card }) => card?.person), fields = Object.entries(call.fields).map((pair) => pair.join("="));
  return [call.method, call.path, call.status, call.vendor, call.key, call.verdict, call.reason, call.note, ...fields, ...people].join(" ").toLowerCase();
}

// The condition of each search filter.
const FILTERS = {
  status: (call, text) => String(call.status) === text,
  path: (call, text) => call.path.startsWith(text),
  person: (call, text) => call.pictures.some(({ card }) => card?.person === text),
  // The journal truncates long values.
  field: (call, text) => Object.entries(call.fields).some(([name, value]) => text === name || text === `${name}=${value}` || (value.endsWith("…") && text.startsWith(`${name}=${value.slice(0, -1)}`))),
};

// Parse a search: filters such as `status:503 field:vendor_data="case 7"`, and free words.
export function parseSearch(text) {
  const terms = [...text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)].map(([term]) => term.replaceAll('"', ""));
  const named = terms.map((term) => /^(status|path|person|field):(.*)$/s.exec(term));
  return { words: terms.filter((_, at) => !named[at]).map((term) => term.toLowerCase()), filters: named.filter((match) => match?.[2]).map(([, name, value]) => [name, value]) };
}

export function fits(call, { tile, vendor, words, filters = [] }) {
  return (tile === "all" || call.kind === tile) && (!vendor || call.vendor === vendor)
    && words.every((word) => call.words.includes(word)) && filters.every(([name, text]) => FILTERS[name](call, text));
}

// Describe the unusual facts of a card.
export function cardWords(card) {
  if (!card) return null;
  const usual = { faces: 1, turned: 0, attack: false, review: false };
  const facts = ["person", "faces", "score", "liveness", "attack", "turned", "review", "status", "retry_after", "delay", "lost"];
  const special = facts.filter((name) => card[name] != null && card[name] !== usual[name]);
  return special.map((name) => (card[name] === true ? name : `${name} ${card[name]}`)).join(", ");
}

// Describe when a delivery is due on the mock's clock; a stopped clock must be advanced first.
export function whenDue(delivery, { now, stands }, time) {
  if (delivery.state !== "pending" || !delivery.due) return "";
  if (new Date(delivery.due) <= new Date(now)) return "due now";
  return stands ? `paused until the clock is advanced to ${time(delivery.due)}` : `due ${time(delivery.due)}`;
}
