// Bundles the page into dist, packs each file, and prints the sizes; with --gate a page that is too
// large is an error.
import { build } from "esbuild";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const KIB_MAX = 250;
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const dist = join(here, "dist");
const producer = join(root, "producer-wasm/dist");
const simulator = join(root, "sim/wasm/pkg");

// What the page needs of other packages, built before: scripts/demo-page does.
for (const needed of [join(producer, "web.js"), join(simulator, "sim_wasm.js")]) {
  if (!existsSync(needed)) {
    console.error(`${needed} is missing: build it first, or run ./demo, which does`);
    process.exit(1);
  }
}
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const options = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2023",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  outdir: dist,
  alias: { "rocketmq-web": join(producer, "web.js"), "sim-wasm": join(simulator, "sim_wasm.js") },
};
await build({ ...options, entryPoints: { main: "src/main.ts", style: "src/style.css" } });
await build({ ...options, entryPoints: { worker: "src/worker.ts", simulate: "src/simulate.ts" } });
for (const folder of [producer, simulator]) {
  for (const wasm of readdirSync(folder).filter((name) => name.endsWith(".wasm"))) cpSync(join(folder, wasm), join(dist, wasm));
}
// Where no server of ours says otherwise there is no cluster.
writeFileSync(join(dist, "backend.json"), '{"live":false}');
cpSync(join(here, "index.html"), join(dist, "index.html"));

// What a visitor loads at once, and the simulator, which comes when somebody scrolls to it.
const LATER = new Set(["simulate.js", "sim_wasm_bg.wasm"]);
let [first, later] = [0, 0];
for (const name of readdirSync(dist).sort()) {
  const packed = gzipSync(readFileSync(join(dist, name)), { level: 9 });
  writeFileSync(join(dist, `${name}.gz`), packed);
  if (LATER.has(name)) later += packed.length;
  else first += packed.length;
  console.log(`${kib(packed.length)}  ${name}`);
}
console.log(`${kib(first)}  the page, at most ${KIB_MAX}`);
console.log(`${kib(later)}  the simulator, when it comes into sight`);
if (process.argv.includes("--gate") && first > KIB_MAX * 1024) {
  console.error("the page has become too large");
  process.exit(1);
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1).padStart(7)} KiB gz`;
}
