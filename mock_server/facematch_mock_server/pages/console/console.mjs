// The console of the mock server. It inserts all values as text, never as HTML, and sends requests
// only to the control API of its own server.

import { address, authHeaders, author, cardWords, clean, dollars, fits, hashOf, hue, kind, parseEvent, parseSearch, readToken, rounded, searchText, tokens, tone, trouble, whenDue } from "./pure.mjs";

const API = "/__mock__/", CONSOLE = "console/";
const MOST_CALLS = 10_000, MOST_PICTURES = 200, MOST_TEXT = 40_000;
const $ = (selector) => document.querySelector(selector);

let about, vendor;  // the server's vendors, and the vendor of the views
let account = "main";  // the account whose calls, sessions and webhooks are shown
const access = readToken(location.hash, sessionStorage.getItem("token"));
let token = access.token;
if (access.hash !== location.hash) history.replaceState(null, "", `/${access.hash}`);
sessionStorage.setItem("token", token);

// Elements ----------------------------------------------------------------------------------------
function h(name, properties, ...inner) {
  const [tag, ...classes] = name.split(".");
  return fill(Object.assign(document.createElement(tag), { className: classes.join(" ") }), properties, inner);
}

const svg = (name, properties, ...inner) => fill(document.createElementNS("http://www.w3.org/2000/svg", name), properties, inner);

function fill(node, properties, inner) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of inner.flat(Infinity)) if (child != null && child !== false) node.append(child instanceof Node ? child : clean(child));
  return node;
}

const button = (words, click, look = "") => h(`button${look}`, { type: "button", click: () => attempt(click) }, words);
const attempt = (work) => Promise.resolve().then(work).catch((error) => say(error.message, true));

// Replace the content of `place` by `nodes`; keep open details open, and keep the focus.
function put(place, ...nodes) {
  const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const open = new Set([...place.querySelectorAll("details[open]")].map((node) => node.dataset.key));
  place.replaceChildren(...nodes.flat(Infinity).filter((node) => node != null && node !== false));
  for (const node of place.querySelectorAll("details")) if (open.has(node.dataset.key)) node.open = true;
  if (key) [...place.querySelectorAll("[data-key]")].find((node) => node.dataset.key === key)?.focus();
}

function say(words, wrong = false) {
  $("#toast").textContent = clean(words);
  $("#toast").classList.toggle("wrong", wrong);
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $("#toast").textContent = ""; }, wrong ? 9000 : 4000);
}

function table(label, titles, rows, none = "None.") {
  if (!rows.length) return h("p.empty", {}, none);
  const head = h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)));
  for (const tableRow of rows) for (const [at, cell] of [...tableRow.cells].entries()) cell.dataset.title = titles[at];  // shown in narrow windows, which have no header row
  return h("div.table", { tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("caption.hidden", {}, label), h("thead", {}, head), h("tbody", {}, rows)));
}

