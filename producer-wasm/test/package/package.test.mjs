// What is published: the tarball, installed into applications of every kind. What needs a browser is
// only built here; tests/browser runs it.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build as bundle } from "esbuild";
import { serveBridge } from "../lib/bridge.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const tools = join(root, "fixtures/bundlers");
const quiet = ["--no-audit", "--no-fund", "--silent"];
const folder = mkdtempSync(join(tmpdir(), "rocketmq-web-package-"));
const app = join(folder, "app");
let bridge;
after(() => {
  bridge?.close();
  rmSync(folder, { recursive: true, force: true });
});

execFileSync("npm", ["pack", "--pack-destination", folder, ...quiet], { cwd: root });
const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith(".tgz")));
cpSync(join(root, "fixtures/app"), app, { recursive: true });
writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
execFileSync("npm", ["install", "--offline", "--no-save", ...quiet, tarball], { cwd: app });
execFileSync("npm", ["ci", "--prefer-offline", "--ignore-scripts", ...quiet], { cwd: tools });
const require = createRequire(join(tools, "package.json"));
const installed = join(app, "node_modules/rocketmq-web");

const run = (file, environment = {}) =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, [file], { cwd: app, env: { ...process.env, ...environment } }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(stdout.trim());
    });
  });

const files = (place) => readdirSync(place, { recursive: true }).map(String);

test("the tarball holds what is needed, and nothing else", () => {
  const found = files(installed).filter((name) => name !== "dist").sort();
  for (const name of ["LICENSE", "README.md", "API.md", "package.json", "dist/web.js", "dist/node.js", "dist/inline.js", "dist/slim.js", "dist/rocketmq_bg.wasm", "dist/rocketmq_bg.symbols", "dist/web.d.ts", "dist/slim.d.ts"]) {
    assert.ok(found.includes(name), name);
  }
  assert.deepEqual(found.filter((name) => !/^(dist\/[\w.]+\.(js|map|ts|wasm|symbols)|README\.md|API\.md|LICENSE|package\.json)$/.test(name)), []);
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const places = JSON.stringify(exports).match(/\.\/dist\/[\w.]+/g);
  for (const place of places) assert.ok(found.includes(place.slice(2)), place);
});

test("Node with a WebSocket that is given: entry, inline by esbuild, slim", async () => {
  bridge = await serveBridge();
  const environment = { BRIDGE: bridge.url, WS: pathToFileURL(join(root, "node_modules/ws/wrapper.mjs")).href };
  await bundle({ entryPoints: [join(app, "inline.mjs")], outfile: join(app, "one.mjs"), bundle: true, format: "esm", platform: "browser", logLevel: "warning" });
  for (const [file, body] of [["node.mjs", "from node"], ["one.mjs", "from one file"], ["slim.mjs", "slim"]]) {
    const { receipt, report } = JSON.parse(await run(join(app, file), environment));
    assert.equal(receipt.status, "SEND_OK");
    assert.equal(report.unknown, 0);
    assert.equal(bridge.bodies.at(-1), body);
  }
});

test("a server imports it without anything happening", async () => {
  assert.equal(await run(join(app, "server.mjs")), "RocketError WASM");
});

