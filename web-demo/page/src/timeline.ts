// Single messages: where each went, why, and what went over the wire.
import { copies, type Copy } from "./backend.js";
import { codeName, decode, SEND_FIELDS } from "./frames.js";
import { byId, count, h, ms, s } from "./dom.js";
import type { Happening, Leg, Story } from "./messages.js";

const STORIES_MAX = 40;
const EVENTS_MAX = 60;
const LANE = 34;

export class Timeline {
  private readonly stories: Story[] = [];
  private readonly list = h("ol", { class: "stories", testid: "stories", "aria-label": "Messages" });
  private readonly detail = h("div", { class: "story", testid: "story", "aria-live": "polite" });
  private readonly events = h("ol", { class: "events", testid: "events", tabindex: "0", "aria-label": "Events of the producer" });
  private chosen: number | undefined;
  private pinned = false;

  constructor() {
    byId("timeline").append(
      h("div", { class: "panel-head" }, h("h2", { id: "timeline-title" }, "Messages"), h("p", { class: "note" }, "two a second, and those that had trouble")),
      h("div", { class: "timeline" }, this.list, this.detail),
    );
    this.detail.append(h("p", { class: "empty" }, "No message yet. Press Publish."));
  }

  /** Puts what the producer decided at the end of a panel. */
  tellEventsIn(panel: HTMLElement): void {
    panel.append(h("h3", { class: "events-title" }, "What the producer decided"), this.events);
  }

  /** A new run: nothing of the one before is here. */
  clear(): void {
    this.stories.length = 0;
    this.list.replaceChildren();
    this.chosen = undefined;
    this.pinned = false;
  }

  event({ tone, text }: Happening): void {
    const at = new Date().toLocaleTimeString("en-GB", { hour12: false });
    this.events.prepend(h("li", { class: tone }, h("time", {}, at), text));
    while (this.events.children.length > EVENTS_MAX) this.events.lastElementChild?.remove();
  }

  add(story: Story): void {
    const known = this.stories.findIndex((one) => one.number === story.number);
    if (known >= 0) this.stories[known] = story;
    else {
      this.stories.unshift(story);
      this.list.prepend(this.entry(story));
      while (this.stories.length > STORIES_MAX) {
        // What somebody looks at stays.
        const at = this.stories.findLastIndex((one) => !(this.pinned && one.number === this.chosen));
        this.stories.splice(at, 1);
        this.list.children[at]?.remove();
      }
    }
    // Nobody has chosen: show the last one that had trouble, or else the last one.
    const shown = this.stories.find((one) => one.number === this.chosen);
    const trouble = (one: Story): boolean => one.legs.length > 1 || one.outcome !== "acked";
    if (!this.pinned && (shown === undefined || trouble(story) || !trouble(shown))) this.choose(story.number, false);
  }

