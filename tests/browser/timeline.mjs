// Does the page that `sim html` writes work in a real browser?
//
//   node timeline.mjs PAGE SCREENSHOT.png
//
// PAGE shows a run with a violation about a send. CHROMIUM names the browser if it is not Debian's.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, picture] = process.argv.slice(2);
const address = pathToFileURL(resolve(file)).href;
const browsers = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"];
const executablePath = browsers.find((path) => path && existsSync(path));
assert.ok(executablePath, "no chromium (Debian: apt-get install chromium)");
const profile = mkdtempSync(join(tmpdir(), "timeline-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  viewport: { width: 1440, height: 860 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = context.pages()[0] ?? await context.newPage();
const complaints = [];
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) complaints.push(message.text());
});
page.on("pageerror", (error) => complaints.push(String(error)));

let passed = 0;
async function test(name, body) {
  await body();
  passed += 1;
  console.log(`ok ${passed} ${name}`);
}

async function open(fragment = "") {
  await page.goto("about:blank");
  await page.goto(address + fragment);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "yes", null, { timeout: 20_000 });
}

const frame = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
const selected = () => page.evaluate(() => window.timeline.picture.selected?.index ?? null);
const view = () => page.evaluate(() => ({ ...window.timeline.picture.view }));
// Where an event stands on the screen.
const spot = (index) => page.evaluate((index) => {
  const { picture, events } = window.timeline;
  const box = picture.canvas.getBoundingClientRect();
  const event = events[index];
  if (event.kind !== "frame") {
    const { x, y } = picture.spot(event);
    return { x: box.x + x, y: box.y + y };
  }
  const { x0, y0, x1, y1 } = picture.ends(event);
  return { x: box.x + (x0 + x1) / 2, y: box.y + (y0 + y1) / 2 };
}, index);

