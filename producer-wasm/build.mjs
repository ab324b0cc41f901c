// Builds dist/ from the wasm module in pkg/ and the sources in ts/. Run by scripts/web-package.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);
rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");

execFileSync("node_modules/.bin/tsc", ["-p", "."], { stdio: "inherit" });

const wasm = readFileSync("pkg/producer_wasm_bg.wasm");
const inlined = {
  name: "inlined-wasm",
  setup(build) {
    build.onResolve({ filter: /^rocketmq-web:wasm$/ }, () => ({ path: "wasm", namespace: "inlined" }));
    build.onLoad({ filter: /.*/, namespace: "inlined" }, () => ({ contents: wasm.toString("base64"), loader: "text" }));
  },
};
// The glue's own way to find the module is not used: it would have bundlers look for its file.
const glue = {
  name: "glue",
  setup(build) {
    build.onLoad({ filter: /pkg\/producer_wasm\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace(/new URL\('producer_wasm_bg\.wasm', import\.meta\.url\)/, "undefined"),
      loader: "js",
    }));
  },
};
for (const entry of ["web", "node", "inline", "slim"]) {
  await build({
    // esbuild has looked where it was started, which may be elsewhere.
    absWorkingDir: here,
    entryPoints: [`ts/${entry}.ts`],
    outfile: `dist/${entry}.js`,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: entry === "node" ? "node" : "browser",
    minify: true,
    sourcemap: entry !== "inline",
    sourcesContent: false,
    legalComments: "none",
    external: ["node:*"],
    plugins: [inlined, glue],
    logLevel: "warning",
  });
}
cpSync("pkg/producer_wasm_bg.wasm", "dist/rocketmq_bg.wasm");
cpSync("pkg/producer_wasm.symbols", "dist/rocketmq_bg.symbols"); // what a trap's numbers mean; no page asks for it
cpSync("../LICENSE", "LICENSE"); // npm packs the one beside package.json
// Nobody sees the inside.
const shown = ["web", "slim", "index", "types", "errors", "source"];
for (const file of readdirSync("dist")) {
  if (file.endsWith(".d.ts") && !shown.includes(file.slice(0, -5))) rmSync(join("dist", file));
}

const packed = (file) => gzipSync(readFileSync(join("dist", file)), { level: 9 }).length;
const sizes = { wasm: packed("rocketmq_bg.wasm"), script: packed("web.js"), inline: packed("inline.js") };
console.log(`rocketmq-web by gzip: wasm ${sizes.wasm}, script ${sizes.script}, both ${sizes.wasm + sizes.script}; inline ${sizes.inline}`);
