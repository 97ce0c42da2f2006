import http2 from "node:http2";

const session = http2.connect("https://verification.didit.me");
session.on("error", (error) => console.log("refused", error.code));
session.request({ ":path": "/system/healthcheck" }).on("error", () => session.destroy());
