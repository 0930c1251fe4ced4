// One invocation as its handler sees it: the context, the callback, and when its answer counts.
// Source: AWS Lambda developer guide, "Using the Lambda context object to retrieve Node.js function information".

import { logError } from "./wording.mjs";

const { env } = process;

export class InvocationContext {
  #resolve;
  #reject;
  #isDone = false;
  #result; // what the callback was given, while the event loop still has work

  constructor(headers) {
    /** JSON text of the result; rejected with what the handler failed with. */
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.callback = (error, result) => this.#once(() => this.#called(error, result));
    this.forHandler = {
      callbackWaitsForEmptyEventLoop: true,
      succeed: (result) => this.#once(() => this.#finish(result)),
      fail: (error) => this.#once(() => this.#fail(error ?? "handled")),
      done: (error, result) => this.#once(() => (isGiven(error) ? this.#fail(error) : this.#finish(result))),
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: undefined,
      identity: undefined,
      invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
      awsRequestId: headers["lambda-runtime-aws-request-id"],
      getRemainingTimeInMillis: () => headers["lambda-runtime-deadline-ms"] - Date.now(),
    };
  }

  /** Answer with what there is: the event loop is empty, so nothing more will come. */
  settle() {
    this.#finish(this.#result);
  }

  #called(error, result) {
    if (isGiven(error)) this.#fail(error);
    else if (this.forHandler.callbackWaitsForEmptyEventLoop) this.#result = result;
    else this.#finish(result);
  }

  #finish(result) {
    try {
      this.#resolve(JSON.stringify(result === undefined ? null : result) ?? "null");
    } catch {
      this.#fail(new Error("Unable to stringify response body"));
    }
  }

  #fail(error) {
    logError("Invoke Error", error); // here and not later: the stack of a text that was thrown is the caller's
    this.#reject(error);
  }

  #once(action) {
    if (this.#isDone) return;
    this.#isDone = true;
    action();
  }
}

function isGiven(error) {
  return error !== undefined && error !== null;
}
