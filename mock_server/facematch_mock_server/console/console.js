// The console of the mock server. Whatever it shows is set as text, never as HTML; it asks nobody
// but the server that it came from, through the control API.

const API = "/__mock__/", OWN = "console/";
const MOST_CALLS = 10_000, MOST_ROWS = 200;
const $ = (selector) => document.querySelector(selector);

let about, vendor;  // what there is to imitate, and whom the views are about
let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token") ?? "";
if (location.hash.startsWith("#token=")) history.replaceState(null, "", "/#calls");
sessionStorage.setItem("token", token);

// Elements ----------------------------------------------------------------------------------------

// Text as it may be shown: short, and without what could steer a terminal or turn letters around.
function clean(value, length = 400) {
  const text = String(value);
  const cut = text.length > length ? `${text.slice(0, length)}… (${text.length.toLocaleString()} characters)` : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function h(name, properties, ...inner) {
  const [tag, ...classes] = name.split(".");
  return filled(Object.assign(document.createElement(tag), { className: classes.join(" ") }), properties, inner);
}

function svg(name, properties, ...inner) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), properties, inner);
}

function filled(node, properties, inner) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== false && value != null) node.setAttribute(key, value === true ? "" : value);
  }
  for (const one of inner.flat(2)) if (one != null && one !== false) node.append(one instanceof Node ? one : clean(one));
  return node;
}

const button = (words, click, look = "") => h(`button${look}`, { type: "button", click: () => attempt(click) }, words);

// Show `nodes` in place of what is there; what was open stays so, and what had the focus keeps it.
function put(place, ...nodes) {
  const key = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  place.replaceChildren(...nodes.flat(2).filter((node) => node != null && node !== false));
  for (const one of place.querySelectorAll("details")) if (open.has(one.dataset.key)) one.open = true;
  if (key) [...place.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key)?.focus();
}

function say(words, wrong = false) {
  $("#toast").textContent = clean(words);
  $("#toast").classList.toggle("wrong", wrong);
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $("#toast").textContent = ""; }, wrong ? 9000 : 4000);
}

async function attempt(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

// A button that takes two clicks: for what cannot be taken back.
function sure(words, question, work) {
  const node = button(words, async () => {
    if (node.classList.toggle("sure")) {
      node.textContent = question;
      setTimeout(() => { node.classList.remove("sure"); node.textContent = words; }, 5000);
    } else {
      node.textContent = words;
      await work();
    }
  });
  return node;
}

function table(label, titles, rows) {
  if (!rows.length) return h("p.empty", {}, "None.");
  const head = h("tr", {}, titles.map((title) => h("th", { scope: "col" }, title)));
  return h("div.table", { tabindex: "0", role: "region", "aria-label": label },
    h("table", {}, h("caption.hidden", {}, label), h("thead", {}, head), h("tbody", {}, rows)));
}

const row = (...cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell)));

function field(name, words, kind = "text", more = {}) {
  const properties = { name, ...more }, label = words.replaceAll("_", "_\u200b");  // where a line may end
  if (kind === "check") return h("label.field.check", {}, h("input", { type: "checkbox", ...properties }), h("span", {}, label));
  const input = Array.isArray(kind)
    ? h("select", properties, kind.map((one) => h("option", { value: one }, one === "" ? "as else" : one)))
    : h("input", { type: kind, autocomplete: "off", ...(kind === "number" && { step: "any" }), ...properties });
  return h("label.field", {}, h("span", {}, label), input);
}

function form(fields, words, send) {
  const submit = (event) => { event.preventDefault(); attempt(() => send(values(event.target), event.target)); };
  return h("form", { submit }, h("div.fields", {}, fields), h("button.main", {}, words));
}

function values(form) {
  const got = {};
  for (const { name, type, value, checked } of form.elements) {
    if (!name || value === "" || (type === "checkbox" && !checked)) continue;
    got[name] = type === "checkbox" ? true : type === "number" ? Number(value) : value;
  }
  return got;
}

const time = (iso) => new Date(iso).toLocaleTimeString([], { hour12: false });
const moment = (iso) => new Date(iso).toLocaleString([], { dateStyle: "short", timeStyle: "medium", hour12: false });
// JSON with its words in colours.
function json(value) {
  // A list of numbers, a box say, is one line.
  const text = pretty(value).replace(/\[\s+([-\d.,\s]+?)\s+\]/g, (_, list) => `[${list.replace(/\s+/g, " ")}]`), parts = [];
  let at = 0;
  for (const found of text.matchAll(/("(?:[^"\\]|\\.)*")(?=(\s*:)?)|\b(?:true|false|null|-?\d[\d.eE+-]*)\b/g)) {
    parts.push(text.slice(at, found.index), h(found[2] ? "span.name" : found[1] ? "span.text" : "span.number", {}));
    parts.at(-1).textContent = found[0];
    at = found.index + found[0].length;
  }
  const node = block("JSON", "");
  node.append(...parts, text.slice(at));
  return node;
}

// Long text that scrolls by itself.
function block(label, text) {
  const node = h("pre", { tabindex: "0", role: "group", "aria-label": label });
  node.textContent = pretty(text);
  return node;
}

const pretty = (value) => clean(typeof value === "string" ? value : JSON.stringify(value, null, 2), 40_000);
const dollars = (amount) => (amount == null ? "" : `$${amount.replace(/00$/, "")}`);

// How a word of a vendor looks; nothing is decided by it.
function tone(word) {
  if (/^(true|approved|match|live|delivered)$/i.test(word)) return "good";
  if (/^(false|declined|no_match|failed|dropped|rejected)$/i.test(word)) return "bad";
  return /review|pending|waiting|resubmitted/i.test(word) ? "wait" : "";
}

