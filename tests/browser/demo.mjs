// The demo as a visitor sees it: five scenes against the embedded cluster, the simulator's hash, and
// what it looks like at three widths in both themes.
//
//   node demo.mjs WEB_DEMO [SCREENSHOTS]
//
// WEB_DEMO is the program, its page built (scripts/demo-page). SCREENSHOTS is a folder for pictures.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { Complaints, launch } from "./chromium.mjs";

const SCENES = ["kill", "answer-lost", "slow", "back-pressure", "close"];
const [program, pictures] = process.argv.slice(2);
assert.ok(program, "usage: node demo.mjs WEB_DEMO [SCREENSHOTS]");
const server = spawn(program, ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
const ended = new Promise((done) => server.on("exit", done));

let passed = 0;
async function test(name, body) {
  await body();
  passed += 1;
  console.log(`ok ${passed} ${name}`);
}

const browser = await launch({ viewport: { width: 1440, height: 900 } });
try {
  const address = await urlOf(server);
  const page = browser.context.pages()[0] ?? (await browser.context.newPage());
  const complaints = new Complaints();
  complaints.watch(page);
  const part = (id) => page.locator(`[data-testid=${id}]`);

  await test("the page opens and publishes", async () => {
    await page.goto(address);
    await page.waitForFunction(() => Number(document.querySelector("[data-testid=tally-acked]")?.textContent?.replace(/\D/g, "")) > 500, null, { timeout: 60_000 });
  });

  for (const scene of SCENES) {
    await test(`scene ${scene}`, async () => {
      // A broker that is killed cuts connections, which the browser notes.
      complaints.networkIsDown = true;
      await part(`scene-${scene}`).click();
      await page.waitForFunction(
        (id) => /passed|failed/.test(document.querySelector(`[data-testid=scene-${id}]`)?.dataset.outcome ?? ""),
        scene,
        { timeout: 90_000 },
      );
      const caption = await part("scene-caption").textContent();
      assert.equal(await part(`scene-${scene}`).getAttribute("data-outcome"), "passed", caption);
    });
  }

  await test("a seed has one hash in the page and on this machine", async () => {
    await page.goto(`${address}#seed=3&kind=swarm`);
    await page.reload();
    await part("sim-hash").scrollIntoViewIfNeeded();
    await page.waitForFunction(() => /[0-9a-f]{16}/.test(document.querySelector("[data-testid=sim-hash]")?.textContent ?? ""), null, { timeout: 60_000 });
    assert.match(await part("sim-hash").textContent(), /7eee6a635a6fe657/);
  });

  await test("nothing is complained about", () => assert.deepEqual(complaints.all, []));

  if (pictures) await show(page);
} finally {
  await browser.close();
  server.kill("SIGTERM");
}
await test("the program ends when it is told to", async () => assert.equal(await ended, 0));
console.log(`test result: ok. ${passed} passed; 0 failed;`);

/** The URL in the first line that has one. */
async function urlOf(process) {
  for await (const line of createInterface({ input: process.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return url;
  }
  throw new Error("the demo ended before it said where it is");
}

async function show(page) {
  mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ["dark", "light"]) {
    for (const width of [1440, 1024, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.waitForTimeout(1_500);
      await page.screenshot({ path: join(pictures, `${width}-${colorScheme}.png`), fullPage: true });
    }
  }
}
