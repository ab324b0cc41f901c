// Five scenes of a minute and a half in all: each breaks something, and says what came of it.
import { heal, order } from "./backend.js";
import { byId, count, h, ms, say } from "./dom.js";
import type { Closed, Settings, Snapshot, Totals } from "./messages.js";

/** What a scene can do and see. */
export interface Stage {
  set(settings: Partial<Omit<Settings, "code">>): void;
  going(going: boolean): void;
  last(): Snapshot;
  /** Comes with the next snapshot. */
  next(): Promise<Snapshot>;
  /** Closes the producer as a leaving page does. */
  close(deadlineMs: number): Promise<Closed>;
  /** Makes a new producer, with a new ledger. */
  open(): Promise<void>;
}

type Say = (text: string) => void;

interface Scene {
  id: string;
  title: string;
  tease: string;
  play(stage: Stage, say: Say): Promise<string>;
}

/** A claim of a scene did not hold. */
class Broken extends Error {}

function claim(holds: boolean, otherwise: string): void {
  if (!holds) throw new Broken(otherwise);
}

async function pause(stage: Stage, seconds: number): Promise<void> {
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) await stage.next();
}

/** Waits until a snapshot is as it should be; fails after so many seconds. */
async function until(stage: Stage, seconds: number, what: string, is: (snapshot: Snapshot) => boolean): Promise<number> {
  const started = performance.now();
  for (;;) {
    if (is(await stage.next())) return performance.now() - started;
    claim(performance.now() - started < seconds * 1_000, `${what}: not within ${seconds} s`);
  }
}

const flows = (snapshot: Snapshot): boolean => snapshot.rate > 50;
const gets = (broker: string) => (snapshot: Snapshot): boolean => (snapshot.brokers[broker]?.acked ?? 0) > 0;

function slowest(snapshot: Snapshot): number {
  return Math.max(0, ...Object.values(snapshot.brokers).map((broker) => broker.p99));
}

/** What is in hand ends, and the logs are read to their ends. */
async function settle(stage: Stage): Promise<Totals> {
  stage.going(false);
  await until(stage, 15, "messages that are on their way", (snapshot) => snapshot.totals.pending === 0);
  await pause(stage, 1.2);
  const { totals } = stage.last();
  claim(totals.lost === 0, `${totals.lost} acknowledged messages are in no log`);
  claim(totals.denied === 0, "a message that was called rejected is stored");
  claim(totals.unannounced === 0, "a copy that no receipt announced");
  return totals;
}

async function calm(stage: Stage, settings: Partial<Omit<Settings, "code">>): Promise<void> {
  await heal();
  stage.set({ lanes: 0, size: 256, window: 1_024, timeoutMs: 3_000, retries: 2, ...settings });
  stage.going(true);
  await until(stage, 15, "a cluster that is well", (snapshot) => flows(snapshot) && ["broker-a", "broker-b", "broker-c"].every((broker) => gets(broker)(snapshot)));
  await pause(stage, 1);
}

