const https = require("node:https");

const body = "client_id=client-of-the-program&client_secret=secret-of-the-program";
const options = {
  hostname: "production.deepvue.tech",
  path: "/v1/authorize",
  method: "POST",
  headers: { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": body.length },
};
const request = https.request(options, (answer) => {
  let text = "";
  answer.on("data", (part) => (text += part));
  answer.on("end", () => console.log("token", JSON.parse(text).access_token.length > 20));
});
request.end(body);
