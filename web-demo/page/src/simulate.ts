// The worker of the simulator: plans in, results out.
import init, * as sim from "sim-wasm";

export type Ask =
  | { id: number; what: "plans" }
  | { id: number; what: "plan"; seed: string; kind: "swarm" | "drill" | "small" }
  | { id: number; what: "run" | "compare" | "open"; text: string }
  | { id: number; what: "events"; text: string; from: number; limit: number };

export interface Told {
  id: number;
  text?: string;
  error?: string;
  tookMs: number;
}

const ready = init();

onmessage = async (event: MessageEvent<Ask>) => {
  const ask = event.data;
  const started = performance.now();
  const told = (rest: { text?: string; error?: string }): void => postMessage({ id: ask.id, tookMs: performance.now() - started, ...rest } satisfies Told);
  try {
    await ready;
    told({ text: answer(ask) });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // A panic ends the instance; what it said is the better reason.
    told({ error: error instanceof WebAssembly.RuntimeError ? sim.lastPanic() || text : text });
  }
};

function answer(ask: Ask): string {
  switch (ask.what) {
    case "plans":
      return sim.plans();
    case "plan":
      return sim.planOfSeed(ask.seed, ask.kind);
    case "run":
      return sim.run(ask.text);
    case "compare":
      return sim.compare(ask.text);
    case "open":
      return sim.open(ask.text);
    case "events":
      return sim.timeline(ask.text, ask.from, ask.limit);
  }
}
