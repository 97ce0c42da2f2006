// What the console works out without a document; run by test_console.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const pure = await import(pathToFileURL(process.env.PURE));
const pretty = (value) => [...pure.tokens(value)].map(([, text]) => text).join("");

test("JSON is written as JSON.stringify does, but for lists of numbers", () => {
  for (const value of [null, 1.5, "a\"b\\", [], {}, { a: { b: ["x", null, true] }, "c:": [] }, [[{}], "z"]]) {
    assert.equal(pretty(value), JSON.stringify(value, null, 2));
  }
  assert.equal(pretty({ box: [1, -2.5, 3] }), '{\n  "box": [1, -2.5, 3]\n}');
});

test("the kinds of tokens colour names, texts and numbers", () => {
  const kinds = [...pure.tokens({ name: "text", number: 7, none: null })].filter(([kind]) => kind);
  assert.deepEqual(kinds, [["name", '"name"'], ["text", '"text"'], ["name", '"number"'], ["number", "7"], ["name", '"none"'], ["number", "null"]]);
});

test("a score has two decimals, four on a scale up to 1; no score stays none", () => {
  const shown = [95.466304, 30, 15.355, 0.954663, 1, 0, null, "", "high"].map(pure.rounded);
  assert.deepEqual(shown, ["95.47", "30", "15.36", "0.9547", "1", "0", null, "", "high"]);
});

test("text is short, and steers nothing", () => {
  assert.equal(pure.clean("a\u001b[31m\u202eb\n"), "a\ufffd[31m\ufffdb\n");
  for (const one of "\0\b\r\u007f\u009f\u200e\u200f\u202a\u2066\u2069") assert.equal(pure.clean(one), "\ufffd");
  assert.equal(pure.clean(42), "42");
  assert.match(pure.clean("x".repeat(1_000), 10), /^x{10}… \(1[,.\s]?000 characters\)$/);
});

test("a token comes from the address, which forgets it, and goes along with each request", () => {
  assert.deepEqual(pure.readToken("#token=a%20b%26c", null), { token: "a b&c", hash: "#calls" });
  assert.deepEqual(pure.readToken("#token=new", "old"), { token: "new", hash: "#calls" });
  assert.deepEqual(pure.readToken("#token=", "old"), { token: "", hash: "#calls" });
  assert.deepEqual(pure.readToken("#cards", "kept"), { token: "kept", hash: "#cards" });
  assert.deepEqual(pure.readToken("", null), { token: "", hash: "" });
  assert.deepEqual(pure.authHeaders("a token", ""), { "X-Mock-Token": "a token" });
  assert.deepEqual(pure.authHeaders("", "team-b"), { "X-Facematch-Account": "team-b" });
  assert.deepEqual(pure.authHeaders("", ""), {});
});

test("what went wrong has a word", () => {
  assert.equal(pure.trouble({ status: 200, note: null }), "");
  assert.equal(pure.trouble({ status: 399, note: null }), "");
  for (const status of [400, 404, 499]) assert.equal(pure.trouble({ status, note: null }), "refused");
  assert.equal(pure.trouble({ status: 500, note: null }), "failed");
  assert.equal(pure.trouble({ status: 502, note: null }), "failed");
  assert.equal(pure.trouble({ status: null, note: null }), "no answer");
  assert.equal(pure.trouble({ status: 200, note: "fault: mid_body truncate" }), "fault");
});

test("a call has the kind of its verdict, or of its trouble", () => {
  assert.equal(pure.kind({ status: 200, note: null, verdict: "Approved" }), "good");
  assert.equal(pure.kind({ status: 200, note: null, verdict: false }), "bad");
  assert.equal(pure.kind({ status: 200, note: null, verdict: "In Review" }), "wait");
  assert.equal(pure.kind({ status: 403, note: null, verdict: null }), "fail");
});

test("an own reply and a recorded one are told apart, and from the mock's answers", () => {
  const answered = { status: 200, note: "own reply", verdict: "Approved" };
  assert.equal(pure.author({ ...answered, reply: null, recorded: null }), "");
  assert.equal(pure.author({ ...answered, reply: "own.json #1", recorded: null }), "own reply");
  assert.equal(pure.kind({ ...answered, reply: "own.json #1", recorded: null }), "own reply");
  assert.equal(pure.kind({ ...answered, status: 500, reply: "rec.json #1", recorded: "2026-11-29" }), "recorded");
});

