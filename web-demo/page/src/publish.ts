// The publish panel: the sending code, and how fast it is run.
import { byId, count, h, say } from "./dom.js";
import type { Settings, Snapshot } from "./messages.js";

const CODE = `await producer.send({
  body: \`order \${n} for shop \${n % 7}\`,
  tag: n % 10 === 0 ? "large" : "small",
  keys: [\`order-\${n}\`],
});`;

interface Slider {
  name: keyof Omit<Settings, "code">;
  title: string;
  /** Values that can be chosen. */
  steps: number[];
  start: number;
  show: (value: number) => string;
}

const SLIDERS: Slider[] = [
  { name: "rate", title: "Rate", steps: [1, 10, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 50_000], start: 500, show: (value) => `${count(value)}/s` },
  { name: "size", title: "Body", steps: [0, 64, 256, 1_024, 4_096, 16_384, 65_536], start: 256, show: (value) => (value === 0 ? "as written" : value < 1_024 ? `${value} B` : `${value / 1_024} KiB`) },
  { name: "lanes", title: "Ordering keys", steps: [0, 1, 4, 16, 64, 256], start: 0, show: (value) => (value === 0 ? "none" : String(value)) },
  { name: "window", title: "Window", steps: [1, 8, 64, 256, 1_024, 4_096, 16_384], start: 1_024, show: (value) => count(value) },
  { name: "timeoutMs", title: "Timeout", steps: [100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000, 30_000], start: 3_000, show: (value) => (value < 1_000 ? `${value} ms` : `${value / 1_000} s`) },
  { name: "retries", title: "Retries", steps: [0, 1, 2, 3, 5, 8], start: 2, show: (value) => (value === 0 ? "none" : String(value)) },
];

/** What the panel asks for. */
export interface Asked {
  settings(settings: Settings): void;
  going(going: boolean): void;
  one(): void;
  /** What a producer keeps for good is another value now. */
  renew(): void;
}

export class Publish {
  readonly settings: Settings = { rate: 0, size: 0, window: 0, timeoutMs: 0, retries: 0, lanes: 0, code: CODE };
  private readonly go = h("button", { type: "button", class: "primary", testid: "go", "aria-pressed": "false" }, "Publish");
  private readonly error = h("p", { class: "code-error", role: "alert", testid: "code-error" });
  private readonly room = h("meter", { min: "0", max: "1", value: "1", testid: "room", "aria-label": "Room in the producer" });
  private readonly roomText = h("span", { class: "room-text", testid: "room-text" }, "4.0 MiB");
  private readonly inputs = new Map<string, { input: HTMLInputElement; slider: Slider; shown: HTMLElement }>();
  isGoing = false;

  constructor(private readonly asked: Asked) {
    const code = h("textarea", { class: "code", id: "code", testid: "code", spellcheck: "false", autocomplete: "off", rows: "5", "aria-describedby": "code-note" });
    code.value = CODE;
    code.addEventListener("input", () => {
      this.settings.code = code.value;
      asked.settings(this.settings);
    });
    const sliders = SLIDERS.map((slider) => this.slider(slider));
    const one = h("button", { type: "button", class: "quiet", testid: "send-one", onclick: () => asked.one() }, "Send one");
    this.go.addEventListener("click", () => this.setGoing(!this.isGoing));
    byId("publish").append(
      h("div", { class: "panel-head" }, h("h2", { id: "publish-title" }, "Publish"), h("div", { class: "buttons" }, one, this.go)),
      h("label", { class: "visually-hidden", for: "code" }, "Sending code"),
      code,
      this.error,
      h("p", { class: "note", id: "code-note" }, h("code", {}, "n"), " counts messages. The page reads this call itself: its security policy forbids eval."),
      h("div", { class: "sliders" }, ...sliders),
      h("div", { class: "room" }, h("span", { class: "room-name" }, h("code", {}, "producer.desiredSize")), this.room, this.roomText),
    );
  }

  /** Starts or stops. */
  setGoing(going: boolean): void {
    this.isGoing = going;
    say(this.go, going ? "Stop" : "Publish");
    this.go.setAttribute("aria-pressed", String(going));
    this.asked.going(going);
  }

  /** Changes settings as a visitor would. */
  set(change: Partial<Omit<Settings, "code">>): void {
    for (const [name, value] of Object.entries(change)) {
      const known = this.inputs.get(name);
      if (known === undefined) continue;
      const found = known.slider.steps.findIndex((step) => step >= value);
      const at = String(found < 0 ? known.slider.steps.length - 1 : found);
      if (known.input.value === at) continue;
      known.input.value = at;
      known.input.dispatchEvent(new Event("input"));
      known.input.dispatchEvent(new Event("change"));
    }
  }

  /** The code does not make sense. */
  fault(error: string | null): void {
    say(this.error, error ?? "");
    byId("code").setAttribute("aria-invalid", String(error !== null));
  }

  show(snapshot: Snapshot): void {
    const room = Math.max(0, snapshot.room);
    this.room.value = room / snapshot.roomMax;
    this.room.classList.toggle("full", room < snapshot.roomMax / 10);
    const held = snapshot.held > 0 ? ", sends wait" : "";
    say(this.roomText, `${(room / (1 << 20)).toFixed(1)} MiB of room${held}`);
  }

  private slider(slider: Slider): HTMLElement {
    const start = slider.steps.indexOf(slider.start);
    const shown = h("output", { class: "slider-value", testid: `${slider.name}-value` });
    const id = `slider-${slider.name}`;
    const input = h("input", { type: "range", id, testid: slider.name, min: "0", max: String(slider.steps.length - 1), step: "1", value: String(start) });
    const change = (): void => {
      const value = slider.steps[Number(input.value)] ?? slider.start;
      this.settings[slider.name] = value;
      say(shown, slider.show(value));
      input.setAttribute("aria-valuetext", slider.show(value));
    };
    input.addEventListener("input", () => {
      change();
      this.asked.settings(this.settings);
    });
    if (slider.name === "retries") input.addEventListener("change", () => this.asked.renew());
    change();
    this.inputs.set(slider.name, { input, slider, shown });
    return h("div", { class: "slider" }, h("label", { for: id }, slider.title), shown, input);
  }
}
