// In a worker: the core's tests, and the hashes of the simulator's plans.
import { runTests } from "./wasm-tests.js";

const bytes = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

const TASKS = {
  async tests() {
    return runTests(await WebAssembly.compileStreaming(fetch("/tests/wasm_tests.wasm")), await bytes("/tests/golden.json"));
  },

  /** The hash of each plan that has one natively, by kind. */
  async hashes() {
    const sim = await import("/sim/sim_wasm.js");
    await sim.default();
    const native = await (await fetch("/tests/sim-hashes.json")).json();
    const ofSeeds = (kind) => native[kind].map((_, at) => sim.hash(sim.planOfSeed(String(native.from + at), kind)));
    const plans = JSON.parse(sim.plans()).flatMap((ready) => ready.ways.map((way) => way.plan));
    return { swarm: ofSeeds("swarm"), drill: ofSeeds("drill"), ready: plans.map((plan) => sim.hash(JSON.stringify(plan))) };
  },
};

self.addEventListener("message", async ({ data }) => {
  try {
    self.postMessage({ value: await TASKS[data]() });
  } catch (error) {
    self.postMessage({ error: String(error?.stack ?? error) });
  }
});
