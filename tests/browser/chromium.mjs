// A real Chromium for tests: how it is started, and what it must not complain about.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"];
// What Chromium itself says of a connection that cannot be made; no page can keep it from that.
const NETWORK = /^WebSocket connection to .* failed|^Failed to load resource: (the server responded|net::ERR_(CONNECTION|INTERNET|EMPTY|SOCKET|NETWORK))/;

/** Starts one with an empty profile. `close` ends it and removes the profile. */
export async function launch({ args = [], ...options } = {}) {
  const executablePath = BROWSERS.find((path) => path && existsSync(path));
  assert.ok(executablePath, "no chromium (Debian: apt-get install chromium)");
  const profile = mkdtempSync(join(tmpdir(), "browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    ...options,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", ...args],
  });
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  };
  return { context, close, renderers: () => renderersOf(profile) };
}

/** Process ids of the pages of the browser with this profile. Linux only. */
function renderersOf(profile) {
  const read = (pid, file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return ""; // It has ended.
    }
  };
  const parentOf = (pid) => Number(/^PPid:\s*(\d+)/m.exec(read(pid, "status"))?.[1] ?? 0);
  const isOurs = (pid) => pid > 1 && (read(pid, "cmdline").includes(`--user-data-dir=${profile}`) || isOurs(parentOf(pid)));
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  return new Set(all.filter((pid) => read(pid, "cmdline").includes("--type=renderer") && isOurs(pid)));
}

/** Everything that a page and its workers complain about: console, errors, rejections, CSP. */
export class Complaints {
  all = [];
  /** Whether the network of the page is broken on purpose, or was. */
  networkIsDown = false;

  watch(page) {
    page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type())) return;
      const text = message.text();
      if (!(this.networkIsDown && NETWORK.test(text))) this.all.push(`console: ${text}`);
    });
    page.on("pageerror", (error) => this.all.push(`error: ${error}`));
    page.on("crash", () => this.all.push("the page has crashed"));
  }

  /** Fails if there are some. */
  none() {
    assert.deepEqual(this.all, [], "the browser complains about nothing");
  }
}