const pill = (word, look = tone(word)) => h(`span.pill${look && `.${look}`}`, {}, word);

// Asking the mock ---------------------------------------------------------------------------------

const guarded = () => (token ? { "X-Mock-Token": token } : {});

async function ask(path, body) {
  const change = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const headers = { ...guarded(), ...(body !== undefined && { "Content-Type": "application/json" }) };
  const reply = await fetch(API + path, { ...change, headers });
  const isJson = reply.headers.get("Content-Type")?.startsWith("application/json");
  if (reply.ok) return isJson ? reply.json() : reply.blob();
  const said = isJson ? (await reply.json()).mock : null;
  throw Object.assign(new Error(said ?? `The mock answered ${reply.status}.`), { status: reply.status });
}

const its = (path) => `${vendor.name}/${path}`;

function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

// Events as they come, for ever; begun again where they ended.
async function listen() {
  for (let last = ""; ; await new Promise((done) => { setTimeout(done, 1000); })) {
    const stop = new AbortController();
    const hidden = () => { if (document.hidden) stop.abort(); };  // a tab in the back holds no connection
    document.addEventListener("visibilitychange", hidden);
    try {
      if (document.hidden) continue;
      const headers = { ...guarded(), Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const reply = await fetch(API + OWN + "events", { headers, signal: stop.signal });
      if (!reply.ok) continue;
      live(true);
      let text = "";
      for await (const piece of pieces(reply.body)) {
        text += piece;
        const whole = text.split("\n\n");
        text = whole.pop();
        for (const one of whole) last = heard(one) ?? last;
      }
    } catch { /* the server is gone, or this page is in the back: tried again */ } finally {
      document.removeEventListener("visibilitychange", hidden);
      live(false);
    }
  }
}

async function* pieces(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let got = await reader.read(); !got.done; got = await reader.read()) yield got.value;
}

// Takes one event; gives its id.
function heard(event) {
  const told = Object.fromEntries(event.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
  if (told.event === "cleared") forget(JSON.parse(told.data).last);
  if (told.event === "calls") received(JSON.parse(told.data));
  return told.id;
}

function live(on) {
  $("#live").dataset.on = on ? "yes" : "no";
  $("#live span").textContent = on ? "live" : "not connected";
}

// Pictures ----------------------------------------------------------------------------------------

const cardsSeen = new Map();  // what test cards say, by digest
const shownPictures = new Map();

const hue = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0) * 137) % 3600, 7) % 360;

// A picture that was sent: a drawing of what a card says or of the digest; itself where it may be shown.
function thumb({ digest, field: name, card = cardsSeen.get(digest) }, big = "") {
  const label = card ? `${name}: test card of ${card.person}` : `${name}: picture ${digest?.slice(0, 8) ?? "without a digest"}`;
  const node = svg("svg", { viewBox: "0 0 40 40", class: `thumb ${big}`, role: "img", "aria-label": clean(label) },
    svg("title", {}, label), card ? face(card) : pattern(digest ?? ""));
  if (about.show_pictures && digest && shownPictures.get(digest) !== null) showPicture(node, digest, label, big);
  return node;
}

async function showPicture(node, digest, label, big) {
  if (!shownPictures.has(digest)) shownPictures.set(digest, ask(`${OWN}pictures/${digest}`).then(URL.createObjectURL).catch(() => null));
  if (shownPictures.size > MOST_ROWS) shownPictures.delete(shownPictures.keys().next().value);
  const source = await shownPictures.get(digest);
  if (source) node.replaceWith(h(`img.thumb${big && `.${big}`}`, { src: source, alt: label, title: label }));
  else shownPictures.set(digest, null);
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
    for (const one of new Set([column, 4 - column])) cells.push(svg("rect", { x: 5 + one * 6, y, width: 6, height: 6, fill }));
  }
  return [svg("rect", { width: 40, height: 40, fill: `hsl(${tint} 45% 88%)` }), cells];
}

// Calls -------------------------------------------------------------------------------------------

const calls = [], drawn = new Map();
let shown = [], wanted = "all", active = null, opened = null;
let made = 0;  // the last call that was made before this page looked
const scroller = $("#scroller"), narrow = matchMedia("(max-width: 720px)");
const TILES = { all: "All", good: "Passed", bad: "Declined", wait: "In review", fail: "Refused or broken" };
const tally = {};

const kind = (call) => (call.status == null || call.status >= 400 || call.note?.startsWith("fault") ? "fail" : tone(String(call.verdict)));

function received(rows) {
  for (const call of rows) {
    for (const picture of call.pictures) if (picture.card) cardsSeen.set(picture.digest, picture.card);
    call.kind = kind(call);
    const people = call.pictures.map((one) => one.card?.person);
    call.words = [call.method, call.path, call.status, call.vendor, call.key, call.verdict, call.note, call.text, ...people].join(" ").toLowerCase();
    call.came = performance.now();
    calls.push(call);
  }
  const old = calls.splice(0, Math.max(0, calls.length - MOST_CALLS));
  const more = rows.filter(fits);
  shown.push(...more);
  if (old.length) shown = shown.filter((call) => call.number > old.at(-1).number);
  if (scroller.scrollTop > 4) scroller.scrollTop += more.length * rowHeight();
  counted();
  draw();
  announce(rows.filter((call) => call.number > made).length);
  if (["sessions", "webhooks", "control"].includes(view)) refreshSoon();
}

function forget(last) {
  calls.length = 0;
  made = last;
  choose();
}

const wordsIn = (field) => $(field).value.toLowerCase().split(/\s+/);

