// How smoothly the demo's page draws while its producer sends.
import assert from "node:assert/strict";

const RATE = "10,000/s";
/** A sixtieth of a second, and what callbacks come late by on a page that does nothing. */
const FRAME_MS = 1_000 / 60 + 3.3;
/** At most so much of the frames may be late, besides those of an empty page. */
export const LATE_MAX = 0.05;

/**
 * Which share of its frames came late, with 10,000 messages a second, over so many seconds; and how much
 * CPU time the thread that draws took for each.
 */
export async function frames(page, seconds) {
  await page.evaluate((rate) => {
    const slider = document.querySelector("[data-testid=rate]");
    for (let step = 0; step <= Number(slider.max) && document.querySelector("[data-testid=rate-value]").textContent !== rate; step += 1) {
      slider.value = String(step);
      slider.dispatchEvent(new Event("input"));
    }
  }, RATE);
  assert.equal(await page.locator("[data-testid=rate-value]").textContent(), RATE);
  // Its rate is told over a second.
  await page.waitForTimeout(2_000);
  const tally = async () => Number((await page.locator("[data-testid=tally-acked]").textContent()).replace(/\D/g, ""));
  const [before, begun] = [await tally(), performance.now()];
  const { late, longest, count, cpu } = await watch(page, seconds);
  const rate = (1_000 * ((await tally()) - before)) / (performance.now() - begun);
  assert.ok(rate > 2_000, `only ${rate.toFixed(0)} a second`);
  return { late, cpu, told: `${rate.toFixed(0)} acknowledged a second: ${count} frames, ${percent(late)} late, the longest ${longest.toFixed(0)} ms; ${cpu.toFixed(1)} ms of CPU each` };
}

/** The share of a page with nothing on it: what the machine itself costs. */
export async function bare(page, seconds) {
  await page.goto("about:blank");
  return (await watch(page, seconds)).late;
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

// By the clock at each callback: the times that callbacks are told are those they were meant for.
async function watch(page, seconds) {
  const chromium = await page.context().newCDPSession(page);
  await chromium.send("Performance.enable", { timeDomain: "threadTicks" });
  const spent = async () => (await chromium.send("Performance.getMetrics")).metrics.find((one) => one.name === "TaskDuration").value;
  const before = await spent();
  const times = await page.evaluate(
    (ms) =>
      new Promise((done) => {
        const times = [performance.now()];
        const frame = () => {
          times.push(performance.now());
          if (times.at(-1) - times[0] < ms) requestAnimationFrame(frame);
          else done(times);
        };
        requestAnimationFrame(frame);
      }),
    seconds * 1_000,
  );
  const cpu = (1_000 * ((await spent()) - before)) / times.length;
  await chromium.detach();
  const took = times.slice(1).map((time, at) => time - times[at]);
  return { late: took.filter((ms) => ms > FRAME_MS).length / took.length, longest: Math.max(...took), count: took.length, cpu };
}
