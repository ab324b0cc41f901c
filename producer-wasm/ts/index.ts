// What every entry point has in common.
import { load } from "./module.js";
import { makeProducer } from "./producer.js";
import type { Source } from "./source.js";
import type { ConnectOptions, Producer } from "./types.js";

export { RocketError } from "./errors.js";
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
    how?.signal?.throwIfAborted();
    const memory = await load(source);
    how?.signal?.throwIfAborted();
    return makeProducer(memory, options);
  };
}
