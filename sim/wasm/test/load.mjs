// The module as Node loads it. SIM_WASM names another folder than that of
// `scripts/demo-page`.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const folder = resolve(process.env.SIM_WASM ?? resolve(here, "../pkg"));

const sim = await import(pathToFileURL(resolve(folder, "sim_wasm.js")).href);
const bytes = readFileSync(resolve(folder, "sim_wasm_bg.wasm"));
await sim.default({ module_or_path: bytes });

export { bytes, folder, sim };
export const root = resolve(here, "../../..");
