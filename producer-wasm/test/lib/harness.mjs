// Builds the sources once, and gives every test its world.
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { World } from "./world.mjs";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const wasm = readFileSync(join(root, "pkg/producer_wasm_bg.wasm"));

const folder = mkdtempSync(join(tmpdir(), "rocketmq-web-"));
export const built = join(folder, "entry.mjs");
await build({
  entryPoints: [join(root, "test/lib/entry.ts")],
  outfile: built,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  logLevel: "warning",
});
export const inside = await import(pathToFileURL(built));
export const { RocketError } = inside;
const connect = inside.connectWith(() => wasm);

/** Rejections that nobody handled: none is right. */
export const unhandled = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
after(() => {
  if (unhandled.length > 0) throw new Error(`unhandled: ${unhandled.map(String).join("; ")}`);
});

/** Another copy of the package's sources, with nothing loaded. */
export async function fresh(source) {
  const copy = await import(`${pathToFileURL(built)}?${Math.random()}`);
  return { ...copy, connect: copy.connectWith(source) };
}

/** Runs a test in a world of its own. */
export function inWorld(test, seed = 1) {
  return async (context) => {
    const world = new World(seed).install();
    try {
      await test(world, context);
    } finally {
      world.restore();
    }
    if (world.dropped > 0) throw new Error(`${world.dropped} messages were sent into a closing socket`);
    if (unhandled.length > 0) throw new Error(`unhandled: ${unhandled.splice(0).map((e) => e?.stack ?? e).join("; ")}`);
  };
}

/** A producer of this world. */
export function producerOf(world, options = {}) {
  return connect({ bridge: "wss://bridge.test/", group: "g", webSocket: world.WebSocket, ...options });
}