const SCENES: Scene[] = [
  {
    id: "kill",
    title: "A broker dies",
    tease: "Connections reset, port closed",
    async play(stage, say) {
      await calm(stage, { rate: 1_000 });
      const before = stage.last().totals;
      say("broker-b is killed in the middle of a thousand messages a second. Its connection is reset with requests on it.");
      await order("broker-b", "kill");
      await until(stage, 3, "no traffic at the dead broker", (snapshot) => !gets("broker-b")(snapshot) && flows(snapshot));
      await pause(stage, 3);
      const during = stage.last().rate;
      claim(during > 700, `only ${count(during)} a second while a broker is down`);
      say("Attempts that it took with it were made again elsewhere. It comes back.");
      await order("broker-b", "restart");
      await until(stage, 20, "traffic at broker-b again", gets("broker-b"));
      const totals = await settle(stage);
      const failed = totals.rejected + totals.notSent + totals.unknown - before.rejected - before.notSent - before.unknown;
      return `${count(totals.acked - before.acked)} acknowledged at ${count(during)} a second with one broker dead, ${count(failed)} failed, 0 lost.`;
    },
  },
  {
    id: "answer-lost",
    title: "Stored, and not said",
    tease: "The answer is dropped after storing",
    async play(stage, say) {
      await calm(stage, { rate: 300 });
      const before = stage.last().totals;
      say("broker-a stores every message from now on and never says so. The producer cannot know; what it tries again is a copy, and its receipt says so.");
      await order("broker-a", "drop-answers");
      await pause(stage, 5);
      await order("broker-a", "heal");
      const totals = await settle(stage);
      const copies = totals.duplicates - before.duplicates;
      claim(copies > 0, "no copy was made, so nothing was shown");
      return `${count(copies)} messages are stored twice, each under one id, and ${totals.unannounced} of them unannounced. 0 lost.`;
    },
  },
  {
    id: "slow",
    title: "A slow broker",
    tease: "Every answer comes 1.5 s late",
    async play(stage, say) {
      await calm(stage, { rate: 1_000 });
      const well = slowest(stage.last());
      say("broker-c answers 1.5 s late. After 200 ms of silence new sends avoid it; what it has already is tried elsewhere after a second, and a probe now and then asks whether it is well again.");
      await order("broker-c", "slow?ms=1500");
      await pause(stage, 4);
      let [sum, ofC, worst] = [0, 0, 0];
      for (let tenth = 0; tenth < 20; tenth += 1) {
        const { brokers } = await stage.next();
        ofC += brokers["broker-c"]?.acked ?? 0;
        for (const [name, broker] of Object.entries(brokers)) {
          sum += broker.acked;
          if (name !== "broker-c") worst = Math.max(worst, broker.p50);
        }
      }
      const share = (100 * ofC) / Math.max(1, sum);
      claim(share < 15, `broker-c still has ${share.toFixed(0)} % of the messages`);
      await order("broker-c", "heal");
      const back = await until(stage, 30, "broker-c in use again", (snapshot) => (snapshot.brokers["broker-c"]?.acked ?? 0) > 15);
      await settle(stage);
      return `Its share fell from a third to ${share.toFixed(0)} %, and half of the others\u2019 messages took at most ${ms(worst)} (p99 before: ${ms(well)}). In use again ${ms(back)} after it was well. 0 lost.`;
    },
  },
  {
    id: "back-pressure",
    title: "Back-pressure",
    tease: "Every broker stops reading",
    async play(stage, say) {
      await calm(stage, { rate: 10_000, size: 1_024, window: 16_384 });
      say("All brokers freeze, and the page goes on wanting to send. The producer takes what it has room for and then says wait: memory stays where it is.");
      const brokers = ["broker-a", "broker-b", "broker-c"];
      await Promise.all(brokers.map((broker) => order(broker, "pause")));
      await until(stage, 5, "a producer that is full", (snapshot) => snapshot.held > 0);
      let least = stage.last().room;
      const ends = performance.now() + 2_000;
      while (performance.now() < ends) least = Math.min(least, (await stage.next()).room);
      const kept = stage.last().roomMax - Math.min(least, stage.last().room);
      claim(kept <= stage.last().roomMax + (1 << 20), "more in hand than there is room for");
      say("They thaw. What was in their sockets is executed; what had been tried elsewhere meanwhile is a copy.");
      await Promise.all(brokers.map((broker) => order(broker, "resume")));
      await until(stage, 15, "messages again", flows);
      await pause(stage, 2);
      const totals = await settle(stage);
      return `At most ${(kept / (1 << 20)).toFixed(1)} MiB in hand of ${(stage.last().roomMax / (1 << 20)).toFixed(0)}; ${count(totals.unknown)} ended unknown, 0 lost.`;
    },
  },
  {
    id: "close",
    title: "The tab closes",
    tease: "With messages on their way",
    async play(stage, say) {
      await calm(stage, { rate: 2_000 });
      say("Every answer takes 150 ms, so that hundreds of messages are in flight when the producer is closed. It takes no more, finishes what it has, and accounts for every one.");
      await Promise.all(["broker-a", "broker-b", "broker-c"].map((broker) => order(broker, "slow?ms=150")));
      await until(stage, 10, "messages on their way", (snapshot) => snapshot.totals.pending > 100);
      const { pending } = stage.last().totals;
      const report = await stage.close(1_500);
      await pause(stage, 1.5);
      const { totals } = stage.last();
      claim(totals.pending === 0, `${totals.pending} messages have no end`);
      claim(totals.lost === 0, `${totals.lost} lost`);
      const said = `${count(report.acked)} acknowledged, ${count(report.notSent)} never sent, ${count(report.unknown)} unknown`;
      claim(report.acked + report.notSent + report.rejected + report.unknown > 0, "nothing was in hand when it closed");
      await heal();
      await stage.open();
      return `${count(pending)} were on their way at the last look; the report of the close: ${said}. 0 lost of ${count(totals.acked)}.`;
    },
  },
];

/** The buttons of the scenes, and what is said while one plays. */
export class Scenes {
  private readonly caption = h("p", { class: "caption", testid: "scene-caption", role: "status" });
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private playing = false;

  constructor(private readonly stage: Stage) {
    const list = h("ol", { class: "scene-list" });
    SCENES.forEach((scene, at) => {
      const button = h(
        "button",
        { type: "button", class: "scene", testid: `scene-${scene.id}`, "data-outcome": "", onclick: () => void this.play(scene) },
        h("span", { class: "scene-number", "aria-hidden": "true" }, String(at + 1)),
        h("span", { class: "scene-text" }, h("b", {}, scene.title), h("span", {}, scene.tease)),
      );
      this.buttons.set(scene.id, button);
      list.append(h("li", {}, button));
    });
    const all = h("button", { type: "button", class: "quiet small", testid: "scene-all", onclick: () => void this.all() }, "Play all");
    say(this.caption, "Each scene breaks the cluster, waits, and checks every claim it makes.");
    byId("scenes").append(h("div", { class: "panel-head" }, h("h2", {}, "Five things that go wrong"), all), list, this.caption);
  }

  private async all(): Promise<void> {
    for (const scene of SCENES) if (!(await this.play(scene))) return;
  }

  private async play(scene: Scene): Promise<boolean> {
    if (this.playing) return false;
    this.playing = true;
    const button = this.buttons.get(scene.id)!;
    button.dataset["outcome"] = "playing";
    for (const one of this.buttons.values()) one.disabled = one !== button;
    let passed = false;
    say(this.caption, "The cluster is healed first.");
    try {
      say(this.caption, await scene.play(this.stage, (text) => say(this.caption, text)));
      passed = true;
    } catch (error) {
      say(this.caption, `This did not hold: ${error instanceof Error ? error.message : String(error)}`);
    }
    button.dataset["outcome"] = passed ? "passed" : "failed";
    for (const one of this.buttons.values()) one.disabled = false;
    await heal().catch(() => undefined);
    this.stage.set({ rate: 500, size: 256, window: 1_024 });
    this.stage.going(true);
    this.playing = false;
    return passed;
  }
}
