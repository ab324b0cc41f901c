// For whoever has the module from somewhere else.
import { connector } from "./index.js";
import type { Source } from "./source.js";

export * from "./index.js";
export type { ModuleBytes, Source } from "./source.js";

let given: (() => Source) | undefined;

/** Says where the module is, before the first `connect`: its bytes, a response, or a promise of one. */
export function useModule(source: Source | (() => Source)): void {
  given = typeof source === "function" ? (source as () => Source) : () => source;
}

export const connect = connector(() => {
  if (!given) throw new Error("call useModule first: rocketmq-web/slim does not know where its module is");
  return given();
});