const row = (...cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)));
const list = (object) => h("dl", {}, Object.entries(object).flatMap(([name, value]) => (value == null ? [] : [h("dt", {}, name), h("dd", {}, value)])));
const lines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`).join("");

const time = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });
const moment = (iso) => new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "medium", hour12: false });
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

// Show JSON with syntax highlighting.
function json(value) {
  const isText = typeof value === "string", node = block("JSON", isText ? value : "");
  let room = MOST_TEXT;
  for (const [kind, text] of isText ? [] : tokens(value)) {
    room -= text.length;
    if (room < 0) return fill(node, {}, ["…"]);
    node.append(kind ? h(`span.${kind}`, {}, clean(text, MOST_TEXT)) : text);
  }
  return node;
}

// Show long text in a scrollable block.
function block(label, text) {
  const node = h("pre", { tabindex: "0", role: "group", "aria-label": label });
  node.textContent = clean(text, MOST_TEXT);
  return node;
}

// Make a collapsible part; `key` identifies it when the view is drawn again.
const more = (words, key, ...inner) => h("details.more", { "data-key": key }, h("summary", {}, words), inner);
const pill = (word, look = tone(word)) => h(`span.pill${look && `.${look}`}`, {}, word);

// Requests to the mock ----------------------------------------------------------------------------
const pageHeaders = () => authHeaders(token, account);

async function ask(path) {
  const reply = await fetch(API + path, { headers: pageHeaders() });
  const isJson = reply.headers.get("Content-Type")?.startsWith("application/json");
  if (reply.ok) return isJson ? reply.json() : reply.blob();
  const sentence = isJson ? (await reply.json()).mock : null;
  throw Object.assign(new Error(sentence ?? `The mock returned status ${reply.status}.`), { status: reply.status });
}

const place = () => `${account}/${vendor.name}`;
// A page that is not on this machine and has no TLS has no clipboard: it saves a file.
async function copy(text) {
  if (!navigator.clipboard) return save(new Blob([text], { type: "text/plain" }), "reply.json");
  await navigator.clipboard.writeText(text);
  say("Copied.");
}
const saveJson = (value, name) => save(new Blob([JSON.stringify(value, null, 2)], { type: "application/json" }), name);
function save(blob, name) {
  const href = URL.createObjectURL(blob);
  h("a", { href, download: name }).click();
  URL.revokeObjectURL(href);
}

// Read server-sent events forever; after an interruption, resume after the last event.
async function listen() {
  for (let last = ""; ; await pause(500)) {
    if (document.hidden) continue;  // a hidden tab has no connection
    listen.stop = new AbortController();
    try {
      const headers = { ...pageHeaders(), Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const reply = await fetch(API + CONSOLE + "events", { headers, signal: listen.stop.signal });
      live(reply.ok);
      let text = "";
      for await (const piece of reply.ok ? pieces(reply.body) : []) {
        const whole = (text + piece).split("\n\n");
        text = whole.pop();
        for (const event of whole.map(parseEvent)) {
          if (event.event === "cleared") forget(JSON.parse(event.data).last);
          if (event.event === "calls") addCalls(JSON.parse(event.data));
          last = event.id ?? last;
        }
      }
    } catch { /* the server has stopped, or this tab is hidden: retry */ }
    live(false);
  }
}

async function* pieces(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let got = await reader.read(); !got.done; got = await reader.read()) yield got.value;
}

const live = (on) => put($("#live"), h("span", { class: on && "on" }, on ? "live" : "not connected"));

// Pictures ----------------------------------------------------------------------------------------
const cardsSeen = new Map(), shownPictures = new Map();  // contents of test cards, and URLs of pictures, by digest
// Draw a test card's content, or a pattern of the digest; if allowed, show the picture itself instead of a pattern.
function thumb({ digest, field: name, card = cardsSeen.get(digest) }, big = "") {
  const label = card ? `${name}: test card of ${card.person}` : `${name}: picture ${digest?.slice(0, 8) ?? "without a digest"}`;
  const node = svg("svg", { viewBox: "0 0 40 40", class: `thumb ${big}`, role: "img", "aria-label": clean(label) },
    svg("title", {}, label), card ? face(card) : pattern(digest ?? ""));
  if (about.show_pictures && !card && digest) showPicture(node, digest, label, big);
  return node;
}

async function showPicture(node, digest, label, big) {
  if (shownPictures.size > MOST_PICTURES) shownPictures.delete(shownPictures.keys().next().value);
  if (!shownPictures.has(digest)) shownPictures.set(digest, ask(`${CONSOLE}pictures/${digest}`).then(URL.createObjectURL).catch(() => null));
  const src = await shownPictures.get(digest);
  if (src) node.replaceWith(h(`img.thumb${big && `.${big}`}`, { src, alt: label, title: label }));
}

function face(card) {
  const tint = hue(card.person), lit = 20 + card.luminance * 0.5;
  const head = (x, size, at = tint) => [
    svg("circle", { cx: x, cy: 17, r: size, fill: `hsl(${at} 65% 88%)` }),
    svg("circle", { cx: x - size / 3, cy: 16, r: size / 7, fill: "#1b1f3a" }),
    svg("circle", { cx: x + size / 3, cy: 16, r: size / 7, fill: "#1b1f3a" }),
    svg("path", {
      d: `M${x - size / 3} ${18 + size / 3}q${size / 3} ${card.attack ? -size / 2 : size / 2.5} ${size / 1.5} 0`,
      fill: "none", stroke: card.attack ? "#c81e4a" : "#1b1f3a", "stroke-width": size / 7,
    }),
  ];
  const nobody = svg("circle", { cx: 20, cy: 17, r: 10, fill: "none", stroke: "#fff", "stroke-width": 1.5, "stroke-dasharray": "3 3" });
  return [
    svg("rect", { width: 40, height: 40, fill: `hsl(${tint} 52% ${lit}%)` }),
    svg("g", { transform: `rotate(${card.turned} 20 20)`, opacity: 0.35 + card.quality / 150 },
      card.faces === 0 ? nobody : card.faces === 1 ? head(20, 11) : [head(28, 7, tint + 140), head(15, 9)]),
    svg("rect", { y: 29, width: 40, height: 11, fill: "#1b1f3a", opacity: 0.72 }),
    svg("text", { x: 20, y: 37.3, "text-anchor": "middle", "font-size": 8.5, "font-weight": 700, fill: "#fff" }, card.person.slice(0, 8)),
  ];
}

function pattern(digest) {
  const tint = parseInt(digest.slice(0, 4) || "0", 16) % 360, cells = [];
  for (let at = 0; at < 15; at += 1) {
    const column = Math.floor(at / 5), y = 5 + (at % 5) * 6, fill = `hsl(${tint} 55% 52%)`;
    if (parseInt(digest[at + 4] ?? "0", 16) % 2 === 0) continue;
    for (const x of new Set([column, 4 - column])) cells.push(svg("rect", { x: 5 + x * 6, y, width: 6, height: 6, fill }));
  }
  return [svg("rect", { width: 40, height: 40, fill: `hsl(${tint} 45% 88%)` }), cells];
}

// Calls -------------------------------------------------------------------------------------------
const calls = [], drawn = new Map();
let shown = [], tileName = "all", only = "", active = null, opened = null, awaited = null, lastSeen = 0;  // `awaited`: a call opened by URL before it is in the list; `only`: the vendor to show; `lastSeen`: the last call before this page was opened
const scroller = $("#scroller"), narrow = matchMedia("(max-width: 720px)");
const TILES = { all: "All", good: "Passed", bad: "Declined", wait: "In review", fail: "Refused or failed", "own reply": "Own replies", recorded: "Recorded" };
function addCalls(rows) {
  for (const call of rows) {
    for (const picture of call.pictures) if (picture.card) cardsSeen.set(picture.digest, picture.card);
    Object.assign(call, { kind: kind(call), words: searchText(call), text: Object.entries(call.fields).map((pair) => pair.join("=")).join(" ") });
    calls.push(call);
  }
  const old = calls.splice(0, Math.max(0, calls.length - MOST_CALLS));
  const fitting = rows.filter(isShown());
  shown.push(...fitting);
  if (old.length) shown = shown.filter((call) => call.number > old.at(-1).number);
  if (scroller.scrollTop > 4) scroller.scrollTop += fitting.length * rowHeight();
  const linked = fitting.find((call) => call.number === awaited);
  if (linked) reveal(linked);
  countTiles();
  draw();
  announce(rows.filter((call) => call.number > lastSeen).length);
  refreshSoon();
}

function forget(last) {
  calls.length = 0;
  lastSeen = last;
  choose();
}

function isShown() {
  const wish = { tile: tileName, vendor: only, ...parseSearch($("#search").value) };
  return (call) => fits(call, wish);
}

function choose() {
  shown = calls.filter(isShown());
  scroller.scrollTop = 0;
  countTiles();
  draw();
}

function countTiles() {
  for (const tile of $("#tiles").children) {
    const name = tile.dataset.key, those = calls.filter((call) => fits(call, { tile: name, vendor: only, words: [] }));
    tile.lastChild.textContent = those.length.toLocaleString();
    if (name === "own reply" || name === "recorded") tile.hidden = !those.length && name !== tileName;
    tile.setAttribute("aria-pressed", name === tileName);
  }
}

function announce(count) {
  announce.count = (announce.count ?? 0) + count;
  if (count) announce.timer ??= setTimeout(() => {
    const last = calls.at(-1), many = announce.count === 1 ? "A new call" : `${announce.count} new calls, the last one`;
    if (last) $("#news").textContent = clean(`${many}: ${last.method} ${last.path}, ${last.status ?? "no answer"} ${last.verdict ?? ""}`);
    announce.count = announce.timer = null;
  }, 2000);
}

const rowHeight = () => (narrow.matches ? 76 : 52);

// Only the visible rows, and a few around them, are in the document.
function draw() {
  const height = rowHeight(), total = shown.length, rows = $("#rows");
  rows.style.height = `${total * height}px`;
  $("#grid").setAttribute("aria-rowcount", total + 1);
  Object.assign($("#nothing"), { hidden: total > 0 }).querySelector("b").textContent = calls.length ? "No matching calls" : "No calls yet";
  const first = Math.max(0, Math.floor(scroller.scrollTop / height) - 5);
  const inSight = new Map();
  for (let at = first; at < Math.min(total, first + Math.ceil(scroller.clientHeight / height) + 10); at += 1) inSight.set(shown[total - 1 - at], at);
  for (const [call, node] of drawn) {
    if (inSight.has(call) || (node === document.activeElement && shown.includes(call))) continue;
    node.remove();
    drawn.delete(call);
  }
  if (!inSight.has(active) && !drawn.has(active)) active = inSight.keys().next().value ?? null;
  let next = rows.firstElementChild;
  for (const [call, at] of inSight) {
    const node = drawn.get(call) ?? callRow(call);
    drawn.set(call, node);
    node.style.transform = `translateY(${at * height}px)`;
    node.setAttribute("aria-rowindex", at + 2);
    node.tabIndex = call === active ? 0 : -1;
    if (node === next) next = next.nextElementSibling;
    else rows.insertBefore(node, next);
  }
}

function callRow(call) {
  const cell = (name, ...inner) => h(`span.${name}`, { role: "gridcell" }, inner);
  const what = [about.vendors.length > 1 && call.vendor, call.note, call.reason ?? (call.note ? "" : call.text)].filter(Boolean).join(" · ");
  return h("div.call", { role: "row", "aria-selected": String(call.number === opened), click: () => attempt(() => visit("calls", call.number)) },
    cell("time", h("time", { datetime: call.at, title: moment(call.at) }, time(call.at)), h("small", {}, call.note ?? call.reason)),
    cell("pictures", call.pictures.slice(0, 2).map((picture) => thumb(picture))),
    cell("what", h("span", {}, h("b", {}, call.method || "—"), call.path || "no request"), h("small", {}, what)),
    cell("verdict", author(call) ? pill(author(call), "own") : call.verdict == null || call.kind === "fail" ? trouble(call) && pill(trouble(call), "fail") : pill(String(call.verdict))),
    cell("score", call.score == null ? (call.verdict == null ? "" : "no score") : [rounded(call.score), meter(call.score)]),
    cell("status", call.status ?? "—", call.ms != null && h("small", {}, `${call.ms < 10 ? call.ms : Math.round(call.ms)} ms`)),
    cell("charged", dollars(call.charged)));
}

// Some vendors return scores from 0 to 1, so a fraction has a scale up to 1.
const meter = (score) => h("meter", { min: 0, max: score > 0 && score < 1 ? 1 : 100, value: score, "aria-hidden": "true" });

async function open(number) {
  const record = await ask(`${CONSOLE}calls/${number}`), call = calls.find((candidate) => candidate.number === number);
  opened = number;
  for (const [drawnCall, node] of drawn) node.setAttribute("aria-selected", String(drawnCall === call));
  awaited = call ? null : number;
  if (call) reveal(call);
  const facts = {
    Time: moment(record.at), "Answered by": author(record) ? `${author(record)}, ${record.reply}` : null, Status: record.status ?? "no answer", Reason: record.reason, Note: record.note, Vendor: record.vendor ?? "none", Key: record.key,
    Took: record.ms == null ? null : `${record.ms} ms, without delays`, Verdict: record.verdict == null ? null : pill(String(record.verdict)),
    Score: rounded(record.score), Charged: record.charged && `${dollars(record.charged)}, ${dollars(record.left)} left`,
  };
  const pictures = record.files.map((file, at) => h("figure", {}, thumb(record.pictures[at], "big"), h("figcaption", {}, h("b", {}, file.field),
    cardWords(record.pictures[at].card) ?? file.name, h("span", {}, `${file.size.toLocaleString()} bytes`), h("code", {}, file.digest?.slice(0, 16)))));
  const part = (title, ...inner) => [h("h3", {}, title), inner];
  put($("#detail"),
    h("header", {}, h("h2", {}, `${record.method} ${record.path}`), record.own_reply && button("Copy as reply", () => copy(record.own_reply), ".quiet"),
      button("Download", () => saveJson(record, `call-${record.number}.json`), ".quiet"), button("Close", close, ".quiet")),
    list(facts),
    pictures.length > 0 && part("Pictures", pictures), Object.keys(record.fields).length > 0 && part("Fields", list(record.fields)),
    part("Response", record.answered ? [json(record.answer), more("Headers", "got", block("Headers of the response", lines(record.answered)))] : "Not stored: there was none, or it is too old."),
    record.claims.length > 0 && part(`Based on ${record.claims.length} claims`, record.claims.map(claim)));
  Object.assign($("#detail"), { hidden: false, scrollTop: 0 });
  if (coverRest()) $("#detail").focus();
}

// Scroll to a call, and make it the active row for the keyboard.
function reveal(call) {
  const at = shown.length - 1 - shown.indexOf(call), height = rowHeight();
  active = call;
  awaited = null;
  if (at < shown.length) scroller.scrollTop = Math.min(at * height, Math.max(scroller.scrollTop, (at + 1) * height - scroller.clientHeight));
  draw();
}

// Show a claim that a response cites; its text and source are loaded when it is opened.
function claim(id) {
  const owner = about.vendors.find((candidate) => id.startsWith(`${candidate.name}.`)) ?? vendor, node = more(id, id);
  node.addEventListener("toggle", () => attempt(async () => {
    if (!node.open || node.childElementCount > 1) return;
    const { statement, known, source, read } = (await ask(`${owner.name}/claims`)).claims.find((each) => each.id === id);
    node.append(block(id, known === "ours" ? `${statement}\n${source}` : `${statement}\n${known}: ${source}, read ${read}`));
  }));
  return node;
}

// In a narrow window, the selected call covers everything else, which becomes inert.
function coverRest() {
  const over = view === "calls" && !$("#detail").hidden && innerWidth <= 900;
  for (const node of [$("body > header"), $("#calls .bar"), $("#grid")]) node.inert = over;
  return over;
}

function hide() {
  $("#detail").hidden = true;
  opened = null;
  coverRest();
  for (const node of drawn.values()) node.setAttribute("aria-selected", "false");
}

function close() {
  hide();
  visit("calls");
  drawn.get(active)?.focus();
}

function byKey(event) {
  const page = Math.floor(scroller.clientHeight / rowHeight()), at = shown.length - 1 - shown.indexOf(active);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 }[event.key];
  if ((event.key === "Enter" || event.key === " ") && active) attempt(() => visit("calls", active.number));
  else if (to === undefined || !shown.length) return;
  else {
    reveal(shown[shown.length - 1 - Math.min(shown.length - 1, Math.max(0, to))]);
    drawn.get(active)?.focus();
  }
  event.preventDefault();
}

function startCalls() {
  const tile = (name) => h("button", { type: "button", "data-key": name, click: () => { tileName = name; choose(); } }, TILES[name], h("b", {}, "0"));
  $("#tiles").append(...Object.keys(TILES).map(tile));
  $("#search").addEventListener("input", choose);
  $("#export").addEventListener("click", () => attempt(async () => saveJson(await ask("journal?limit=10000"), "facematch-calls.json")));
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  scroller.addEventListener("keydown", byKey);
  addEventListener("resize", () => { draw(); coverRest(); });
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("#detail").hidden) close(); });
  countTiles();
}

// Sessions ----------------------------------------------------------------------------------------
const SESSION = ["Number", "Pictures", "Status", "Person", "Score", "Service", "Charged", "Vendor data", "Created", "Reviews"];
async function sessions() {
  if (lacks("sessions", "has no sessions", "#kept")) return;
  const { newest, pages, charged, total } = await ask(`${CONSOLE}state/${vendor.name}/sessions?search=${encodeURIComponent($("#search-sessions").value)}`);
  if (!changed("sessions", [total, newest, charged])) return;
  put($("#kept"), table("Sessions, newest first", SESSION, newest.reverse().map((session) => sessionRow(session, pages[session.id], charged[session.id])),
    $("#search-sessions").value ? "No matching sessions." : "No sessions yet: a client creates one with a call that the vendor saves, or by starting a hosted session."),
    total > newest.length && h("p.lead", {}, `The newest ${newest.length} of ${total.toLocaleString()}.`));
}

function sessionRow(session, page, charged) {
  const notes = session.reviews.map((note) => h("p", {}, `${note.user}: ${note.new_status}`, note.comment && `, “${note.comment}”`));
  return row(`#${session.number}`,
    // In the order of the call, which sends the target first.
    h("div.pictures", {}, Object.entries(session.pictures).sort().reverse().map(([name, digest]) => thumb({ digest, field: name }))),
    pill(session.status), page ? h("a", { href: page, target: "_blank", rel: "noopener" }, "Play the person") : "",
    rounded(session.result.score ?? session.result.FACE_MATCH?.score ?? ""), session.service ?? "HOSTED", dollars(charged), session.vendor_data ?? "", moment(session.created_at),
    notes.length > 0 && h("details", { "data-key": session.id }, h("summary", {}, notes.length), notes));
}

