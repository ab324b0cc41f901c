// How fast does a page send? Started by `cargo bench -p tests --bench page`. In turns, so that ratios
// hold whatever else the machine does: the producer through the bridge to the embedded cluster, and a
// bare WebSocket echo of frames as long as the producer's.
import { Stage } from "./stage.mjs";

// A smoke run shows that it works, and not how fast anything is.
const IS_SMOKE = process.argv[2] === "smoke";
const ROUNDS = IS_SMOKE ? 1 : Number(process.argv[2] ?? 5);
const [SIZE, WINDOW] = [256, 1_024];
const [MS, PINGS] = IS_SMOKE ? [200, 50] : [2_000, 2_000];
// A profile of the page's sending, if a file for it is named.
const { PROFILE } = process.env;

const stage = await Stage.open();
const rows = [];
try {
  await stage.bridge("main");
  const echo = `ws://127.0.0.1:${await stage.servers.ask("echo")}`;
  stage.site.connect.push(echo);
  const page = await stage.page();
  const worker = await page.worker();
  const open = { maxPendingMessages: WINDOW, maxPendingBytes: 8 << 20 };
  await page.open(open);
  await worker.open(open);
  const rate = { topic: "bench", size: SIZE, window: WINDOW, ms: MS };
  const warm = await page.call("rate", "main", rate);
  await worker.call("rate", "main", rate);
  const frame = Math.round(warm.bytes / warm.acked);
  console.log(`a frame has ${frame} bytes, a WebSocket message ${Math.round(warm.bytes / warm.messages)}`);

  const all = { page: [], worker: [], echo: [], ping: [], echoPing: [], pingWorst: [], script: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    all.echo.push(await page.call("echoRate", { url: echo, size: frame, window: WINDOW, ms: MS }));
    all.page.push((await page.call("rate", "main", rate)).rate);
    all.worker.push((await worker.call("rate", "main", rate)).rate);
    const bare = await page.call("echoPings", { url: echo, size: frame, count: PINGS });
    const pings = await page.call("pings", "main", { topic: "bench", size: SIZE, count: PINGS });
    all.echoPing.push(bare.p50);
    all.ping.push(pings.p50);
    all.pingWorst.push(pings.p99);
    all.script.push(pings.before + pings.after);
  }
  if (PROFILE) await profile(page, rate);
  const of = (name) => all[name].sort((one, other) => one - other)[all[name].length >> 1];
  const thousands = (n) => `${(n / 1e3).toFixed(1)} k/s`;
  const ratio = of("page") / of("echo");
  const slower = of("ping") / of("echoPing");
  const row = (what, measured, goal, held) => rows.push({ what, measured, goal, held });
  row("page, 256 B, window 1,024", `${thousands(of("page"))}, ${Math.round(ratio * 100)} % of ${thousands(of("echo"))}`,
    "30 k/s or 60 %", of("page") >= 30e3 || ratio >= 0.6);
  row("the same in a worker", thousands(of("worker")), "40 k/s", of("worker") >= 40e3);
  row("page, window 1, p50", `${slower.toFixed(2)}x: ${of("ping").toFixed(0)} us, echo ${of("echoPing").toFixed(0)} us`,
    "1.3x", slower <= 1.3);
  row("of it in the page's script", `${of("script").toFixed(0)} us`, "-", true);
  row("page, window 1, p99", `${of("pingWorst").toFixed(0)} us`, "-", true);
  await page.leave(stage.complaints);
  stage.complaints.none();
} finally {
  await stage.end();
}
for (const { what, measured, goal, held } of rows) {
  console.log(`${what.padEnd(30)} ${measured.padStart(36)}   ${goal.padEnd(16)} ${held ? "held" : "MISSED"}`);
}
process.exitCode = rows.length > 0 && (IS_SMOKE || rows.every(({ held }) => held)) ? 0 : 1;

/** Where the time of the page's main thread goes, to a file for the browser's tools, and in a list. */
async function profile(page, rate) {
  const { writeFileSync } = await import("node:fs");
  const session = await stage.context.newCDPSession(page.page);
  await session.send("Profiler.enable");
  await session.send("Profiler.start");
  await page.call("rate", "main", rate);
  const { profile } = await session.send("Profiler.stop");
  writeFileSync(PROFILE, JSON.stringify(profile));
  const spent = new Map();
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, `${callFrame.functionName || "(anonymous)"} ${callFrame.url.split("/").at(-1)}`]));
  profile.samples.forEach((id, n) => spent.set(names.get(id), (spent.get(names.get(id)) ?? 0) + profile.timeDeltas[n]));
  const whole = [...spent.values()].reduce((sum, time) => sum + time, 0);
  for (const [name, time] of [...spent].sort((one, other) => other[1] - one[1]).slice(0, 25)) {
    console.log(`${((time / whole) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}
