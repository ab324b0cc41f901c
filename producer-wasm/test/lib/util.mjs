import assert from "node:assert/strict";

/** The error of a promise that fails some time; nothing is awaited. */
export const failure = (promise) =>
  promise.then(
    (value) => assert.fail(`it did not fail: ${JSON.stringify(value)}`),
    (error) => error,
  );