// Webhooks ----------------------------------------------------------------------------------------
async function webhooks() {
  if (lacks("webhooks", "sends no webhooks", "#destinations", "#due", "#deliveries")) return;
  const state = await ask(`${CONSOLE}state/${vendor.name}/webhooks?search=${encodeURIComponent($("#search-webhooks").value)}`), { destinations, due, newest, total } = state;
  if (!changed("webhooks", [destinations, due, newest, newest.map((delivery) => whenDue(delivery, state, time))])) return;
  put($("#due"), `${due} due`);
  const places = destinations.map((destination) => row(h("code", {}, destination.url), destination.enabled ? pill("on", "good") : pill("off"), destination.events.join(", "),
    h("details", { "data-key": destination.uuid }, h("summary", {}, "show"), h("code", {}, destination.secret))));
  put($("#destinations"), table("Destinations", ["Address", "Enabled", "Events", "Secret"], places));
  const tried = (at) => h("li", {}, `${time(at.at)}: ${at.status ?? at.problem}, ${at.elapsed_ms} ms`, at.fault && `, ${at.fault}`);
  const rows = newest.reverse().map((delivery) => row(
    [delivery.event, h("br"), h("small", {}, moment(delivery.created_at))],
    [pill(delivery.state), " ", h("small", {}, whenDue(delivery, state, time))],
    [pill(delivery.status), " ", h("code", {}, delivery.session_id.slice(0, 8))],
    delivery.url ?? "removed",
    delivery.attempts.length === 0 ? "none yet" : h("details", { "data-key": `attempts${delivery.id}` },
      h("summary", {}, `${delivery.attempts.length}, last ${delivery.attempts.at(-1).status ?? delivery.attempts.at(-1).problem}`),
      h("ul.waiting", {}, delivery.attempts.map(tried))),
    request(delivery)));
  put($("#deliveries"), table("Deliveries, newest first", ["Event", "State", "Session", "To", "Attempts", "Request"], rows),
    total > newest.length && h("p.lead", {}, `The newest ${newest.length} of ${total.toLocaleString()}.`));
}