  private entry(story: Story): HTMLElement {
    const legs = story.legs.map((leg) => h("i", { "data-broker": leg.broker.slice(-1), title: leg.broker }));
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", "data-number": String(story.number), "data-outcome": story.outcome, testid: "story-entry", onclick: () => this.choose(story.number, true) },
        h("span", { class: "story-number" }, `#${count(story.number)}`),
        h("span", { class: "story-legs", "aria-label": story.legs.map((leg) => leg.broker).join(", then ") }, ...legs),
        h("span", { class: "story-time" }, ms(story.endedAt - story.startedAt)),
      ),
    );
  }

  private choose(number: number, pin: boolean): void {
    this.chosen = number;
    this.pinned ||= pin;
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-current", String(button.dataset["number"] === String(number)));
    }
    const story = this.stories.find((one) => one.number === number);
    if (story !== undefined) this.detail.replaceChildren(...this.tell(story));
  }

  private tell(story: Story): Node[] {
    const outcome = { acked: "acknowledged", rejected: "rejected", "not-sent": "never sent", unknown: "unknown" }[story.outcome];
    const follow = h("button", { type: "button", class: "quiet small", onclick: () => this.follow() }, "Follow");
    return [
      h("p", { class: "story-head" }, h("b", {}, `#${count(story.number)} `), h("span", { class: `outcome ${story.outcome}` }, outcome), h("code", { class: "story-id" }, story.id), ...(this.pinned ? [follow] : [])),
      h("p", { class: "story-said" }, story.said),
      this.drawing(story),
      h("ol", { class: "legs" }, ...story.legs.map((leg, at) => this.leg(leg, at, story))),
      this.stored(story),
    ];
  }

  /** What the logs hold of it, asked for when somebody has chosen it: a scan of them all. */
  private stored(story: Story): HTMLElement {
    const found = h("p", { class: "copies", testid: "story-copies" });
    if (!this.pinned) return found;
    const told = (all: Copy[]): string => {
      if (all.length === 0) return "in no broker\u2019s log, or dropped from it since";
      return all.map((one) => `${one.broker}, queue ${one.queueId}, offset ${one.queueOffset}`).join("; ");
    };
    copies(story.key).then(
      (all) => found.append(h("span", {}, "In the logs "), told(all)),
      (error: unknown) => found.append(error instanceof Error ? error.message : String(error)),
    );
    return found;
  }

  private follow(): void {
    this.pinned = false;
    const first = this.stories[0];
    if (first !== undefined) this.choose(first.number, false);
  }

  /** A lane a target, an arrow a frame. */
  private drawing(story: Story): Node {
    const lanes = [...new Set(story.legs.map((leg) => leg.broker))];
    const width = Math.max(280, Math.min(720, this.detail.clientWidth || 480));
    const height = LANE * (lanes.length + 1) + 6;
    const span = Math.max(story.endedAt - story.startedAt, 0.2);
    const x = (at: number): number => 86 + ((at - story.startedAt) / span) * (width - 160);
    const y = (lane: number): number => 20 + LANE * lane;
    const drawing = s("svg", { class: "lanes", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": story.legs.map((leg) => `${leg.broker}: ${leg.end}`).join("; ") });
    const line = (x1: number, y1: number, x2: number, y2: number, kind: string, broker = ""): SVGElement =>
      s("line", { x1: String(x1), y1: String(y1), x2: String(x2), y2: String(y2), class: kind, "data-broker": broker });
    ["page", ...lanes].forEach((lane, at) => {
      drawing.append(s("text", { x: "0", y: String(y(at) + 4) }, lane), line(86, y(at), width - 64, y(at), "lane"));
    });
    for (const leg of story.legs) {
      const lane = 1 + lanes.indexOf(leg.broker);
      const [from, broker] = [x(leg.sentAt), leg.broker.slice(-1)];
      const until = leg.answeredAt === null ? x(story.endedAt) : x(leg.answeredAt);
      // A frame takes no time that can be seen; its arrows lean a little so that they can be.
      const lean = Math.min(8, (until - from) / 3);
      drawing.append(line(from, y(0), from + lean, y(lane), "request", broker), s("circle", { cx: String(from + lean), cy: String(y(lane)), r: "3.5", class: "at", "data-broker": broker }));
      if (leg.answeredAt === null) {
        drawing.append(line(from + lean, y(lane), until, y(lane), "silence", broker), s("text", { x: String(until + 5), y: String(y(lane) + 4), class: "no" }, "\u2715"));
      } else {
        drawing.append(line(from + lean, y(lane), until - lean, y(lane), "work", broker), line(until - lean, y(lane), until, y(0), leg.code === 0 ? "answer" : "answer refused", broker));
      }
    }
    const end = x(story.endedAt);
    drawing.append(s("circle", { cx: String(end), cy: String(y(0)), r: "5", class: `end ${story.outcome}` }), s("text", { x: String(width - 2), y: String(y(0) + 4), class: "took" }, ms(story.endedAt - story.startedAt)));
    return drawing;
  }

  private leg(leg: Leg, at: number, story: Story): HTMLElement {
    return h(
      "li",
      { class: "leg", "data-broker": leg.broker.slice(-1) },
      h("p", {}, h("b", {}, `${at + 1}. ${leg.broker}`), ` queue ${leg.queueId}, at ${ms(leg.sentAt - story.startedAt)}`),
      h("p", { class: "why" }, h("span", {}, "why "), leg.why),
      h("p", { class: "how" }, h("span", {}, "end "), leg.remark === "" ? leg.end : `${leg.end}: ${leg.remark}`),
      this.frame("Request", leg.request),
      leg.answer === null ? undefined : this.frame("Answer", leg.answer),
    );
  }

  private frame(title: string, bytes: Uint8Array): HTMLElement {
    const frame = decode(bytes);
    const name = frame === undefined ? "no frame" : codeName(frame.code, frame.isAnswer);
    const details = h("details", { class: "frame", testid: `frame-${title.toLowerCase()}` }, h("summary", {}, h("b", {}, title), ` ${name}, ${count(bytes.length)} bytes`));
    // Decoded when somebody looks, and once.
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1 && frame !== undefined) {
        const fields = frame.fields.flatMap(([key, value]) => [h("dt", {}, SEND_FIELDS[key] ?? key), h("dd", {}, readable(value))]);
        const head = `${frame.form} header of ${frame.headerBytes} bytes, request ${frame.opaque}, body of ${frame.bodyBytes} bytes`;
        details.append(h("p", { class: "frame-head" }, head), h("dl", {}, ...fields), h("pre", { class: "hex", tabindex: "0", "aria-label": "Bytes" }, hex(bytes)));
      }
    });
    return details;
  }
}

/** Properties have separators that nobody sees. */
function readable(value: string): string {
  return value.replaceAll("\u0001", "=").replaceAll("\u0002", "  ");
}

const HEX_BYTES_MAX = 1_024;

function hex(bytes: Uint8Array): string {
  const lines: string[] = [];
  const shown = bytes.subarray(0, HEX_BYTES_MAX);
  for (let at = 0; at < shown.length; at += 16) {
    const row = [...shown.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "\u00b7")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  if (bytes.length > HEX_BYTES_MAX) lines.push(`... ${bytes.length - HEX_BYTES_MAX} more`);
  return lines.join("\n");
}
