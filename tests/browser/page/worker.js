// The actor in a worker.
import { Actor } from "./actor.js";

const actor = new Actor();
self.addEventListener("message", async ({ data: { id, method, args } }) => {
  try {
    self.postMessage({ id, value: await actor.call(method, args) });
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
});
self.postMessage("ready");
