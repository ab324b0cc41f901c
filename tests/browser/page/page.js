// The page: an actor in it, and another in a worker if a test wants one.
import { Actor } from "./actor.js";

window.actor = new Actor();
// One URL of a script, and it is ours.
const own = window.trustedTypes?.createPolicy("own", { createScriptURL: (url) => url });

window.startWorker = async () => {
  const url = "worker.js";
  const worker = new Worker(own ? own.createScriptURL(url) : url, { type: "module" });
  const waiting = new Map();
  let next = 0;
  await new Promise((ready) => worker.addEventListener("message", ready, { once: true }));
  worker.addEventListener("message", ({ data: { id, value, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(error));
  });
  window.inWorker = {
    call: (method, args) => new Promise((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, method, args });
    }),
  };
};

// A task of `wasm-worker.js`, in a worker of its own.
window.inWasm = async (task) => {
  const url = "wasm-worker.js";
  const worker = new Worker(own ? own.createScriptURL(url) : url, { type: "module" });
  const done = new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data: { value, error } }) => (error === undefined ? resolve(value) : reject(new Error(error))));
    worker.addEventListener("error", (event) => reject(new Error(event.message)));
  });
  worker.postMessage(task);
  try {
    return await done;
  } finally {
    worker.terminate();
  }
};
