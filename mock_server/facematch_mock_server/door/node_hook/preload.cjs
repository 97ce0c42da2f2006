// Sends this process's connections to vendors' hosts to a door, which may refuse others.
"use strict";
const net = require("net");

const port = Number(process.env.FACEMATCH_DOOR_PORT);
const hosts = new Set((process.env.FACEMATCH_DOOR_HOSTS || "").split(","));
const connect = net.Socket.prototype.connect;
// Hosts that the door lets pass.
const passing = new Set();

function isTaken(host) {
  const name = host.toLowerCase().replace(/\.$/, "");
  return hosts.has(name) || hosts.has("*" + name.slice(name.indexOf(".")));
}

function isLoopback(host) {
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

// The arguments are those of net.connect: options, or a port and a host, or the path of a Unix
// socket, and then a callback. Node's own modules pass options and callback as one array.
function readArguments(args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  const callback = (Array.isArray(args[0]) ? args[0] : args).find((each) => typeof each === "function");
  if (typeof first === "object") return { options: first, callback };
  if (Number.isNaN(Number(first))) return { options: { path: first }, callback };
  return { options: { port: first, host: typeof second === "string" ? second : undefined }, callback };
}

// Asks the door about a host, then connects as the program wanted, or ends the connection with the
// sentence by which the door refuses the host.
function ask(socket, host, args) {
  const target = net.isIPv6(host) ? `[${host}]:443` : `${host}:443`;
  const question = new net.Socket();
  let answer = "";
  socket.connecting = true; // so that what the program writes waits
  question.setEncoding("utf8").on("data", (part) => (answer += part));
  question.on("error", () => {}); // `close` follows
  question.on("close", () => {
    if (socket.destroyed) return;
    if (answer.startsWith("HTTP/1.1 200 ")) {
      passing.add(host);
      connect.apply(socket, args);
      return;
    }
    const sentence = answer.split("\r\n\r\n")[1] || `The door refused ${host}.`;
    socket.destroy(new Error(sentence.trim()));
  });
  connect.call(question, { host: "127.0.0.1", port }, () => {
    question.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nFacematch-Door: may-pass\r\n\r\n`);
  });
  return socket;
}

// All clients connect by this method: fetch, http, https, tls and every package that uses them.
net.Socket.prototype.connect = function (...args) {
  const { options, callback } = readArguments(args);
  const host = options.host || "localhost";
  const isDirect = isLoopback(host) || passing.has(host);
  if (!port || options.path || isDirect) return connect.apply(this, args);
  if (isTaken(host)) return connect.call(this, { ...options, host: "127.0.0.1", port }, callback);
  return ask(this, host, args);
};
