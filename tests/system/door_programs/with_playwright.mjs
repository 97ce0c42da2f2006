import http from "node:http";
import { chromium } from "playwright-core";

const started = await fetch("https://verification.didit.me/v3/session/", {
  method: "POST",
  headers: { "x-api-key": "the-programs-own-key", "content-type": "application/json" },
  body: JSON.stringify({ workflow_id: "11111111-2222-4333-8444-555555555555", vendor_data: "customer" }),
});
const { url } = await started.json();
const app = http.createServer((request, response) => response.end("the app"));
await new Promise((resolve) => app.listen(0, "127.0.0.1", resolve));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  proxy: { server: process.env.HTTPS_PROXY, bypass: "localhost,127.0.0.1" },
});
const page = await browser.newPage({ ignoreHTTPSErrors: true });
await page.goto(`http://127.0.0.1:${app.address().port}/`);
const text = await page.innerText("body");
await page.goto(url);
console.log(`${text}, ${await page.innerText("h1")}`);
await browser.close();
app.close();