try {
  await test("every host has a lane, and frames are arcs", async () => {
    await open();
    const seen = await page.evaluate(() => {
      const { picture, meta, events } = window.timeline;
      return {
        hosts: meta.hosts, lanes: picture.lanes.map((lane) => lane.name), arcs: picture.arcs,
        frames: events.filter((event) => event.kind === "frame").length,
        lost: events.filter((event) => event.kind === "frame" && event.took === null).length,
        heights: picture.lanes.map((lane) => lane.height),
      };
    });
    assert.deepEqual(seen.lanes, seen.hosts);
    assert.ok(seen.lanes.length >= 4, `${seen.lanes}`);
    assert.ok(seen.arcs > 20 && seen.frames >= 40, `${seen.arcs} arcs, ${seen.frames} frames`);
    assert.ok(seen.lost > 0, "a crash loses something");
    assert.ok(seen.heights.every((height) => height >= 30));
  });

  await test("something is drawn, and the fault has its band", async () => {
    const colours = await page.evaluate(() => {
      const { picture } = window.timeline;
      const { width, height } = picture.canvas;
      const data = picture.canvas.getContext("2d").getImageData(0, 0, width, height).data;
      const seen = new Set();
      for (let at = 0; at < data.length; at += 4) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
      return { count: seen.size, faults: window.timeline.joined.faults.length };
    });
    assert.ok(colours.count > 50, `${colours.count} colours`);
    assert.equal(colours.faults, 1);
  });

  await test("a violation leads to its event", async () => {
    const row = page.locator("#wrong button").first();
    assert.match(await row.textContent(), /^I\d+ /);
    const target = Number(await row.getAttribute("data-event"));
    await row.click();
    assert.equal(await selected(), target);
    assert.equal(await row.getAttribute("aria-current"), "true");
    const { from, to } = await view();
    const at = await page.evaluate((index) => window.timeline.events[index].at, target);
    assert.ok(at >= from && at <= to);
    assert.ok(page.url().endsWith(`#e${target}`));
    assert.match(await page.locator("#story h2").textContent(), /^All of send \d+$/);
  });

  await test("an address with an event selects it", async () => {
    const index = await page.evaluate(() => window.timeline.events.findIndex((event) => event.attempt === 1));
    await open(`#e${index}`);
    assert.equal(await selected(), index);
    assert.match(await page.locator("#detail").textContent(), /SEND_MESSAGE_V2 310.*Why there: /s);
    await page.evaluate((other) => { location.hash = `#e${other}`; }, index + 1);
    await page.waitForFunction((other) => window.timeline.picture.selected.index === other, index + 1);
  });

  await test("a click on an arc selects it and decodes its frame", async () => {
    const index = await page.evaluate(() => window.timeline.events.find((event) =>
      event.kind === "frame" && event.answer && event.ticket !== null && event.took > 0).index);
    await open(`#e${index}`);
    await page.keyboard.press("Escape");
    assert.equal(await selected(), null);
    await frame();
    const { x, y } = await spot(index);
    await page.mouse.click(x, y);
    const hit = await selected();
    const [want, got] = await page.evaluate(([one, two]) => [one, two].map((at) => window.timeline.events[at]), [index, hit]);
    assert.ok(got, "nothing was hit");
    assert.equal(got.ticket, want.ticket);
    assert.match(await page.locator("#detail").textContent(), /Answer|Request/);
  });

  await test("keys walk, zoom and fit", async () => {
    await open("#e30");
    await page.locator("#lanes").focus();
    await page.keyboard.press("ArrowRight");
    const next = await selected();
    assert.ok(next > 30);
    await page.keyboard.press("ArrowLeft");
    assert.equal(await selected(), 30);
    const before = await view();
    await page.keyboard.press("+");
    const closer = await view();
    assert.ok(closer.to - closer.from < (before.to - before.from) * 0.7);
    await page.keyboard.press("0");
    const whole = await view();
    assert.ok(whole.from <= 0 && whole.to > before.to);
    await page.keyboard.press("?");
    assert.ok(await page.locator("#keys").evaluate((dialog) => dialog.open));
    await page.keyboard.press("Escape");
    await page.keyboard.press("v");
    assert.notEqual(await selected(), 30);
  });

  await test("a filter leaves one send", async () => {
    await open();
    await page.fill("#filter", "send 1");
    const tickets = await page.evaluate(() => [...new Set(window.timeline.picture.shown.map((event) => event.ticket))]);
    assert.deepEqual(tickets, [1]);
    await page.fill("#filter", "no such thing");
    assert.equal(await page.evaluate(() => window.timeline.picture.shown.length), 0);
    await page.fill("#filter", "");
  });

  await test("the wheel zooms, a drag moves, the strip jumps", async () => {
    await open();
    const box = await page.locator("#lanes").boundingBox();
    const whole = await view();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.wheel(0, -600);
    await page.waitForFunction((span) => {
      const { from, to } = window.timeline.picture.view;
      return to - from < span;
    }, whole.to - whole.from);
    const near = await view();
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 - 200, box.y + box.height / 2, { steps: 4 });
    await page.mouse.up();
    const moved = await view();
    assert.ok(moved.from > near.from);
    const strip = await page.locator("#scrub").boundingBox();
    await page.mouse.click(strip.x + strip.width - 40, strip.y + 10);
    assert.ok((await view()).from > moved.from);
  });

  await test("dark and narrow it stays readable", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    const row = page.locator("#wrong button").first();
    await open(`#e${await row.getAttribute("data-event")}`);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.screenshot({ path: picture.replace(/\.png$/, "-dark.png") });
    await page.setViewportSize({ width: 480, height: 900 });
    await frame();
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 480, `${wide} pixels wide`);
    await page.screenshot({ path: picture.replace(/\.png$/, "-narrow.png") });
    await page.setViewportSize({ width: 1440, height: 860 });
    await page.emulateMedia({ colorScheme: "light" });
    await open(`#e${await row.getAttribute("data-event")}`);
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), dark);
    await frame();
    await page.screenshot({ path: picture });
  });

  await test("a picture of the whole run is drawn in time", async () => {
    await open();
    const spent = await page.evaluate(() => {
      const begun = performance.now();
      for (let n = 0; n < 60; n += 1) window.timeline.picture.draw();
      return (performance.now() - begun) / 60;
    });
    console.log(`  ${spent.toFixed(2)} ms a picture`);
    assert.ok(spent < 50, `${spent} ms`);
    await page.screenshot({ path: picture.replace(/\.png$/, "-whole.png") });
  });

  assert.deepEqual(complaints, [], "the console is silent");
  console.log(`${passed} passed`);
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
