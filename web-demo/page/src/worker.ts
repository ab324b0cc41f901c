// The worker that publishes: producer, ledger and figures, away from the thread that draws.
import { Book, Belief } from "./book.js";
import type { Happening, News, Order, Settings, Snapshot, Story } from "./messages.js";
import { PROPERTY, TOPIC } from "./messages.js";
import { open, RocketError, ROOM_BYTES, type Producer, type ProducerEvent, type Receipt } from "./producer.js";
import { read, RecipeError, type Recipe } from "./recipe.js";
import { STEPS, stepOf } from "./steps.js";
import { tell as tellStory, type Ending } from "./stories.js";
import { Tap } from "./tap.js";

const TICK_MS = 4;
const SNAPSHOT_MS = 100;
/** Most sends of one tick, so that the loop gives way. */
const BURST_MAX = 2_000;
/** Stories told unasked: one of each so many milliseconds, and of those that had trouble five times as many. */
const STORY_MS = 500;

const tap = new Tap();
let producer: Producer | undefined;
let book = new Book(0);
let run = 0;
let settings: Settings = { rate: 0, size: 0, window: 256, timeoutMs: 3_000, retries: 2, lanes: 0, code: "" };
let recipe: Recipe | undefined;
let going = false;
let number = 0;
let due = 0;
let ticked = performance.now();
let held = 0;
let lastStory = 0;
let lastTrouble = 0;
const names: Record<string, string> = {};
const avoided = new Set<string>();
const latencies = new Map<string, number[]>();
const acks: number[] = [];
let acksBefore = 0;
/** What events said of attempts that failed, by message id. */
const failures = new Map<string, string[]>();

function tell(news: News): void {
  postMessage(news);
}

onmessage = (event: MessageEvent<Order>) => {
  const order = event.data;
  switch (order.type) {
    case "connect":
      void begin(order.bridge, order.run);
      break;
    case "settings":
      change(order.settings);
      break;
    case "go":
      going = true;
      ticked = performance.now();
      due = 0;
      break;
    case "halt":
      going = false;
      break;
    case "one":
      if (recipe !== undefined) publish(recipe, true);
      break;
    case "ledger": {
      const again = book.read(order.bytes, order.askedAt);
      tell({ type: "cursors", cursors: book.cursorText(), again });
      break;
    }
    case "brokers":
      Object.assign(names, order.names);
      break;
    case "close":
      void close(order.deadlineMs);
      break;
  }
};

async function begin(bridge: string, newRun: number): Promise<void> {
  run = newRun;
  book = new Book(run);
  book.setLanes(0, settings.lanes);
  number = 0;
  acks.length = 0;
  acksBefore = 0;
  try {
    producer = await open(bridge, tap, settings.retries);
  } catch (error) {
    tell({ type: "failed", text: error instanceof Error ? error.message : String(error) });
    return;
  }
  tell({ type: "open", clientId: producer.clientId });
  void watch(producer);
}

async function close(deadlineMs: number): Promise<void> {
  going = false;
  const closing = producer;
  producer = undefined;
  const nothing = { acked: 0, notSent: 0, rejected: 0, unknown: 0 };
  const { acked, notSent, rejected, unknown } = (await closing?.close({ deadlineMs })) ?? nothing;
  tell({ type: "closed", report: { acked, notSent, rejected, unknown } });
}

function change(next: Settings): void {
  if (next.code !== settings.code || recipe === undefined) {
    try {
      recipe = read(next.code);
      tell({ type: "code", error: null });
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      tell({ type: "code", error: error.message });
    }
  }
  if (next.lanes !== settings.lanes) book.setLanes(number, next.lanes);
  settings = next;
}

setInterval(() => {
  const now = performance.now();
  const passed = Math.min(now - ticked, 250);
  ticked = now;
  if (!going || recipe === undefined || producer === undefined) return;
  due += (settings.rate * passed) / 1_000;
  // What could not be sent for a while is not made up for in one burst.
  due = Math.min(due, settings.rate / 4 + 1);
  let burst = 0;
  while (due >= 1 && burst < BURST_MAX) {
    if (!publish(recipe, false)) {
      held += 1;
      break;
    }
    due -= 1;
    burst += 1;
  }
}, TICK_MS);

/** Sends one message, if there is room. */
function publish(make: Recipe, always: boolean): boolean {
  if (producer === undefined || (!always && book.totals.pending >= settings.window)) return false;
  const mine = number;
  const made = make(mine);
  let body = String(made["body"]);
  if (settings.size > 0) body = body.length >= settings.size ? body.slice(0, settings.size) : body.padEnd(settings.size, ".");
  const properties = { ...(made["properties"] as Record<string, string> | undefined), [PROPERTY]: `${run.toString(16)}.${mine}` };
  const lane = settings.lanes > 0 ? { orderingKey: `lane-${mine % settings.lanes}` } : {};
  const startedAt = performance.now();
  let sent: Promise<Receipt> | null;
  try {
    sent = producer.trySend({ topic: TOPIC, ...made, ...lane, body, properties }, { timeoutMs: settings.timeoutMs });
  } catch (error) {
    going = false;
    tell({ type: "code", error: error instanceof Error ? error.message : String(error) });
    return false;
  }
  if (sent === null) return false;
  number += 1;
  book.accept(mine);
  sent.then(
    (receipt) => acked(mine, startedAt, receipt),
    (error: unknown) => failed(mine, startedAt, error),
  );
  return true;
}