// Show the sent request, which is loaded when it is opened.
function request(delivery) {
  const node = h("details", { "data-key": `sent${delivery.id}` }, h("summary", {}, "headers and body"));
  node.addEventListener("toggle", () => attempt(async () => {
    if (!node.open || node.childElementCount > 1) return;
    const { headers, body } = await ask(`${CONSOLE}delivery/${vendor.name}/${delivery.id}`);
    node.append(block("Request", `${lines(headers)}\n${body}`));
  }));
  return node;
}

// Return whether the vendor lacks a view; if so, show a message in the view.
function lacks(name, words, first, ...others) {
  if (vendor.extensions.includes(name)) return false;
  changed[name] = null;
  for (const other of others) put($(other));
  put($(first), h("p.empty", {}, `${vendor.title} ${words}, according to its documents.`));
  return true;
}

// Return whether a view has new data; otherwise it is not drawn again.
const changed = (name, state) => changed[name] !== (changed[name] = JSON.stringify([place(), state]));

// Views -------------------------------------------------------------------------------------------
const VIEWS = { calls: draw, sessions, webhooks };
const LIVE = ["sessions", "webhooks"];
let view = "calls";
// Show the view in the page's URL.
async function show(focus = true) {
  const named = address(location.hash), before = `${account} ${view}`;
  if (named.account && named.account !== account && !(await chooseAccount(named.account))) return;
  view = Object.hasOwn(VIEWS, named.view) ? named.view : "calls";
  const number = view === "calls" ? named.number : null;
  history.replaceState(null, "", `/${hashOf(account, view, number)}`);
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const name = link.dataset.view;
    fill(link, { href: hashOf(account, name), "aria-current": name === view ? "page" : "false" }, []);
  }
  $("#vendor").value = view === "calls" && about.vendors.length > 1 ? only : vendor.name;
  $("#account").value = account;
  document.title = `${$(`#${view} h1`).textContent} – facematch mock`;
  coverRest();
  if (focus && before !== `${account} ${view}`) { $("#main").focus({ preventScroll: true }); scrollTo(0, 0); }
  attempt(VIEWS[view]);
  if (view === "calls" && opened && opened !== number) hide();
  if (number) await attempt(() => open(number));
}