function fits(call) {
  return (wanted === "all" || call.kind === wanted) && wordsIn("#search").every((word) => call.words.includes(word));
}

function choose() {
  shown = calls.filter(fits);
  scroller.scrollTop = 0;
  counted();
  draw();
}

function counted() {
  for (const name of Object.keys(TILES)) tally[name] = 0;
  for (const call of calls) if (call.kind) tally[call.kind] += 1;
  tally.all = calls.length;
  for (const tile of $("#tiles").children) {
    tile.lastChild.textContent = tally[tile.dataset.key].toLocaleString();
    tile.setAttribute("aria-pressed", tile.dataset.key === wanted);
  }
}

function announce(count) {
  if (!count) return;
  announce.count = (announce.count ?? 0) + count;
  announce.timer ??= setTimeout(() => {
    const last = calls.at(-1);
    const many = announce.count === 1 ? "A new call" : `${announce.count} new calls, the last one`;
    if (last) $("#news").textContent = clean(`${many}: ${last.method} ${last.path}, ${last.status ?? "no answer"} ${last.verdict ?? ""}`);
    announce.count = announce.timer = null;
  }, 2000);
}

const rowHeight = () => (narrow.matches ? 76 : 52);

// Only the rows in sight, and a few around them, are in the document.
function draw() {
  const height = rowHeight(), total = shown.length, rows = $("#rows");
  rows.style.height = `${total * height}px`;
  $("#grid").setAttribute("aria-rowcount", total + 1);
  $("#nothing").hidden = total > 0;
  $("#nothing b").textContent = calls.length ? "No matching call" : "No call yet";
  const first = Math.max(0, Math.floor(scroller.scrollTop / height) - 5);
  const inSight = new Map();
  for (let at = first; at < Math.min(total, first + Math.ceil(scroller.clientHeight / height) + 10); at += 1) inSight.set(shown[total - 1 - at], at);
  for (const [call, node] of drawn) {
    const isInUse = node === document.activeElement && shown.includes(call);
    if (inSight.has(call) || isInUse) continue;
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
  const what = [about.vendors.length > 1 && call.vendor, call.note ?? call.text].filter(Boolean).join(" · ");
  const isFault = call.note?.startsWith("fault"), isFresh = call.number > made && performance.now() - call.came < 1000;
  const broken = call.kind === "fail" && pill(isFault ? "broken by you" : call.status ?? "broken", "fail");
  const selected = call.number === opened ? "true" : "false";
  return h(`div.call${isFresh ? ".fresh" : ""}`, { role: "row", "aria-selected": selected, click: () => attempt(() => open(call)) },
    cell("time", h("time", { datetime: call.at, title: moment(call.at) }, time(call.at))),
    cell("pictures", call.pictures.slice(0, 2).map((one) => thumb(one))),
    cell("what", h("span", {}, h("b", {}, call.method || "—"), call.path || "no request"), h("small", {}, what)),
    cell("verdict", call.verdict == null ? broken : pill(String(call.verdict))),
    cell("score", call.score == null ? (call.verdict == null ? "" : "no score") : [String(call.score), meter(call.score)]),
    cell("status", call.status == null ? "no answer" : String(call.status)),
    cell("charged", dollars(call.charged)));
}

// A fraction is on a scale up to 1, as some vendors have it.
const meter = (score) => h("meter", { min: 0, max: score > 0 && score < 1 ? 1 : 100, value: score, "aria-hidden": "true" });

async function open(call) {
  active = call;
  opened = call.number;
  for (const [one, node] of drawn) node.setAttribute("aria-selected", one === call ? "true" : "false");
  draw();
  const told = await ask(`${OWN}calls/${call.number}`);
  const list = (object) => h("dl", {}, Object.entries(object).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  const facts = {
    Time: moment(told.at), Status: told.status == null ? "no answer" : told.status, Vendor: told.vendor ?? "nobody's", Key: told.key,
    ...(told.verdict != null && { Verdict: pill(String(told.verdict)) }), ...(told.score != null && { Score: told.score }),
    ...(told.charged && { Charged: `${dollars(told.charged)}, ${dollars(told.left)} left` }), ...(told.note && { Note: told.note }),
  };
  const pictures = told.files.map((file, at) => h("figure", {}, thumb(told.pictures[at], "big"), h("figcaption", {},
    h("b", {}, file.field), cardWords(told.pictures[at].card) ?? file.name,
    h("span", {}, `${file.size.toLocaleString()} bytes`), h("code", {}, file.digest?.slice(0, 16)))));
  const answer = told.answer == null ? h("p", {}, "Not kept: it is not JSON, too long or too old.") : json(told.answer);
  put($("#detail"),
    h("header", {}, h("h2", {}, `${told.method} ${told.path}`), button("Close", close, ".quiet")), list(facts),
    pictures.length > 0 && [h("h3", {}, "Pictures"), pictures],
    Object.keys(told.fields).length > 0 && [h("h3", {}, "Fields"), list(told.fields)],
    [h("h3", {}, "Answer"), answer],
    told.claims.length > 0 && [h("h3", {}, `Based on ${told.claims.length} claims`),
      h("div.chips", {}, told.claims.map((claim) => button(claim, () => goToClaim(claim))))]);
  $("#detail").hidden = false;
  $("#detail").scrollTop = 0;
  if (covered()) $("#detail button").focus();
}

// In a narrow window the chosen call lies over all else, which cannot be reached then.
function covered() {
  const over = view === "calls" && !$("#detail").hidden && innerWidth <= 900;
  for (const one of [$("body > header"), $("#calls .bar"), $("#grid")]) one.inert = over;
  return over;
}

function close() {
  $("#detail").hidden = true;
  opened = null;
  covered();
  drawn.get(active)?.setAttribute("aria-selected", "false");
  drawn.get(active)?.focus();
}

// What is special about a card, in words.
function cardWords(card) {
  if (!card) return null;
  const usual = { faces: 1, turned: 0, attack: false, review: false };
  const facts = ["person", "faces", "score", "liveness", "attack", "turned", "review"];
  const told = facts.filter((name) => card[name] != null && card[name] !== usual[name]);
  return told.map((name) => (card[name] === true ? name : `${name} ${card[name]}`)).join(", ");
}

function byKey(event) {
  const page = Math.floor(scroller.clientHeight / rowHeight()), at = shown.length - 1 - shown.indexOf(active);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 }[event.key];
  if ((event.key === "Enter" || event.key === " ") && active) attempt(() => open(active));
  else if (to === undefined || !shown.length) return;
  else {
    const place = Math.min(shown.length - 1, Math.max(0, to)), height = rowHeight();
    active = shown[shown.length - 1 - place];
    scroller.scrollTop = Math.min(place * height, Math.max(scroller.scrollTop, (place + 1) * height - scroller.clientHeight));
    draw();
    drawn.get(active)?.focus();
  }
  event.preventDefault();
}

async function goToClaim(claim) {
  const owner = about.vendors.find((one) => claim.startsWith(`${one.name}.`));
  if (owner) choseVendor(owner);
  $("#find").value = claim;
  location.hash = "#claims";
}

function startCalls() {
  const tile = (name) => h("button", { type: "button", "data-key": name, click: () => { wanted = name; choose(); } }, TILES[name], h("b", {}, "0"));
  $("#tiles").append(...Object.keys(TILES).map(tile));
  $("#search").addEventListener("input", choose);
  $("#forget").addEventListener("click", () => attempt(() => ask("journal/clear", {})));
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  scroller.addEventListener("keydown", byKey);
  addEventListener("resize", () => { draw(); covered(); });
  addEventListener("keydown", (event) => { if (event.key === "Escape" && !$("#detail").hidden) close(); });
  counted();
}

// Try a call --------------------------------------------------------------------------------------

const slots = [null, null];  // the pictures: {name, blob}
let sheet = null;

const cardList = async () => (sheet ??= (await ask(`${OWN}cards`)).cards);
const cardNamed = async (name) => ({ name: `${name}.png`, blob: await ask(`${OWN}cards/${name}.png`) });

async function trial() {
  const cards = await cardList(), example = vendor.examples[trial.at ?? 0] ?? vendor.examples[0];
  if (!example) return put($("#trial"), h("p.empty", {}, "There is no call to try for this vendor."));
  const change = (event) => { trial.at = event.target.selectedIndex; attempt(trial); };
  const options = vendor.examples.map((one) => h("option", { selected: one === example }, one.title));
  const operation = h("select", { "aria-label": "Operation", "data-key": "operation", change }, options);
  const palette = cards.map((card) => h("button", {
    type: "button", draggable: "true", title: `${card.name}: ${card.says}`, "aria-label": `Use the test card ${card.name}: ${card.says}`,
    dragstart: (event) => event.dataTransfer.setData("text/plain", card.name),
    click: () => attempt(async () => {
      const free = slots.slice(0, example.pictures.length).findIndex((one) => !one);
      fillSlot(free, await cardNamed(card.name));
    }),
  }, thumb({ digest: card.name, field: "card", card }), card.name));
  const pictures = example.pictures.length > 0 && [
    h("div.slots", {}, example.pictures.map(slot)),
    h("details.more", { "data-key": "palette", open: true }, h("summary", {}, "Test cards"), h("div.palette", {}, palette)),
  ];
  const fields = Object.entries({ ...example.fields, key: vendor.key }).map(([name, value]) => field(name, name, "text", { value }));
  put($("#trial"), h("label.field", {}, h("span", {}, "Operation"), operation), h("p.mono", {}, `${example.method} ${example.path}`),
    pictures, form(fields, "Send", (given) => send(example, given)));
}

function slot(name, at) {
  const taken = slots[at], take = (file) => fillSlot(at, { name: file.name, blob: file });
  const drop = async (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files, card = event.dataTransfer.getData("text/plain");
    if (file) take(file);
    else if (sheet.some((one) => one.name === card)) fillSlot(at, await cardNamed(card));
  };
  const node = h("div.slot", {
    dragover: (event) => { event.preventDefault(); node.classList.add("over"); },
    dragleave: () => node.classList.remove("over"),
    drop: (event) => attempt(() => drop(event)),
  }, h("b", {}, name));
  if (taken) {
    node.append(h("img", { src: URL.createObjectURL(taken.blob), alt: `chosen for ${name}: ${clean(taken.name, 80)}` }),
      h("span", {}, taken.name), button("Remove", () => fillSlot(at, null), ".quiet"));
  } else {
    const choose = h("input", { type: "file", accept: "image/*", change: (event) => take(event.target.files[0]) });
    node.append(h("label", {}, h("span", {}, "Drop a picture or a card here, or choose a file"), choose));
  }
  return node;
}

function fillSlot(at, picture) {
  if (at < 0) throw new Error("There is no free place: remove a picture first.");
  slots[at] = picture;
  return attempt(trial);
}

const placed = (template, words) => template.replace(/\{(\w+)\}/g, (whole, name) => words[name] ?? whole);
const each = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

async function base64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

// Makes a call as its example says, as any client would. Values of JSON may be JSON themselves.
async function call(example, fields, words) {
  if (example.token) {
    const body = new URLSearchParams(each(example.token_fields, (value) => placed(value, words)));
    words.token = (await (await fetch(example.token, { method: "POST", body })).json()).access_token ?? "";
  }
  const headers = each(example.headers, (value) => placed(value, words));
  const pictures = example.pictures.map((name, at) => [name, slots[at]]).filter(([, one]) => one);
  let body = new FormData();
  if (example.as_json) {
    const typed = each(fields, (value) => { try { return JSON.parse(value); } catch { return value; } });
    for (const [name, picture] of pictures) typed[name] = await base64(picture.blob);
    body = JSON.stringify(typed);
    headers["Content-Type"] = "application/json";
  } else if (example.as_bytes) {
    body = pictures[0]?.[1].blob;
    headers["Content-Type"] = "application/octet-stream";
  } else {
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    for (const [name, picture] of pictures) body.append(name, picture.blob, picture.name);
  }
  const began = performance.now();
  const reply = await fetch(placed(example.path, words), { method: example.method, headers, body });
  let answer = await reply.text();
  const ms = Math.round(performance.now() - began);
  try { answer = JSON.parse(answer); } catch { /* shown as it is */ }
  const claims = (reply.headers.get("X-Facematch-Claims") ?? "").split(", ").filter(Boolean);
  return { status: reply.status, answer, claims, ms };
}

async function send(example, { key, ...fields }) {
  try {
    const { status, answer, claims, ms } = await call(example, fields, { key: key ?? "", client: vendor.client ?? "" });
    put($("#answer"), h("h2", {}, "Answer ", pill(String(status), status < 300 ? "good" : "fail"), ` in ${ms} ms`), json(answer),
      h("p.lead", {}, `Based on ${claims.length} claims. `, h("a", { href: "#calls" }, "See the call"), "."));
  } catch (error) {
    put($("#answer"), h("h2", {}, "No answer"), h("p", {}, `The connection broke: ${error.message}. Did you set a fault?`));
  }
}

// Cards -------------------------------------------------------------------------------------------

async function cards() {
  if ($("#ready").childElementCount) return;
  const use = (name, picture) => h("div.acts", {}, [0, 1].map((at) => h("button", {
    type: "button", "aria-label": `Use ${name} as picture ${at + 1}`,
    click: () => attempt(async () => { slots[at] = await picture(); location.hash = "#try"; }),
  }, `Use as ${at + 1}`)));
  const nodes = (await cardList()).map((card) => {
    const image = h("img", { alt: `Test card ${card.name}` }), picture = cardNamed(card.name);
    picture.then(({ blob }) => { image.src = URL.createObjectURL(blob); }, (error) => say(error.message, true));
    const download = button("Download", async () => { const { blob, name } = await picture; save(blob, name); }, ".quiet");
    return h("li", {}, image, h("b", {}, card.name), h("span", {}, card.says), use(card.name, () => picture), download);
  });
  $("#ready").append(...nodes);
  $("#sheet").addEventListener("click", () => attempt(async () => save(await ask(`${OWN}cards/sheet.zip`), "facematch-cards.zip")));
  const percent = (name, value) => field(name, name, "number", { min: 0, max: 100, value });
  const fields = [
    field("person", "person", "text", { value: "p1", required: true, maxlength: 12, pattern: "[A-Za-z0-9_\\-]+" }),
    field("faces", "faces", ["1", "0", "2", "3", "4"]), percent("score"), percent("liveness", 97), percent("quality", 85),
    percent("luminance", 55), field("age", "age", "number", { min: 0, max: 120 }), field("gender", "gender", ["", "female", "male"]),
    field("turned", "turned by", ["0", "90", "180", "270"]), field("attack", "an attack", "check"), field("review", "a person is to look", "check"),
  ];
  const made = h("div", { "aria-live": "polite" });
  $("#compose").append(form(fields, "Make the card", async (facts) => {
    const name = `${facts.person}.png`;
    const blob = await ask(`${OWN}cards`, { ...facts, faces: Number(facts.faces), turned: Number(facts.turned) });
    put(made, h("img.preview", { src: URL.createObjectURL(blob), alt: `Test card of ${facts.person}` }),
      use("the new card", async () => ({ name, blob })), button("Download", () => save(blob, name), ".quiet"));
  }), made);
}

// Control -----------------------------------------------------------------------------------------

const OUTCOMES = [
  ["Match, 99.5", { kind: "match", score: 99.5 }], ["No match, 12", { kind: "match", score: 12 }],
  ["Match: no face", { kind: "match", score: null }], ["Match: to review", { kind: "match", review: true }],
  ["Live, 97", { kind: "liveness", score: 97 }], ["Not live, 9", { kind: "liveness", score: 9 }],
  ["An attack", { kind: "liveness", attack: true }], ["Liveness: no face", { kind: "liveness", faces: 0 }],
  ["On the blocklist", { kind: "liveness", blocklist: "certain" }],
];
const FAULTS = [
  ["500", { stage: "answer", kind: "status", status: 500 }], ["503", { stage: "answer", kind: "status", status: 503 }],
  ["429", { stage: "answer", kind: "status", status: 429 }], ["5 s late", { stage: "after_upload", kind: "delay", seconds: 5 }],
  ["Connection reset", { stage: "after_upload", kind: "reset" }],
  ["Charged, then lost", { stage: "after_upload", kind: "reset", executed: true }],
  ["Half an answer", { stage: "mid_body", kind: "truncate" }], ["A page of HTML", { stage: "answer", kind: "html", status: 502 }],
  ["Wrong JSON", { stage: "answer", kind: "wrong_json", status: 200 }],
];
const LATER = [["+1 minute", { seconds: 60 }], ["+1 hour", { seconds: 3600 }], ["+1 day", { seconds: 86_400 }]];
const CREDIT = [["$0", { balance: "0" }], ["$0.05", { balance: "0.05" }], ["$100", { balance: "100" }]];

async function done(path, body, words) {
  await ask(path, body);
  say(words);
  await VIEWS[view]();
}

async function control() {
  const state = await ask(`${OWN}state/${vendor.name}/control`);
  if (control.for !== vendor) panels(state);
  control.for = vendor;
  const isSet = ([, value]) => value != null && value.length !== 0;
  const told = (rule) => Object.entries(rule).filter(isSet).map(([name, value]) => `${name} ${value}`).join(", ");
  const waiting = (rules, word, clear) => (rules.length
    ? [h("h3", {}, `${rules.length} waiting`), h("ul.waiting", {}, rules.map((rule) => h("li", {}, told(rule)))), button("Clear", clear)]
    : [h("p.lead", {}, `No ${word} is set.`)]);
  put($("#outcomes"), waiting(state.outcomes, "outcome", () => done(its("outcomes/clear"), {}, "The outcomes are cleared.")));
  put($("#faults"), waiting(state.faults, "fault", () => done("faults/clear", {}, "The faults are cleared.")));
  $("#now").textContent = moment(state.now);
  $("#balance").textContent = dollars(state.balance);
  put($("#charges"), state.charges.reverse().map((one) => h("li", {}, `${time(one.at)} ${one.what} ${dollars(one.amount)}`)));
}

// The panels of one vendor; what changes in them is filled in by `control`.
function panels({ limits, latency }) {
  const panel = (title, ...inner) => h("section.panel", { "aria-label": title }, h("h2", {}, title), inner);
  const quick = (list, path, words) => h("div.quick", { role: "group", "aria-label": words },
    list.map(([label, body]) => button(label, () => done(path, body, `${words}: ${label}.`))));
  const more = (...inner) => h("details.more", {}, h("summary", {}, "More settings"), inner);
  const number = (name, label, max, min = 0) => field(name, label, "number", { min, max });
  const counted = ({ always, ...given }) => ({ ...given, ...(always && { times: null }) });
  const times = () => [field("times", "for calls", "number", { min: 1, value: 1 }), field("always", "for every call", "check")];

  const outcome = form([
    field("kind", "of a", ["match", "liveness"]), number("score", "score", 100), field("none", "without a score", "check"),
    field("review", "to a person (match)", "check"), number("faces", "faces (liveness)", 10), field("attack", "an attack (liveness)", "check"),
    number("quality", "quality (liveness)", 100), number("luminance", "luminance (liveness)", 100),
    field("blocklist", "blocklist (liveness)", ["", "certain", "possible"]), field("duplicate", "duplicate (liveness)", ["", "certain", "possible"]),
    field("digest", "only this SHA-256"), ...times(),
  ], "Set the outcome", ({ none, ...given }) => done(its("outcomes"), { ...counted(given), ...(none && { score: null }) }, "The outcome is set."));

  const stage = field("stage", "stage", Object.keys(about.faults)), kinds = field("kind", "kind", Object.values(about.faults)[0]);
  stage.lastChild.addEventListener("change", ({ target }) => put(kinds.lastChild, about.faults[target.value].map((one) => h("option", {}, one))));
  const fault = form([
    stage, kinds, number("status", "status", 599, 200), number("seconds", "seconds", 3600), number("chance", "chance", 1),
    field("method", "method"), field("path", "path begins"), field("executed", "carried out all the same", "check"), ...times(),
  ], "Set the fault", (given) => done("faults", counted(given), "The fault is set."));

  const scopes = Object.entries(limits).map(([scope, limit]) => field(scope, vendor.limited[scope], "number", { min: 0, value: limit, placeholder: "no limit" }));
  const limited = form(scopes, "Set the limits", (given) => {
    const every = Object.keys(limits).map((scope) => [scope, given[scope] ?? null]);
    return done(its("limits"), Object.fromEntries(every), "The limits are set.");
  });
  const late = form(vendor.operations.map((name) => field(name, `${name}: seconds`, "number",
    { min: 0, max: 3600, value: latency[name]?.[1], placeholder: "at once" })), "Set the latency", async (given) => {
    for (const operation of vendor.operations) await ask(its("latency"), { operation, seconds: given[operation] ?? 0 });
    say("The latency is set.");
  });
  const seconds = form([field("seconds", "seconds", "number", { min: 0, required: true })], "Advance",
    (given) => done("clock/advance", given, "The clock is advanced."));
  const balance = form([field("balance", "USD", "text", { required: true, inputmode: "decimal" })], "Set the credit",
    (given) => done(its("ledger/balance"), given, "The credit is set."));

  put($("#panels"),
    panel("The next outcome", quick(OUTCOMES, its("outcomes"), "The next call"), more(outcome), h("div", { id: "outcomes" })),
    panel("A fault", quick(FAULTS, "faults", "The next request"), more(fault), h("div", { id: "faults" })),
    panel("The clock", h("p.mono", { id: "now" }), quick(LATER, "clock/advance", "The clock"), seconds),
    panel(`Credit with ${vendor.title}`, h("p", {}, "Left: ", h("b", { id: "balance" })), quick(CREDIT, its("ledger/balance"), "Credit"), balance,
      h("h3", {}, "Newest charges"), h("ul.waiting", { id: "charges" })),
    panel(`Rate limits of ${vendor.title}`, scopes.length ? limited : h("p.lead", {}, "This vendor has none.")),
    panel(`Latency of ${vendor.title}`, late),
    panel("Start over", h("p", {}, "Deletes the sessions, charges, faults, outcomes and journals of all vendors. The clock goes on."),
      sure("Start over", "Really? This deletes everything", () => { control.for = null; return done("reset", {}, "Started over."); })));
}

// Sessions ----------------------------------------------------------------------------------------

const SESSION = ["Number", "Pictures", "Status", "Decide", "Score", "Service", "Vendor data", "Kept", "Reviews"];

async function sessions() {
  if (!vendor.extensions.includes("sessions")) {
    changed("sessions", null);
    put($("#kept"));
    return put($("#queue"), h("p.empty", {}, `${vendor.title} keeps no sessions, as far as its documents say.`));
  }
  const state = await ask(`${OWN}state/${vendor.name}/sessions`);
  if (!changed("sessions", state)) return;
  const rows = (list) => list.reverse().map((one) => sessionRow(one, state.choices));
  const comment = $("#comment")?.parentElement ?? h("label.field.narrow", {},
    h("span", {}, "Comment that goes with a decision"), h("input", { id: "comment", "data-key": "comment", autocomplete: "off" }));
  put($("#queue"), state.waiting.length > 0 && comment, table("Sessions that wait for a person", SESSION, rows(state.waiting)));
  put($("#kept"), table("Kept sessions", SESSION, rows(state.newest)),
    state.total > state.newest.length && h("p.lead", {}, `The newest ${state.newest.length} of ${state.total.toLocaleString()}.`));
}

function sessionRow(session, words) {
  const choices = words.filter((one) => one !== session.status);
  const notes = session.reviews.map((note) => h("p", {}, `${note.user}: ${note.new_status}`, note.comment && `, “${note.comment}”`));
  return row(`#${session.number}`,
    h("div.pictures", {}, Object.entries(session.pictures).map(([name, digest]) => thumb({ digest, field: name }))),
    pill(session.status),
    h("div.acts", {}, choices.map((one) => h(`button.${tone(one) === "good" ? "yes" : "no"}`, {
      type: "button", "data-key": session.id + one, "aria-label": `${one}: session ${session.number}`,
      click: () => attempt(() => decide(session, one)),
    }, one))),
    session.result.score ?? "", session.service, session.vendor_data ?? "", moment(session.created_at),
    notes.length > 0 && h("details", { "data-key": session.id }, h("summary", {}, `${notes.length} reviews`), notes));
}

async function decide(session, status) {
  const body = { session_id: session.id, status, comment: $("#comment")?.value || null };
  await done(its("sessions/decide"), body, `Session ${session.number} is ${status} now.`);
}

// Webhooks ----------------------------------------------------------------------------------------

const TRICKS = [
  ["Corrupt the next", "corrupt", { times: 1 }, "A byte of the next one changes after it is signed."],
  ["Sign the next wrongly", "sign-wrong", { times: 1 }, "The next one is signed with another secret."],
  ["Lose the next", "drop", { times: 1 }, "The next one is lost."],
];

async function webhooks() {
  if (!vendor.extensions.includes("webhooks")) {
    changed("webhooks", null);
    for (const place of ["#tricks", "#listen", "#deliveries"]) put($(place));
    return put($("#destinations"), h("p.empty", {}, `${vendor.title} sends no webhooks, as far as its documents say.`));
  }
  const paths = [its("webhooks/destinations"), its("webhooks/due"), `${OWN}state/${vendor.name}/webhooks`];
  const [{ destinations }, { due }, { newest }] = await Promise.all(paths.map((path) => ask(path)));
  if ($("#listen").childElementCount === 0) put($("#listen"), listener());
  if (!changed("webhooks", [destinations, due, newest])) return;
  const act = (words, verb, body, said, more) => h("button", {
    type: "button", "data-key": verb + Object.values(body), ...more, click: () => attempt(() => done(its(`webhooks/${verb}`), body, said)),
  }, words);
  put($("#tricks"), TRICKS.map((trick) => act(...trick)), h("span.lead", {}, `${due} due`));
  const place = (one) => ({ destination: one.uuid });
  const places = destinations.map((one) => row(h("code", {}, one.url), one.owner, one.enabled ? pill("on", "good") : pill("off"), one.events.join(", "),
    h("details", { "data-key": one.uuid }, h("summary", {}, "show"), h("code", {}, one.secret)),
    h("div.acts", {}, act("Send a test", "test", place(one), "A test was sent."),
      act(one.enabled ? "Switch off" : "Switch on", "destinations/change", { ...place(one), enabled: !one.enabled }, "It is changed."),
      act("Remove", "destinations/remove", place(one), "Nothing is sent there any more."))));
  put($("#destinations"), table("Destinations", ["Address", "Owner", "Enabled", "Events", "Secret", "Change"], places));
  const names = new Map(destinations.map((one) => [one.uuid, one.url]));
  const tried = (at) => h("li", {}, `${time(at.at)}: ${at.status ?? at.problem}, ${at.elapsed_ms} ms`, at.fault && `, ${at.fault}`);
  const rows = newest.reverse().map((one) => row(
    [one.event, one.is_test && " (a test)", h("br"), h("small", {}, moment(one.created_at))],
    [pill(one.state), one.due && one.state === "pending" && h("small", {}, ` due ${time(one.due)}`)],
    act("Resend", "resend", { delivery: one.id }, "It was sent again.", { title: "With a new timestamp and signature" }),
    [pill(one.status), " ", h("code", {}, one.session_id.slice(0, 8))],
    names.get(one.destination) ?? "gone",
    one.attempts.length === 0 ? "none yet" : h("details", { "data-key": `attempts${one.id}` },
      h("summary", {}, `${one.attempts.length}, last ${one.attempts.at(-1).status ?? one.attempts.at(-1).problem}`),
      h("ul.waiting", {}, one.attempts.map(tried))),
    h("details", { "data-key": `sent${one.id}` }, h("summary", {}, "headers and body"),
      block("Request", `${Object.entries(one.headers).map(([name, value]) => `${name}: ${value}\n`).join("")}\n${one.body}`))));
  put($("#deliveries"), table("Deliveries, the newest first", ["Event", "State", "Again", "Session", "To", "Attempts", "Request"], rows));
}

// The form that adds a destination; it stays as it is while the lists change.
function listener() {
  return form([field("url", "address", "url", { required: true, placeholder: "http://127.0.0.1:8000/webhook" })], "Send webhooks there",
    ({ url }) => done(its("webhooks/destinations"), { url }, "Webhooks are sent there from now on."));
}

// Whether there is something else to show in a view than before: what is looked at stays alone.
function changed(name, state) {
  const now = JSON.stringify([vendor.name, state]), before = changed[name];
  changed[name] = now;
  return now !== before;
}

// Claims ------------------------------------------------------------------------------------------

async function claims() {
  if (claims.for !== vendor) {
    const [{ claims: every }, behaviours] = await Promise.all([ask(its("claims")), ask(its("behaviours"))]);
    Object.assign(claims, { for: vendor, every });
    switches(behaviours);
  }
  const all = (one) => `${one.id} ${one.statement} ${one.known} ${one.source}`.toLowerCase();
  const found = claims.every.filter((one) => wordsIn("#find").every((word) => all(one).includes(word)));
  const first = found.length > MOST_ROWS ? `, the first ${MOST_ROWS} are shown` : "";
  $("#found").textContent = `${found.length.toLocaleString()} of ${claims.every.length.toLocaleString()} claims${first}`;
  const explain = async ({ target }) => {
    if (!target.open || target.lastChild.tagName === "PRE") return;
    target.append(block(target.dataset.key, (await ask(its(`claims/${target.dataset.key}`))).text));
  };
  put($("#list"), found.slice(0, MOST_ROWS).map((one) => h("details.claim", { "data-key": one.id, toggle: (event) => attempt(() => explain(event)) },
    h("summary", {}, h("span", {}, one.statement), pill(one.known, { documented: "good", ours: "wait" }[one.known] ?? ""),
      h("code", {}, `${one.id} · ${one.source}${one.known === "ours" ? "" : `, read ${one.read}`}`)))));
}

// What a behaviour is now, and a form that begins again with another one.
function switches({ edition, editions, switches: set, chosen, known }) {
  const one = ([name, options]) => (Array.isArray(options)
    ? field(name, name, ["", ...options.map(String)])
    : field(name, name, options === "amount" ? "text" : "number", { value: set[name] ?? "", placeholder: "default of the edition" }));
  const typed = (name, value) => (Array.isArray(known[name]) ? known[name].find((option) => String(option) === value) : value);
  const fields = [field("edition", "edition", editions), ...Object.entries(known).map(one)];
  const made = form(fields, "Start over with these", async ({ edition: asked, ...given }) => {
    const every = Object.entries(given).map(([name, value]) => [name, typed(name, value)]);
    await ask(its("reset"), { edition: asked, switches: Object.fromEntries(every) });
    about = await ask(`${OWN}about`);
    choseVendor(about.vendors.find((one) => one.name === vendor.name));
    say("Started over with these settings.");
    await claims();
  });
  made.elements.edition.value = edition;
  for (const [name, options] of Object.entries(known)) {
    if (!Array.isArray(options)) continue;
    made.elements[name].options[0].textContent = name in set ? "default of the edition" : `${chosen[name]}, the default of the edition`;
    made.elements[name].value = name in set ? String(set[name]) : "";
  }
  put($("#switches"), h("h2", {}, "Edition and switches"),
    h("p.lead", {}, "A change starts over: it deletes the sessions, charges and journal."), made);
}

// Views -------------------------------------------------------------------------------------------

const VIEWS = { calls: draw, try: trial, cards, control, sessions, webhooks, claims };
let view = "calls";

function show(focus = true) {
  view = location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "calls";
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${$(`#${view} h1`).textContent} – facematch mock`;
  covered();
  if (focus) { $("#main").focus({ preventScroll: true }); scrollTo(0, 0); }
  attempt(VIEWS[view]);
}

function refreshSoon() {
  refreshSoon.timer ??= setTimeout(() => { refreshSoon.timer = null; attempt(VIEWS[view]); }, 300);
}

function choseVendor(chosen) {
  vendor = chosen;
  $("#vendor").value = chosen.name;
  $("#edition").textContent = `edition ${chosen.edition}`;
  trial.at = 0;
}

async function start() {
  try {
    about = await ask(`${OWN}about`);
  } catch (error) {
    if (error.status !== 403) throw error;
    for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== "token";
    $("nav").hidden = true;
    if (token) say(error.message, true);
    return;
  }
  $("nav").hidden = false;
  sessionStorage.setItem("token", token);
  $("#vendor").replaceChildren(...about.vendors.map((one) => h("option", { value: one.name }, one.title)));
  choseVendor(about.vendors[0]);
  startCalls();
  $("#vendor").addEventListener("change", ({ target }) => { choseVendor(about.vendors[target.selectedIndex]); show(false); });
  $("#find").addEventListener("input", () => attempt(claims));
  addEventListener("hashchange", () => show());
  $(".skip").addEventListener("click", (event) => { event.preventDefault(); $("#main").focus(); });
  // What goes on beside calls: a delivery that is tried again, a client that moves the clock.
  setInterval(() => { if (!document.hidden && ["sessions", "webhooks", "control"].includes(view)) refreshSoon(); }, 2000);
  show(false);
  listen();
}

$("#unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  token = event.target.elements.token.value;
  attempt(start);
});
attempt(start);
