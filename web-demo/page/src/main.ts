// The page: live where there is a cluster behind it, a simulator everywhere.
import { find } from "./backend.js";
import { byId, say } from "./dom.js";
import { Live } from "./live.js";
import { Simulator } from "./simulator.js";

const KEY = "theme";
let live: Live | undefined;
const simulator = new Simulator();

/** Dark or light: what was chosen, or what the system says. */
function dress(theme: string | null): void {
  if (theme === "dark" || theme === "light") document.documentElement.dataset["theme"] = theme;
  else delete document.documentElement.dataset["theme"];
  live?.repaint();
  simulator.repaint();
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}

/** Where storage is forbidden the choice lasts as long as the page. */
function remember(theme: string): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Nothing to do about it.
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

byId("theme").addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  remember(next);
  dress(next);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dress(remembered()));
dress(remembered());

const state = await find();
if (state === undefined) {
  document.documentElement.classList.add("hosted");
  say(byId("link"), "no cluster behind this page: simulator only");
  byId("live").hidden = true;
  byId("nav-live").hidden = true;
} else {
  live = new Live(state);
}
document.documentElement.dataset["ready"] = "true";