test("static files: no import of a bare name, the module beside the script", () => {
  const script = readFileSync(join(installed, "dist/web.js"), "utf8");
  assert.doesNotMatch(script, /\bfrom\s*["']|\bimport\s*["'(]/);
  assert.deepEqual(script.match(/new URL\([^)]*import\.meta\.url\)/g)?.length, 1, "one file is named, which bundlers look for");
  assert.match(script, /new URL\("\.\/rocketmq_bg\.wasm",import\.meta\.url\)/);
  assert.ok(!/\beval\(|new Function\(/.test(script), "no eval: a Content-Security-Policy may forbid it");
});

test("Vite emits the module, for the page and for its worker", async () => {
  const { build } = await import(pathToFileURL(require.resolve("vite")));
  await build({ root: app, logLevel: "error", worker: { format: "es" }, build: { outDir: "vite", target: "esnext", assetsInlineLimit: 0 } });
  const out = files(join(app, "vite"));
  const modules = out.filter((name) => /assets\/rocketmq_bg-[\w-]+\.wasm$/.test(name));
  assert.ok(modules.length >= 1, out.join());
  const scripts = out.filter((name) => name.endsWith(".js"));
  assert.ok(scripts.some((name) => /worker/.test(name)), scripts.join());
  const naming = scripts.filter((name) => /rocketmq_bg-[\w-]+\.wasm/.test(readFileSync(join(app, "vite", name), "utf8")));
  assert.ok(naming.length >= 2, "page and worker name it");
});

test("webpack emits the module", async () => {
  const webpack = require("webpack");
  const stats = await new Promise((resolve, reject) => {
    const configuration = {
      context: app,
      entry: "./worker.js",
      mode: "production",
      target: "web",
      experiments: { outputModule: true },
      output: { path: join(app, "webpack"), module: true, filename: "main.mjs" },
    };
    webpack(configuration, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
  assert.equal(stats.hasErrors(), false, stats.toString("errors-only"));
  const out = files(join(app, "webpack"));
  const module = out.find((name) => name.endsWith(".wasm"));
  assert.ok(module, out.join());
  assert.ok(readFileSync(join(app, "webpack/main.mjs"), "utf8").includes(module));
});

test("types: a consumer of the whole API compiles, whatever it compiles with", async () => {
  const place = join(app, "types");
  mkdirSync(place);
  cpSync(join(root, "fixtures/types/consumer.ts"), join(place, "consumer.ts"));
  mkdirSync(join(app, "node_modules/@types"), { recursive: true });
  cpSync(join(root, "node_modules/@types/node"), join(app, "node_modules/@types/node"), { recursive: true });
  cpSync(join(root, "node_modules/undici-types"), join(app, "node_modules/undici-types"), { recursive: true });
  const tsc = join(root, "node_modules/.bin/tsc");
  let count = 0;
  for (const lib of [["es2022", "dom", "dom.iterable"], ["es2023", "dom", "dom.iterable"], ["esnext", "dom", "dom.iterable"], ["es2022", "webworker"], ["esnext", "webworker"]]) {
    for (const types of [[], ["node"]]) {
      for (const exact of [true, false]) {
        const bundler = count++ % 2 === 0;
        const compilerOptions = {
          lib,
          types,
          exactOptionalPropertyTypes: exact,
          target: "es2022",
          module: bundler ? "esnext" : "nodenext",
          moduleResolution: bundler ? "bundler" : "nodenext",
          strict: true,
          noUncheckedIndexedAccess: true,
          noPropertyAccessFromIndexSignature: true,
          skipLibCheck: false,
          noEmit: true,
        };
        // Types of Node are not made for workers: theirs are checked without.
        if (types.length > 0 && lib.includes("webworker")) continue;
        writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
        try {
          execFileSync(tsc, ["-p", place], { encoding: "utf8" });
        } catch (error) {
          assert.fail(`lib ${lib}, types ${types}, exact ${exact}:\n${error.stdout}`);
        }
      }
    }
  }
});

test("what the READMEs show compiles", () => {
  const place = join(app, "readme");
  mkdirSync(place);
  const page = readFileSync(join(root, "../README.md"), "utf8").split("### In a web page")[1] ?? "";
  const texts = [readFileSync(join(root, "README.md"), "utf8"), page.split(/^##/m)[0]];
  const blocks = texts.flatMap((text) => [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code));
  assert.ok(blocks.length >= 6, `${blocks.length}`);
  blocks.forEach((code, n) => writeFileSync(join(place, `${n}.ts`), `${code}\nexport {};\n`));
  const compilerOptions = { lib: ["es2022", "dom", "dom.iterable"], target: "es2022", module: "nodenext", strict: true, noEmit: true, types: [] };
  writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  try {
    execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", place], { encoding: "utf8" });
  } catch (error) {
    assert.fail(error.stdout);
  }
});

test("publint and arethetypeswrong find nothing", async () => {
  const publint = execFileSync(join(tools, "node_modules/.bin/publint"), ["--strict", tarball], { encoding: "utf8", cwd: tools });
  assert.match(publint, /All good!/);
  // By its parts: its command line cannot read a tarball as large as this one.
  const { checkPackage, Package } = await import(pathToFileURL(join(tools, "node_modules/@arethetypeswrong/core/dist/index.js")));
  const read = (name) => (/\.(ts|js|json)$/.test(name) && !name.endsWith("inline.js") ? readFileSync(join(installed, name), "utf8") : "export const connect = 0;");
  const parts = Object.fromEntries(files(installed).filter((name) => /\.\w+$/.test(name)).map((name) => [`/node_modules/rocketmq-web/${name}`, read(name)]));
  const { problems, entrypoints } = await checkPackage(new Package(parts, "rocketmq-web", "0.1.0"), { excludeEntrypoints: ["./wasm"] });
  assert.deepEqual(Object.keys(entrypoints), [".", "./inline", "./slim", "./package.json"]);
  // It is ESM and nothing else: how CommonJS and the resolution before `exports` see it does not matter.
  assert.deepEqual(problems.filter(({ resolutionKind }) => resolutionKind !== "node10" && resolutionKind !== "node16-cjs"), []);
});
