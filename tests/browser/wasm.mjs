// The core in WebAssembly does what it does natively, in Node and in Chromium: the golden bytes and the
// core's own tests (tests/wasm), and in Chromium the hashes of the simulator's plans too.
//
//   node wasm.mjs TESTS.wasm [HASHES.json]
//
// TESTS.wasm is what scripts/wasm-tests builds. HASHES.json is what `sim hashes` writes; for these,
// sim/wasm/pkg has to be there. Node's hashes: sim/wasm/test/hashes.test.mjs.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { Complaints, launch } from "./chromium.mjs";
import { runTests } from "./page/wasm-tests.js";
import { Site } from "./stage.mjs";

const FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), "../golden");
const [moduleFile, hashesFile] = process.argv.slice(2);
assert.ok(moduleFile, "usage: node wasm.mjs TESTS.wasm [HASHES.json]");

let passed = 0;
async function test(name, body) {
  const begun = performance.now();
  const said = await body();
  passed += 1;
  console.log(`ok ${passed} ${name}${said ? `: ${said}` : ""}, ${((performance.now() - begun) / 1000).toFixed(1)} s`);
}

function goldenFiles() {
  const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  return Object.fromEntries(paths.map((path) => [relative(FOLDER, path), readFileSync(path, "utf8")]));
}

const packed = (files) => new TextEncoder().encode(JSON.stringify(files));
const names = (failed) => failed.map((one) => one.name);
const module = new WebAssembly.Module(readFileSync(moduleFile));
const files = goldenFiles();
const golden = packed(files);

const site = new Site();
await site.listen();
const browser = await launch();
try {
  const complaints = new Complaints();
  const page = await browser.context.newPage();
  complaints.watch(page);
  site.files["/tests/wasm_tests.wasm"] = () => readFileSync(moduleFile);
  site.files["/tests/golden.json"] = () => golden;
  site.files["/tests/sim-hashes.json"] = () => readFileSync(hashesFile);
  await page.goto(`${site.origin}/page/index.html`);
  await page.waitForFunction(() => window.inWasm !== undefined);
  // All at once, each in a worker: Node's come meanwhile.
  const inPage = (task) => page.evaluate((task) => window.inWasm(task), task).then((value) => ({ value }), (error) => ({ error }));
  const [testsInChromium, hashesInChromium] = ["tests", ...(hashesFile ? ["hashes"] : [])].map(inPage);
  const done = async (coming) => {
    const { value, error } = await coming;
    if (error !== undefined) throw error;
    return value;
  };

  let all;
  await test("the core's tests in Node", async () => {
    const { names, failed } = await runTests(module, golden);
    assert.deepEqual(failed, []);
    // Some hundreds: a list that is cut short is noticed.
    assert.ok(names.filter((name) => name.includes("::golden::")).length >= 25, names.join("\n"));
    assert.ok(names.filter((name) => name.includes("::behaviour::")).length >= 250, names.join("\n"));
    all = names;
    return `${names.length} tests`;
  });

  await test("one digit of one golden frame is noticed", async () => {
    const path = "frames/5.4.0-rocketmq/send-plain.json";
    const changed = files[path].replace(/("hex": *"[0-9a-f]{40})([0-9a-f])/, (_, before, digit) => before + (digit === "0" ? "1" : "0"));
    assert.notEqual(changed, files[path]);
    const { failed } = await runTests(module, packed({ ...files, [path]: changed }), "::golden::");
    assert.ok(names(failed).includes("test wasm_tests::golden::manifest::every_golden_file_is_as_recorded"));
    assert.ok(names(failed).some((name) => name.includes("::golden::frames::")), names(failed).join("\n"));
  });

  await test("the core's tests in Chromium", async () => {
    const { names, failed } = await done(testsInChromium);
    assert.deepEqual(failed, []);
    assert.deepEqual(names, all);
    return `${names.length} tests`;
  });

  if (hashesFile) {
    await test("plans have the hashes of this machine in Chromium", async () => {
      const native = JSON.parse(readFileSync(hashesFile, "utf8"));
      const hashes = await done(hashesInChromium);
      assert.ok(native.swarm.length >= 1_000, `${native.swarm.length} seeds`);
      for (const kind of ["swarm", "drill", "ready"]) {
        assert.equal(hashes[kind].length, native[kind].length);
        const other = native[kind].flatMap((hash, at) => (hash === hashes[kind][at] ? [] : [`${kind} ${at}: ${hash}, in Chromium ${hashes[kind][at]}`]));
        assert.deepEqual(other, []);
      }
      return `${native.swarm.length} plans of seeds, ${native.drill.length} drills, ${native.ready.length} ready`;
    });
  }

  await test("the browser complains about nothing", () => complaints.none());
} finally {
  await browser.close();
  site.close();
}
console.log(`test result: ok. ${passed} passed; 0 failed;`);
