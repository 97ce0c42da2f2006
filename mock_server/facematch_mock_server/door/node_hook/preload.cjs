// Sends this process's connections to vendors' hosts to a door; refuses all but loopback.
"use strict";
const net = require("net");

const port = Number(process.env.FACEMATCH_DOOR_PORT);
const hosts = new Set((process.env.FACEMATCH_DOOR_HOSTS || "").split(","));
const connect = net.Socket.prototype.connect;

function isTaken(host) {
  const name = host.toLowerCase().replace(/\.$/, "");
  return hosts.has(name) || hosts.has("*" + name.slice(name.indexOf(".")));
}

function isLoopback(host) {
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

// All clients connect by this method: fetch, http, https, tls and every package that uses them.
net.Socket.prototype.connect = function (...args) {
  // Node's own modules pass an array, which Node has marked as parsed, with the options first.
  const parsed = Array.isArray(args[0]) ? args[0] : net._normalizeArgs(args);
  const options = parsed[0];
  const host = options.host || "localhost";
  if (!port || options.path || isLoopback(host)) return connect.call(this, parsed);
  if (isTaken(host)) {
    parsed[0] = { ...options, host: "127.0.0.1", port };
    return connect.call(this, parsed);
  }
  const refusal = `facematch mock --door refused ${host}: only vendors' hosts and loopback are taken`;
  process.nextTick(() => this.destroy(new Error(refusal)));
  return this;
};