const call = { place: 3, method: "POST", path: "/v3/x/", status: 200, vendor: "didit", key: "live", verdict: "Approved", note: null, fields: { vendor_data: "a", long: `${"x".repeat(79)}…` }, pictures: [{ card: { person: "p7" } }] };

test("a call is found by its words, its kind and its vendor", () => {
  const shown = { ...call, kind: "good", words: pure.searchText(call) };
  const all = { tile: "all", vendor: "", words: [] };
  for (const words of [["p7"], ["vendor_data=a", "live"], ["200", "/v3/"]]) assert.ok(pure.fits(shown, { ...all, words }));
  for (const wish of [{ words: ["p8"] }, { tile: "bad" }, { vendor: "azure" }]) assert.ok(!pure.fits(shown, { ...all, ...wish }));
  assert.ok(pure.fits(shown, { ...all, tile: "good", vendor: "didit" }));
});

test("a search has filters and free words", () => {
  assert.deepEqual(pure.parseSearch('status:503 Approved field:vendor_data="case 7" http://x person:'), {
    words: ["approved", "http://x"], filters: [["status", "503"], ["field", "vendor_data=case 7"]],
  });
  assert.deepEqual(pure.parseSearch(""), { words: [], filters: [] });
  const shown = { ...call, kind: "good", words: pure.searchText(call) }, hit = (text) => pure.fits(shown, { tile: "all", vendor: "", ...pure.parseSearch(text) });
  for (const text of ["status:200", "path:/v3/", "person:p7", "field:vendor_data=a", "field:vendor_data", `field:long=${"x".repeat(300)}`, "status:200 live"]) assert.ok(hit(text), text);
  for (const text of ["status:20", "path:3", "person:p", "field:vendor_data=", "field:data=a", "status:200 sandbox"]) assert.ok(!hit(text), text);
});

test("an address names an account, a view and a call", () => {
  for (const [hash, account, view, number] of [
    ["", null, "calls", null], ["#cards", null, "cards", null], ["#/accounts", null, "accounts", null], ["#/accounts/a-1", "a-1", "calls", null],
    ["#/accounts/a-1/sessions", "a-1", "sessions", null], ["#/accounts/a-1/calls/12", "a-1", "calls", 12], ["#/accounts/a-1/calls/x", "a-1", "calls", null],
  ]) assert.deepEqual(pure.address(hash), { account, view, number });
  assert.equal(pure.hashOf("a-1", "calls", 12), "#/accounts/a-1/calls/12");
  assert.equal(pure.hashOf("a-1", "cards"), "#/accounts/a-1/cards");
});

test("a card is what is special about it", () => {
  const card = { person: "p1", faces: 1, turned: 0, attack: false, review: false, score: null, liveness: 97 };
  assert.equal(pure.cardWords(card), "person p1, liveness 97");
  assert.equal(pure.cardWords({ ...card, faces: 2, attack: true, score: 30 }), "person p1, faces 2, score 30, liveness 97, attack");
  assert.equal(pure.cardWords(null), null);
});

test("a delivery waits for a clock", () => {
  const one = { state: "pending", due: "2026-11-22T10:00:00+00:00" }, time = (iso) => iso.slice(11, 16);
  assert.equal(pure.whenDue(one, { now: "2026-11-22T10:00:00.5+00:00", stands: true }, time), "due now");
  assert.equal(pure.whenDue(one, { now: "2026-11-22T09:00:00+00:00", stands: false }, time), "due 10:00");
  assert.match(pure.whenDue(one, { now: "2026-11-22T09:00:00+00:00", stands: true }, time), /^paused .* 10:00$/);
  assert.equal(pure.whenDue({ state: "delivered", due: null }, { now: one.due, stands: true }, time), "");
});

test("amounts are what they are for people", () => {
  assert.equal(pure.dollars("0.0500"), "$0.05");
  assert.equal(pure.dollars("0.0525"), "$0.0525");
  assert.equal(pure.dollars(null), "");
});

test("an event is its fields", () => {
  assert.deepEqual(pure.parseEvent("event: calls\nid: ab:3\ndata: [1, 2]"), { event: "calls", id: "ab:3", data: "[1, 2]" });
});
