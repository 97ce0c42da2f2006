// What the page works out without a document: node can import it, too.

// Text as it may be shown: short, and without what could steer a terminal or turn letters around.
export function clean(value, length = 400) {
  const text = String(value);
  const cut = text.length > length ? `${text.slice(0, length)}… (${text.length.toLocaleString()} characters)` : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

// The token that the page begins with: that of its address, which forgets it, or the one it had before.
export function openedWith(hash, kept) {
  const given = new URLSearchParams(hash.slice(1)).get("token");
  return { token: given ?? kept ?? "", hash: given === null ? hash : "#calls" };
}

// The headers of every request to control: the token and the account, if there is any.
export const sentAlong = (token, account) => ({ ...(token && { "X-Mock-Token": token }), ...(account && { "X-Facematch-Account": account }) });

// JSON in pieces, each with what it is; a list of numbers, a box say, is one line.
export function* tokens(value, pad = "") {
  const isList = Array.isArray(value), inner = `${pad}  `;
  if (value === null || typeof value !== "object") {
    yield [typeof value === "string" ? "text" : "number", JSON.stringify(value)];
  } else if (isList && value.length && value.every((one) => typeof one === "number")) {
    yield ["", "["];
    yield ["number", value.join(", ")];
    yield ["", "]"];
  } else {
    const entries = Object.entries(value);
    yield ["", isList ? "[" : "{"];
    for (const [at, [name, one]] of entries.entries()) {
      yield ["", `${at ? "," : ""}\n${inner}`];
      if (!isList) yield ["name", JSON.stringify(name)];
      if (!isList) yield ["", ": "];
      yield* tokens(one, inner);
    }
    yield ["", `${entries.length ? `\n${pad}` : ""}${isList ? "]" : "}"}`];
  }
}

// One server-sent event: its fields by name.
export function parsed(event) {
  return Object.fromEntries(event.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
}

export const dollars = (amount) => (amount == null ? "" : `$${amount.replace(/00$/, "")}`);
export const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0) * 137) % 3600, 7) % 360;
export const placed = (template, words) => template.replace(/\{(\w+)\}/g, (whole, name) => words[name] ?? whole);
export const each = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]));
// What a person does, for the status that comes of it.
export const verb = (status) => ({ Approved: "Approve", Declined: "Decline" }[status] ?? `Set to ${status}`);

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

// How a connection ended on which no answer came, as the note of its call has it.
export function ending(note = "") {
  const [, word] = /^fault: \S+ (\w+)/.exec(note ?? "") ?? [];
  return { reset: "was reset", truncate: "ended too early", garbage: "brought what is no HTTP" }[word] ?? "broke";
}

// All that a call is found by.
export function searchable(call) {
  const people = call.pictures.map((one) => one.card?.person);
  return [call.method, call.path, call.status, call.vendor, call.key, call.verdict, call.reason, call.note, call.text, ...people].join(" ").toLowerCase();
}

export function fits(call, { wanted, vendor, words }) {
  return (wanted === "all" || call.kind === wanted) && (!vendor || call.vendor === vendor) && words.every((word) => call.words.includes(word));
}

// The call that was made first after another one, with that method and path; none is known of a connection that was refused.
export const following = (calls, place, method, path) => calls.find((one) => one.place > place && (one.path === "" || (one.method === method && one.path === path)));

// What is special about a card, in words.
export function cardWords(card) {
  if (!card) return null;
  const usual = { faces: 1, turned: 0, attack: false, review: false };
  const facts = ["person", "faces", "score", "liveness", "attack", "turned", "review", "status", "retry_after", "delay", "lost"];
  const told = facts.filter((name) => card[name] != null && card[name] !== usual[name]);
  return told.map((name) => (card[name] === true ? name : `${name} ${card[name]}`)).join(", ");
}

// Seconds, or the least and the most of them: "0.5", "0.1 to 2"; nothing is 0.
export function seconds(text) {
  const numbers = text.trim() === "" ? [0] : text.split(/to|[–-]/).map((one) => (one.trim() === "" ? NaN : Number(one)));
  if (numbers.length > 2 || numbers.some(Number.isNaN)) throw new Error(`Seconds are a number, or two as in "0.1 to 2", not "${clean(text, 40)}".`);
  return numbers.length === 1 ? numbers[0] : numbers;
}

export const secondsWords = ([least, most] = []) => (least === undefined ? "" : least === most ? String(least) : `${least} to ${most}`);

// When a delivery leaves: the clock of the mock decides, and one that stands still never comes to it.
export function waits(delivery, { now, stands }, time) {
  if (delivery.state !== "pending" || !delivery.due) return "";
  if (new Date(delivery.due) <= new Date(now)) return "due now";
  return stands ? `paused until the clock is advanced to ${time(delivery.due)}` : `due ${time(delivery.due)}`;
}

// What a form of rules means: a check "null NAME" is null, and `field` has a line NAME=VALUE for each.
export function meant(given) {
  const sent = Object.fromEntries(Object.entries(given).filter(([name]) => !name.startsWith("null ")));
  for (const name of Object.keys(given)) if (name.startsWith("null ")) sent[name.slice(5)] = null;
  if (sent.field) sent.field = Object.fromEntries(sent.field.split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)));
  return sent;
}
