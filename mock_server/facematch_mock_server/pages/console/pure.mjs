// What the page works out without a document: node can import it, too.

// Text as it may be shown: short, and without what could steer a terminal or turn letters around.
export function clean(value, length = 400) {
  const text = String(value);
  const cut = text.length > length ? `${text.slice(0, length)}… (${text.length.toLocaleString()} characters)` : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// The token that the page begins with: that of its address, which forgets it, or the one it had before.
export function readToken(hash, kept) {
  const token = new URLSearchParams(hash.slice(1)).get("token");
  return { token: token ?? kept ?? "", hash: token === null ? hash : "#calls" };
}

// What an address of the page names: `#/accounts/case-7/calls/12`, or a view alone of the account that is shown.
export function address(hash) {
  const path = hash.replace(/^#/, "").split("/").filter(Boolean);
  const [account, view, number] = path[0] === "accounts" && path.length > 1 ? path.slice(1) : [null, ...path];
  return { account, view: view ?? "calls", number: /^[0-9]{1,15}$/.test(number) ? Number(number) : null };
}

export const hashOf = (account, view, number) => `#/accounts/${account}/${view}${number ? `/${number}` : ""}`;

// The headers of every request to control: the token and the account, if there is any.
export const authHeaders = (token, account) => ({ ...(token && { "X-Mock-Token": token }), ...(account && { "X-Facematch-Account": account }) });

// JSON in pieces, each with what it is; a list of numbers, a box say, is one line.
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

// One server-sent event: its fields by name.
export function parseEvent(event) {
  return Object.fromEntries(event.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
}

export const dollars = (amount) => (amount == null ? "" : `$${amount.replace(/00$/, "")}`);
export const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0) * 137) % 3600, 7) % 360;
// How a word of a vendor looks; nothing is decided by it.
export function tone(word) {
  if (/^(true|approved|match|live|delivered)$/i.test(word)) return "good";
  if (/^(false|declined|no_match|failed|dropped|rejected)$/i.test(word)) return "bad";
  return /review|pending|waiting|resubmitted/i.test(word) ? "wait" : "";
}

// What went wrong with a call, in a word or two; nothing for one that was answered well.
export function trouble({ status, note }) {
  if (note?.startsWith("fault")) return "fault";
  if (status == null) return "no answer";
  return status < 400 ? "" : status < 500 ? "refused" : "failed";
}

export const kind = (call) => (trouble(call) ? "fail" : tone(String(call.verdict)));

// All that a call is found by, but for filters.
export function searchText(call) {
  const people = call.pictures.map(({ card }) => card?.person), fields = Object.entries(call.fields).map((pair) => pair.join("="));
  return [call.method, call.path, call.status, call.vendor, call.key, call.verdict, call.reason, call.note, ...fields, ...people].join(" ").toLowerCase();
}

// What each filter of a search is compared with.
const FILTERS = {
  status: (call, text) => String(call.status) === text,
  path: (call, text) => call.path.startsWith(text),
  person: (call, text) => call.pictures.some(({ card }) => card?.person === text),
  // As the journal has it: a long value is cut.
  field: (call, text) => Object.entries(call.fields).some(([name, value]) => text === name || text === `${name}=${value}` || (value.endsWith("…") && text.startsWith(`${name}=${value.slice(0, -1)}`))),
};

// A search taken apart: `status:503 field:vendor_data="case 7"` and free words.
export function parseSearch(text) {
  const terms = [...text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)].map(([term]) => term.replaceAll('"', ""));
  const named = terms.map((term) => /^(status|path|person|field):(.*)$/s.exec(term));
  return { words: terms.filter((_, at) => !named[at]).map((term) => term.toLowerCase()), filters: named.filter((match) => match?.[2]).map(([, name, value]) => [name, value]) };
}

export function fits(call, { tile, vendor, words, filters = [] }) {
  return (tile === "all" || call.kind === tile) && (!vendor || call.vendor === vendor)
    && words.every((word) => call.words.includes(word)) && filters.every(([name, text]) => FILTERS[name](call, text));
}

// What is special about a card, in words.
export function cardWords(card) {
  if (!card) return null;
  const usual = { faces: 1, turned: 0, attack: false, review: false };
  const facts = ["person", "faces", "score", "liveness", "attack", "turned", "review", "status", "retry_after", "delay", "lost"];
  const special = facts.filter((name) => card[name] != null && card[name] !== usual[name]);
  return special.map((name) => (card[name] === true ? name : `${name} ${card[name]}`)).join(", ");
}

// When a delivery leaves: the clock of the mock decides, and one that stands still never comes to it.
export function whenDue(delivery, { now, stands }, time) {
  if (delivery.state !== "pending" || !delivery.due) return "";
  if (new Date(delivery.due) <= new Date(now)) return "due now";
  return stands ? `paused until the clock is advanced to ${time(delivery.due)}` : `due ${time(delivery.due)}`;
}
