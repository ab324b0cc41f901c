// The demo as a visitor sees it: five scenes against the embedded cluster, what axe finds in both
// themes, the simulator's hash, and its pictures.
//
//   node demo.mjs WEB_DEMO [--pictures | --frames]
//
// WEB_DEMO is the program, its page built (scripts/demo-page). With --pictures those of its README are
// taken anew; without, they have to be there. With --frames it only tells how smoothly the page draws
// 10,000 messages a second.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { findings } from "./axe.mjs";
import { Complaints, launch } from "./chromium.mjs";
import { bare, frames, LATE_MAX, percent } from "./frames.mjs";
import * as pictures from "./pictures.mjs";

const SCENES = ["kill", "answer-lost", "slow", "back-pressure", "close"];
/** What axe looks at, besides the page as it opens: what a fault and what a full window look like. */
const LOOKED_AT = new Set(["kill", "back-pressure"]);
const [program, flag] = process.argv.slice(2);
assert.ok(program && [undefined, "--pictures", "--frames"].includes(flag), "usage: node demo.mjs WEB_DEMO [--pictures | --frames]");
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

  if (flag === "--frames") {
    await test("the page is smooth", async () => {
      const { late, told } = await frames(page, 20);
      const machine = await bare(page, 10);
      console.log(`   ${told}\n   an empty page: ${percent(machine)} late; goal: ${percent(LATE_MAX)} more at most`);
      assert.ok(late <= machine + LATE_MAX);
    });
  } else await all();

  async function all() {
    /** Nothing grave, neither in the dark nor in the light. */
    const accessible = async () => {
      const found = [...(await findings(page, "dark")), ...(await findings(page, "light"))];
      assert.deepEqual(found, []);
    };
    await test("axe finds nothing grave on the page as it opens", accessible);
    await test("axe sees what it should", async () => {
      await page.evaluate(() => document.getElementById("theme").replaceChildren());
      assert.match((await findings(page, "dark")).join(), /button-name/);
      await page.reload();
      await page.waitForFunction(() => document.querySelector("[data-testid=tally-acked]")?.textContent !== "0");
    });

    for (const scene of SCENES) {
      await test(`scene ${scene}`, async () => {
        // A broker that is killed cuts connections, which the browser notes.
        complaints.networkIsDown = true;
        await part(`scene-${scene}`).click();
        if (LOOKED_AT.has(scene)) {
          await page.waitForFunction(() => document.querySelector(".node[data-state=down], .node[data-state=ill]") !== null);
          await accessible();
        }
        await page.waitForFunction(
          (id) => /passed|failed/.test(document.querySelector(`[data-testid=scene-${id}]`)?.dataset.outcome ?? ""),
          scene,
          { timeout: 90_000 },
        );
        const caption = await part("scene-caption").textContent();
        assert.equal(await part(`scene-${scene}`).getAttribute("data-outcome"), "passed", caption);
      });
    }

    await test("the README has pictures of it", async () => {
      if (flag === "--pictures") await pictures.take(page);
      assert.deepEqual(pictures.wrong(), []);
    });

    await test("a seed has one hash in the page and on this machine", async () => {
      await page.goto(`${address}#seed=3&kind=swarm`);
      await page.reload();
      await part("sim-hash").scrollIntoViewIfNeeded();
      await page.waitForFunction(() => /[0-9a-f]{16}/.test(document.querySelector("[data-testid=sim-hash]")?.textContent ?? ""), null, { timeout: 60_000 });
      assert.match(await part("sim-hash").textContent(), /7eee6a635a6fe657/);
    });

    await test("a run is saved for Perfetto", async () => {
      const coming = page.waitForEvent("download");
      await part("sim-save").click();
      const file = readFileSync(await (await coming).path(), "utf8");
      const { traceEvents, otherData } = JSON.parse(file);
      assert.equal(otherData.hash, "7eee6a635a6fe657");
      const spans = (ph) => traceEvents.filter((event) => event.ph === ph).map((event) => event.id).sort();
      assert.deepEqual(spans("b"), spans("e"));
      assert.ok(spans("b").filter((id) => id.startsWith("send ")).length > 100);
    });

    await test("with a retry more another producer takes over", async () => {
      // It begins a ledger of its own.
      const acked = () => part("tally-acked").textContent().then((text) => Number(text.replace(/\D/g, "")));
      const before = await acked();
      await page.evaluate(() => {
        const slider = document.querySelector("[data-testid=retries]");
        slider.value = "3";
        for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type));
      });
      for (const is of [(now) => now < before, (now) => now > 500]) while (!is(await acked())) await page.waitForTimeout(50);
      assert.equal(await part("lost").textContent(), "0");
    });

    // What else the machine does makes frames late too: that goal is for --frames.
    await test("the page has time to draw while it sends", async () => {
      const { cpu, told } = await frames(page, 3);
      console.log(`   ${told}`);
      assert.ok(cpu < 12, told);
    });

    await test("nothing is complained about", () => assert.deepEqual(complaints.all, []));
  }
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