function acked(mine: number, startedAt: number, receipt: Receipt): void {
  const now = performance.now();
  book.settle(mine, Belief.Acked, receipt.maybeDuplicate, performance.timeOrigin + now);
  let of = latencies.get(receipt.broker);
  if (of === undefined) latencies.set(receipt.broker, (of = []));
  of.push(now - startedAt);
  const trouble = receipt.attempts > 1;
  const last = trouble ? lastTrouble : lastStory;
  if (now - last < (trouble ? STORY_MS / 5 : STORY_MS)) return;
  if (trouble) lastTrouble = now;
  else lastStory = now;
  const copies = receipt.maybeDuplicate ? ", and an earlier attempt may have stored it too" : "";
  const said = `stored by ${receipt.broker}, queue ${receipt.queueId} at offset ${receipt.queueOffset}, attempt ${receipt.attempts}${copies}`;
  story(mine, { id: receipt.messageId, startedAt, endedAt: now, outcome: "acked", said, notes: failures.get(receipt.messageId) ?? [] });
}

function failed(mine: number, startedAt: number, error: unknown): void {
  const now = performance.now();
  const known = error instanceof RocketError ? error : undefined;
  const outcome = known?.outcome ?? "unknown";
  book.settle(mine, outcome === "unknown" ? Belief.Unknown : outcome === "rejected" ? Belief.Rejected : Belief.NotSent, false, performance.timeOrigin + now);
  if (now - lastTrouble < STORY_MS / 5) return;
  lastTrouble = now;
  const id = known?.messageId ?? "";
  const said = error instanceof Error ? error.message : String(error);
  const notes = (known?.attempts ?? []).map((attempt) => `${attempt.reason}|${attempt.message}`);
  story(mine, { id, startedAt, endedAt: now, outcome, said, notes });
}

/** Tells what went over the wire for a message. */
function story(mine: number, ending: Ending): void {
  const key = `${run.toString(16)}.${mine}`;
  const told: Story = tellStory(mine, key, tap.find(`${PROPERTY}\u0001${key}`), ending, names, settings.lanes > 0);
  tell({ type: "story", story: told });
}

async function watch(watched: Producer): Promise<void> {
  for await (const event of watched.events()) note(event);
}

function note(event: ProducerEvent): void {
  const name = (target: string): string => names[target] ?? (target.startsWith("ns:") ? "a name server" : target);
  const happen = (tone: Happening["tone"], text: string): void => tell({ type: "event", event: { at: performance.now(), tone, text } });
  switch (event.type) {
    case "up":
      happen("good", `connected to ${name(event.target)}`);
      break;
    case "down":
      happen("bad", `lost ${name(event.target)}: ${event.reason || `code ${event.code}`}`);
      break;
    case "route":
      happen("plain", `route of ${event.topic}: ${event.brokers.join(", ")}`);
      break;
    case "retry": {
      if (failures.size > 4_096) failures.clear();
      const notes = failures.get(event.messageId) ?? [];
      notes.push(`|${event.broker}: ${event.message}`);
      failures.set(event.messageId, notes);
      break;
    }
    case "broker":
      if (event.usable) avoided.delete(event.broker);
      else avoided.add(event.broker);
      happen(event.usable ? "good" : "bad", event.usable ? `${event.broker} is used again` : `${event.broker} is avoided from now on`);
      break;
    case "hint":
      happen("plain", event.text);
      break;
  }
}

setInterval(() => {
  const totals = { ...book.totals };
  acks.push(totals.acked - acksBefore);
  acksBefore = totals.acked;
  if (acks.length > 10) acks.shift();
  const brokers: Snapshot["brokers"] = {};
  const heat: number[] = Array.from({ length: STEPS }, () => 0);
  for (const [broker, took] of latencies) {
    for (const ms of took) heat[stepOf(ms)]! += 1;
    took.sort((a, b) => a - b);
    const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
    brokers[broker] = { acked: took.length, p50: at(0.5), p99: at(0.99) };
  }
  latencies.clear();
  const room = producer?.desiredSize ?? 0;
  const rate = (acks.reduce((sum, one) => sum + one, 0) * 1_000) / (SNAPSHOT_MS * acks.length);
  tell({
    type: "snapshot",
    snapshot: { at: performance.now(), totals, rate, brokers, heat, targets: tap.take(), room, roomMax: ROOM_BYTES, held, avoided: [...avoided] },
  });
  held = 0;
}, SNAPSHOT_MS);
