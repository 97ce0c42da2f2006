import { createHmac } from "node:crypto";

const SESSIONS = "https://stationapi.veriff.com/v1/sessions";
const API_KEY = "00000000-0000-4000-8000-000000000007";

function headers(signed) {
  const signature = createHmac("sha256", "secret-of-the-program").update(signed).digest("hex");
  return {
    "Content-Type": "application/json",
    "X-AUTH-CLIENT": API_KEY,
    "X-HMAC-SIGNATURE": signature,
  };
}

const body = JSON.stringify({ verification: { vendorData: "person-of-the-program" } });
const started = await fetch(SESSIONS, { method: "POST", headers: headers(body), body });
const { id, status } = (await started.json()).verification;
const read = await fetch(`${SESSIONS}/${id}/decision`, { headers: headers(id) });
console.log("session", status, (await read.json()).verification);
