// Didit's webhook signatures once more, in another language, from the documents.
//
// Reads lines of JSON {secret, body (base64)}; writes for each {raw, v2, simple}.
// JSON.parse would lose what whole numbers beyond 2^53 say, so numbers are read here.

import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";

class Written {
  constructor(text) {
    this.text = text;
  }
}

/** A number as Python writes it, whole floats as integers. */
function number(token) {
  if (/^-?\d+$/.test(token)) return BigInt(token).toString();
  const value = Number(token);
  if (Number.isInteger(value)) return BigInt(value).toString();
  const [digits, exponent] = value.toExponential().split("e");
  if (Number(exponent) >= -4) return String(value);
  return `${digits}e-${exponent.slice(1).padStart(2, "0")}`;
}

/** Parses JSON into null, booleans, strings, arrays, Maps and written numbers. */
function parse(text) {
  let at = 0;
  const token = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) return undefined;
    at = pattern.lastIndex;
    return found[0];
  };
  const skip = (char) => {
    token(/[ \t\r\n]*/y);
    if (text[at] !== char) return false;
    at += 1;
    return true;
  };
  const need = (fine) => {
    if (!fine) throw new Error(`no JSON at ${at}`);
  };
  const string = () => {
    token(/[ \t\r\n]*/y);
    const found = token(/"(?:[^"\\]|\\.)*"/y);
    need(found);
    return JSON.parse(found);
  };
  const value = () => {
    if (skip("{")) {
      const found = new Map();
      if (skip("}")) return found;
      do {
        const key = string();
        need(skip(":"));
        found.set(key, value());
      } while (skip(","));
      need(skip("}"));
      return found;
    }
    if (skip("[")) {
      const found = [];
      if (skip("]")) return found;
      do found.push(value());
      while (skip(","));
      need(skip("]"));
      return found;
    }
    if (text[at] === '"') return string();
    const digits = token(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (digits) return new Written(number(digits));
    const word = token(/true|false|null/y);
    need(word);
    return { true: true, false: false, null: null }[word];
  };
  const found = value();
  token(/[ \t\r\n]*/y);
  need(at === text.length);
  return found;
}

/** Code points, not the halves of surrogate pairs by which JavaScript sorts. */
function inOrder([left], [right]) {
  const a = Array.from(left, (char) => char.codePointAt(0));
  const b = Array.from(right, (char) => char.codePointAt(0));
  for (let i = 0; i < Math.min(a.length, b.length); i += 1) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

function canonical(value) {
  if (value instanceof Written) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value instanceof Map) {
    const pairs = [...value].sort(inOrder);
    return `{${pairs.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
for await (const line of lines) {
  const { secret, body } = JSON.parse(line);
  const bytes = Buffer.from(body, "base64");
  const event = parse(bytes.toString("utf8"));
  const said = (name) => {
    const value = event.get(name);
    return value instanceof Written ? value.text : value ?? "";
  };
  const sign = (message) => createHmac("sha256", secret).update(message).digest("hex");
  const form = canonical(event);
  const simple = ["timestamp", "session_id", "status", "webhook_type"].map(said).join(":");
  console.log(
    JSON.stringify({
      raw: sign(bytes),
      v2: sign(form),
      simple: sign(simple),
    }),
  );
}
