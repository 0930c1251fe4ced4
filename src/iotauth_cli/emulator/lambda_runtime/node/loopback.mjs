// Keeps a function on this machine: what it sends elsewhere fails at once, with a sentence in its log.
// The other `loopback.py`, with the same sentence; names that a function looks up itself, by `node:dns`, are
// not held back, and neither are programs that it starts.

import dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";

const STDERR = 2;
const LOCAL_NAMES = new Set(["", "localhost", "::1", "0.0.0.0", "::"]); // the unspecified ones lead here too

/** Refuse, from now on, every connection that leaves loopback: `http`, `tls` and `fetch` are made of these. */
export function stay() {
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...given) {
    const host = hostOf(given);
    if (isLoopback(host)) return connect.apply(this, given);
    const error = refusal(host);
    process.nextTick(() => this.destroy(error)); // as every error of a connection: later, as an event
    return this;
  };
  const { send } = dgram.Socket.prototype;
  dgram.Socket.prototype.send = function (message, ...given) {
    const host = given.find((value) => typeof value === "string");
    if (!isLoopback(host)) throw refusal(host);
    return send.call(this, message, ...given);
  };
}

export function isLoopback(host) {
  if (host === undefined || host === null) return true;
  const name = String(host).toLowerCase().split("%")[0].replace(/\.$/, "");
  return LOCAL_NAMES.has(name) || name.endsWith(".localhost") || /^(::ffff:)?127(\.\d+)+$/.test(name);
}

/** Read the host out of the many forms of `socket.connect`; undefined for a path or none. */
function hostOf(given) {
  const [first, second] = Array.isArray(given[0]) ? given[0] : given; // an array: Node has normalised them before
  if (first !== null && typeof first === "object") return first.path ? undefined : first.host;
  const isPath = typeof first === "string" && Number.isNaN(Number(first));
  return !isPath && typeof second === "string" ? second : undefined;
}

/** Write the sentence to the log and return it as an error. */
function refusal(host) {
  const sentence = `the iotauth emulator keeps functions on this machine: ${host} was not reached`;
  fs.writeSync(STDERR, `[ERROR] ${sentence}\n`);
  return Object.assign(new Error(sentence), { code: "ENETUNREACH", syscall: "connect" });
}
