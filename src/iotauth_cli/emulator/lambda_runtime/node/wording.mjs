// What Lambda's Node.js runtime says: lines of the log, and errors in the log and in answers.

import util from "node:util";

const LEVELS = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR" };

let requestId;

export function setRequestId(id) {
  requestId = id;
}

/** Let the console write Lambda's lines; one call is one event, its lines held together by "\r". */
export function patchConsole() {
  for (const [method, level] of Object.entries(LEVELS)) {
    console[method] = (...values) => {
      const line = `${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(...values)}`;
      process.stdout.write(`${line.replaceAll("\n", "\r")}\n`);
    };
  }
}

class RuntimeFault extends Error {
  get name() {
    return `Runtime.${this.constructor.name}`;
  }
}

export class HandlerNotFound extends RuntimeFault {}
export class ImportModuleError extends RuntimeFault {}
export class MalformedHandlerName extends RuntimeFault {}
export class UserCodeSyntaxError extends RuntimeFault {}
export class UnhandledPromiseRejection extends RuntimeFault {
  constructor(reason) {
    super(reason);
    this.reason = reason;
    this.promise = {};
  }
}

/** Write *error* as one event of the log. */
export function logError(title, error) {
  const shown = error instanceof Error ? error : new Error(error);
  console.error(title, `\t${inFull(shown)}`);
}

/** Return *error* in the members that Lambda answers with. */
export function describe(error) {
  try {
    if (!util.types.isNativeError(error) && !isErrorLike(error)) {
      return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    }
    return { errorType: error.name, errorMessage: error.message, trace: error.stack.split("\n") };
  } catch {
    const problem = "there was a problem while retrieving one or more of its message, name, and stack";
    return { errorType: "handled", errorMessage: `callback called with Error argument, but ${problem}` };
  }
}

function isErrorLike(error) {
  return ["name", "message", "stack"].every((member) => error?.[member] && typeof error[member] === "string");
}

/** Write *error* as JSON with what its author gave it, the errors within it too. */
function inFull(error) {
  try {
    return JSON.stringify(error, (_, value) => (value instanceof Error ? members(value) : value));
  } catch {
    return JSON.stringify(describe(error)); // it holds itself, or a number that JSON does not have
  }
}

function members(error) {
  const named = { errorType: error.name, errorMessage: error.message, code: error.code };
  const stack = typeof error.stack === "string" ? { stack: error.stack.split("\n") } : {};
  return { ...named, ...error, ...stack };
}
