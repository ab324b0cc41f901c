// What every entry point has in common.
import { aborted } from "./errors.js";
import { load } from "./module.js";
import { makeProducer } from "./producer.js";
import type { Source } from "./source.js";
import type { ConnectOptions, Producer } from "./types.js";

export { type ErrorDetails, RocketError } from "./errors.js";
export type * from "./types.js";

/**
 * Makes a producer. The module is loaded by the first call, so importing costs nothing and works on
 * a server. Connections are made when something is sent; `route(topic, { connect: true })` makes them
 * before.
 */
export type Connect = (options: ConnectOptions, how?: { signal?: AbortSignal }) => Promise<Producer>;

/** `connect` over a module from somewhere. */
export function connector(source: () => Source): Connect {
  return async function connect(options, how) {
    const signal = how?.signal;
    if (signal?.aborted) throw aborted(signal, "not-sent", "connect");
    let memory: WebAssembly.Memory;
    if (signal === undefined) {
      memory = await load(source);
    } else {
      let abort: (() => void) | undefined;
      const gaveUp = new Promise<never>((_, reject) => {
        abort = () => reject(aborted(signal, "not-sent", "connect"));
        signal.addEventListener("abort", abort, { once: true });
      });
      try {
        memory = await Promise.race([load(source), gaveUp]);
      } finally {
        if (abort) signal.removeEventListener("abort", abort);
      }
    }
    return makeProducer(memory, options);
  };
}
