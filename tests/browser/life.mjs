// Tokens that end, a network that is gone, a page that nobody looks at.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { allAcked, until } from "./scenarios.mjs";

/** A token that ends is followed by the next one over the open connection. */
async function token(stage) {
  const bridge = await stage.bridge("guarded", true);
  const page = await stage.page();
  stage.site.asked.length = 0;
  await page.open({ bridge, token: 3 });
  await page.call("start", "job", "main", { topic: "token", prefix: "token", window: 8 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 100);
  const { connects } = await page.call("stats", "main");
  // Longer than two tokens and their grace.
  await pause(7_500);
  const { lines, errors } = await page.call("finish", "job");
  const stats = await page.call("stats", "main");
  assert.equal(stats.connects, connects, "no connection was made anew");
  assert.ok(stage.site.asked.filter((why) => why === "expiring").length >= 2 * connects, `${stage.site.asked}`);
  const ledger = await allAcked(stage, "token", lines, errors);
  await page.leave(stage.complaints);
  return { ...ledger, asked: stage.site.asked.join(" ") };
}

/** A bad token, none, and a provider that fails. */
async function refused(stage) {
  const bridge = await stage.bridge("strict", true);
  const page = await stage.page();
  stage.complaints.networkIsDown = true;
  const said = {};
  for (const [name, token] of [["failing", "failing"], ["none", undefined], ["ended", -60]]) {
    await page.open({ bridge, token, timeoutMs: 2_000 }, name);
    said[name] = (await page.call("one", name, { topic: "refused", body: "x" })).error;
    assert.deepEqual([said[name]?.code, said[name]?.outcome], ["UNAUTHORIZED", "not-sent"], JSON.stringify(said[name]));
  }
  const ledger = await stage.ledger("refused", [["x", "not-sent"]]);
  await page.leave(stage.complaints);
  return { ...ledger, ...Object.fromEntries(Object.entries(said).map(([name, { message }]) => [name, message])) };
}

export const tokens = { token, refused };

/** Without a network sends wait; when it is back, the page does not wait for its next try. */
export async function offline(stage) {
  const page = await stage.page();
  await page.open({ timeoutMs: 20_000, reconnect: { minMs: 5_000, maxMs: 10_000 } });
  await page.call("start", "job", "main", { topic: "offline", prefix: "offline", window: 32 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 300);
  stage.complaints.networkIsDown = true;
  await stage.context.setOffline(true);
  // What is open on loopback stays open in Chromium.
  await stage.unbridge("kill");
  await pause(1_000);
  const before = await page.call("acked", "job");
  await stage.bridge();
  await pause(1_000);
  assert.equal(await page.call("acked", "job"), before, "nothing goes out");
  const back = Date.now();
  await stage.context.setOffline(false);
  await until("it goes on", 10_000, async () => (await page.call("acked", "job")) > before + 100);
  const backAfterMs = Date.now() - back;
  const { lines, errors } = await page.call("finish", "job");
  const ledger = await allAcked(stage, "offline", lines, errors);
  assert.ok(backAfterMs < 3_000, `back after ${backAfterMs} ms`);
  await page.leave(stage.complaints);
  return { ...ledger, backAfterMs };
}

/** Left for another page and come back to, out of the browser's cache, which has closed its connections. */
export async function cached(stage) {
  const page = await stage.page();
  await page.open();
  await page.call("start", "job", "main", { topic: "cached", prefix: "cached", window: 32 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 300);
  await page.page.evaluate(() => addEventListener("pageshow", (event) => (window.cameBack = event.persisted)));
  // The browser says that it has closed them.
  stage.complaints.networkIsDown = true;
  await page.page.goto(`${stage.site.origin}/page/other.html`);
  await pause(2_000);
  await page.page.goBack({ waitUntil: "commit" });
  await until("it is the same page", 5_000, async () => (await page.page.evaluate(() => window.cameBack)) === true);
  const [before, back] = [await page.call("acked", "job"), Date.now()];
  await until("it goes on", 10_000, async () => (await page.call("acked", "job")) > before + 300);
  const backAfterMs = Date.now() - back;
  const { lines, errors } = await page.call("finish", "job");
  const ledger = await allAcked(stage, "cached", lines, errors);
  assert.ok(backAfterMs < 3_000, `back after ${backAfterMs} ms`);
  await page.leave(stage.complaints);
  return { ...ledger, backAfterMs };
}

/** Hidden, then asleep for longer than an attempt may take, then looked at again. */
export async function hidden(stage) {
  const others = stage.renderers();
  const page = await stage.page();
  await page.open();
  await page.call("start", "job", "main", { topic: "hidden", prefix: "hidden", window: 32 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 300);
  await page.call("hide", true);
  const before = await page.call("acked", "job");
  await until("hidden it goes on", 5_000, async () => (await page.call("acked", "job")) > before + 100);
  // Chromium freezes no page that a debugger holds, so its process is stopped: as good as asleep.
  const ours = [...stage.renderers()].filter((pid) => !others.has(pid));
  assert.ok(ours.length > 0, "the page has a process");
  for (const pid of ours) process.kill(pid, "SIGSTOP");
  await pause(3_000);
  for (const pid of ours) process.kill(pid, "SIGCONT");
  await page.call("hide", false);
  const back = await page.call("acked", "job");
  await until("it goes on", 5_000, async () => (await page.call("acked", "job")) > back + 300);
  const { lines, errors, slowest, ackedAt } = await page.call("finish", "job");
  const gap = Math.max(...ackedAt.slice(1).map((at, n) => at - ackedAt[n]));
  const ledger = await allAcked(stage, "hidden", lines, errors);
  assert.ok(gap > 2_500, `asleep for ${gap} ms`);
  await page.leave(stage.complaints);
  return { ...ledger, slowestMs: Math.round(slowest), longestGapMs: Math.round(gap) };
}
