// The Lambda runtime inside the child process of a Node.js function: the other `client.py`.
//
// It uses what Node brings and nothing else. What it says of a failure is, word for word, what AWS's
// own runtime (aws-lambda-ric) says; recorded answers of that runtime are replayed in the tests.

import http from "node:http";
import { Worker } from "node:worker_threads";

import { InvocationContext } from "./context.mjs";
import { load } from "./handler.mjs";
import { stay } from "./loopback.mjs";
import { describe, logError, patchConsole, setRequestId, UnhandledPromiseRejection } from "./wording.mjs";

const API = "/2018-06-01/runtime";
const [HOST, PORT] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

// A kept-alive connection between two requests does not keep Node running: while the handler works, an
// empty event loop means that nothing of the handler's is left to wait for.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** Send one request and wait, however long it takes, for its response. */
function request(method, path, body = "") {
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const sent = http.request({ agent, host: HOST, port: PORT, method, path: API + path, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    sent.on("error", () => process.exit(1)); // the emulator is gone
    sent.end(body);
  });
}

/** Answer events, one after the other, until the emulator goes away. */
async function serve(handler) {
  for (;;) {
    const { headers, body } = await request("GET", "/invocation/next");
    const id = headers["lambda-runtime-aws-request-id"];
    setRequestId(id);
    reportTo = `/invocation/${id}/error`;
    const { verdict, answer } = await outcome(handler, headers, body);
    await request("POST", `/invocation/${id}/${verdict}`, answer);
  }
}

/** Call *handler* and wait until it is done, in whichever of the ways that handlers have. */
async function outcome(handler, headers, body) {
  const context = new InvocationContext(headers);
  atEmptyLoop = () => context.settle();
  try {
    const result = handler(JSON.parse(body), context.forHandler, context.callback);
    if (typeof result?.then === "function") result.then(context.forHandler.succeed, context.forHandler.fail);
  } catch (error) {
    context.callback(error);
  }
  try {
    return { verdict: "response", answer: await context.answer };
  } catch (error) {
    return { verdict: "error", answer: JSON.stringify(describe(error)) };
  }
}

/** End the process for *error*, which nobody caught, after whoever waits has been told. */
async function end(title, error, status) {
  logError(title, error);
  await request("POST", reportTo, JSON.stringify(describe(error)));
  process.exit(status);
}

// Standard input is a pipe whose other end only the emulator holds; the kernel closes it also after
// kill -9. A thread of its own sees that even while the handler is in an endless loop.
const LIFELINE = `
  const { Socket } = require("node:net");
  new Socket({ fd: 0, readable: true, writable: false })
    .on("close", () => process.kill(-process.pid, "SIGKILL"))
    .resume();
`;

let reportTo = "/init/error";
let atEmptyLoop = () => {};

new Worker(LIFELINE, { eval: true, env: {} }).unref();
stay();
patchConsole();
process.on("beforeExit", () => atEmptyLoop());
process.on("uncaughtException", (error) => end("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason) =>
  end("Unhandled Promise Rejection", new UnhandledPromiseRejection(reason), 128),
);
try {
  serve(await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER));
} catch (error) {
  await end("Uncaught Exception", error, 129);
}