function visit(name, number) {
  history.pushState(null, "", `/${hashOf(account, name, number)}`);
  return show(false);
}

function refreshSoon() {
  if (document.hidden || !LIVE.includes(view)) return;
  refreshSoon.timer ??= setTimeout(() => { refreshSoon.timer = null; attempt(VIEWS[view]); }, 300);
}

function chooseVendor(name) {
  vendor = about.vendors.find((candidate) => candidate.name === name) ?? about.vendors[0];
}

// Reload the server's vendors and accounts, which may have changed.
async function lookAgain() {
  about = await ask(`${CONSOLE}about`);
  const { accounts } = await ask("accounts");
  put($("#account"), accounts.map(({ name }) => h("option", { value: name }, name)));
  $("#account").value = account;
  chooseVendor(vendor?.name);
}

// Switch to an account; return whether it exists. If not, keep the current one.
async function chooseAccount(name) {
  const before = account;
  account = name;
  try {
    await lookAgain();
  } catch (error) {
    if (error.status !== 404) throw error;
    account = before;
    say(`Unknown account ${name}.`, true);
    if (!about) await lookAgain();
    location.hash = hashOf(account, "calls");
    return false;
  }
  hide();
  forget(0);
  listen.stop?.abort();
  return true;
}

async function start() {
  const named = address(location.hash).account ?? account;
  try {
    await (named === account ? lookAgain() : chooseAccount(named));
  } catch (error) {
    if (error.status !== 403) throw error;
    account = "main";
    for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== "token";
    $("nav").hidden = true;
    if (token) say(error.message, true);
    return;
  }
  $("nav").hidden = false;
  sessionStorage.setItem("token", token);
  put($("#vendor"), about.vendors.length > 1 && h("option", { value: "" }, "All vendors"), about.vendors.map((offered) => h("option", { value: offered.name }, offered.title)));
  startCalls();
  $("#account").addEventListener("change", ({ target }) => { location.hash = hashOf(target.value, view); });
  $("#account").addEventListener("focus", () => attempt(lookAgain));
  $("#vendor").addEventListener("change", ({ target }) => { only = target.value; chooseVendor(only || vendor.name); choose(); show(false); });
  for (const search of document.querySelectorAll("[type=search]:not(#search)")) search.addEventListener("input", refreshSoon);
  addEventListener("hashchange", () => attempt(show));
  document.addEventListener("visibilitychange", () => document.hidden && listen.stop?.abort());
  $(".skip").addEventListener("click", (event) => { event.preventDefault(); $("#main").focus(); });
  // Some changes come without a call, such as a retried delivery or an advanced clock.
  setInterval(refreshSoon, 2000);
  show(false);
  listen();
}

$("#unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  token = event.target.elements.token.value;
  attempt(start);
});
attempt(start);
