// What the site's search answers, by the theme's own worker and without a browser.
//
// Arguments: the worker, the index. Reads a JSON list of queries; writes for each the places found.

import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

const [worker, index] = process.argv.slice(2).map((path) => readFileSync(path, "utf8"));
const waiting = [];
let listen;

globalThis.self = globalThis;
globalThis.addEventListener = (_kind, listener) => (listen = listener);
globalThis.postMessage = (message) => waiting.shift()(message);
runInThisContext(worker);

function ask(type, data) {
  return new Promise((resolve) => {
    waiting.push(resolve);
    listen({ data: { type, data } });
  });
}

await ask(0, { ...JSON.parse(index), options: {} });
const answers = [];
for (const query of JSON.parse(readFileSync(0, "utf8"))) {
  const { data } = await ask(2, query);
  answers.push(data.items.map(([best]) => best.location));
}
console.log(JSON.stringify(answers));
