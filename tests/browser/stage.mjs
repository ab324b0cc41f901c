// The two sides of a test in a browser: servers, by lines that Rust answers (tests/src/browser), and
// pages, from an HTTP server in here with the headers that a strict site sends.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Complaints, launch } from "./chromium.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const FOLDERS = {
  "/dist/": join(here, "../../producer-wasm/dist"),
  "/page/": join(here, "page"),
  "/sim/": join(here, "../../sim/wasm/pkg"),
};
const TYPES = { ".js": "text/javascript", ".html": "text/html; charset=utf-8", ".wasm": "application/wasm", ".map": "application/json", ".json": "application/json" };

/** Asks Rust for something; one after the other. */
export class Servers {
  #answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  #last = Promise.resolve();

  ask(what, more = {}) {
    const asked = this.#last.then(async () => {
      process.stdout.write(`@ ${JSON.stringify({ do: what, ...more })}\n`);
      const { value, done } = await this.#answers.next();
      assert.ok(!done, "nobody answers: start this by cargo");
      const { ok, error } = JSON.parse(value);
      if (error !== undefined) throw new Error(`${what}: ${error}`);
      return ok;
    });
    this.#last = asked.catch(() => undefined);
    return asked;
  }

  end() {
    process.stdin.destroy();
  }
}

/** Serves pages, and tokens for them. */
export class Site {
  /** Where pages may connect to. */
  connect = [];
  /** Why tokens were asked for, in order. */
  asked = [];
  secret = "";
  /** Beacons that pages left. */
  beacons = [];
  /** What else there is, by path: functions that give the content. */
  files = {};
  #server = createServer((request, response) => {
    this.#answer(request, response).catch(() => response.writeHead(404).end());
  });

  async listen() {
    await new Promise((done) => this.#server.listen(0, "127.0.0.1", done));
    this.origin = `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.origin);
    if (pathname === "/favicon.ico") return void response.writeHead(204).end();
    if (pathname === "/token") return void response.end(this.#token(searchParams));
    if (pathname === "/beacon") {
      let text = "";
      for await (const chunk of request) text += chunk;
      this.beacons.push(JSON.parse(text));
      return void response.writeHead(204).end();
    }
    const content = this.files[pathname]?.() ?? (await fromFolder(pathname));
    const policy = ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'",
      `connect-src 'self' ${this.connect.join(" ")}`, "base-uri 'none'", "form-action 'none'",
      "require-trusted-types-for 'script'", "trusted-types own"];
    response.writeHead(200, {
      "content-type": TYPES[extname(pathname)] ?? "application/octet-stream",
      "content-security-policy": policy.join("; "),
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "x-content-type-options": "nosniff",
      "cache-control": "no-cache",
    });
    response.end(content);
  }

  #token(query) {
    this.asked.push(query.get("why"));
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const exp = Math.floor(Date.now() / 1000) + Number(query.get("seconds"));
    const signed = `${part({ alg: "HS256" })}.${part({ aud: "bridge", sub: "page", exp, topics: ["*"], groups: ["*"] })}`;
    return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
  }
}

function fromFolder(pathname) {
  const folder = Object.keys(FOLDERS).find((prefix) => pathname.startsWith(prefix));
  return readFile(join(FOLDERS[folder], normalize(pathname.slice(folder.length))));
}

/** All that a scenario has. */
export class Stage {
  servers = new Servers();
  site = new Site();
  complaints = new Complaints();
  bridges = {};

  static async open(options = {}) {
    const stage = new Stage();
    await stage.site.listen();
    stage.site.secret = await stage.servers.ask("secret");
    Object.assign(stage, await launch(options));
    return stage;
  }

  async end() {
    await this.close();
    this.site.close();
    this.servers.end();
  }

  /** Starts a bridge, or starts it again at its port. */
  async bridge(name = "main", tokens = false) {
    const port = await this.servers.ask("bridge", { name, tokens, origin: this.site.origin });
    this.bridges[name] = `ws://127.0.0.1:${port}`;
    const places = [this.bridges[name], `http://127.0.0.1:${port}`];
    for (const place of places) if (!this.site.connect.includes(place)) this.site.connect.push(place);
    return this.bridges[name];
  }

  unbridge(how, name = "main") {
    return this.servers.ask("unbridge", { name, how });
  }

  /** A page with its own producers. */
  async page() {
    const page = await this.context.newPage();
    this.complaints.watch(page);
    await page.goto(`${this.site.origin}/page/index.html`);
    await page.waitForFunction(() => window.actor !== undefined);
    return new Actor(page, "actor", this.bridges.main);
  }

  /** What a page says of its sends is true. */
  async ledger(topic, believed) {
    return this.servers.ask("ledger", { topic, believed });
  }
}

/** Calls of `page/actor.js`, in the page or in its worker. */
export class Actor {
  constructor(page, which, bridge) {
    Object.assign(this, { page, which, bridge });
  }

  call(method, ...args) {
    return this.page.evaluate(([which, method, args]) => window[which].call(method, args), [this.which, method, args]);
  }

  /** Makes a producer. */
  open(options = {}, name = "main") {
    return this.call("open", name, { bridge: this.bridge, group: "pages", timeoutMs: 15_000, ...options });
  }

  /** The same in a worker of the page. */
  async worker() {
    await this.page.evaluate(() => window.startWorker());
    return new Actor(this.page, "inWorker", this.bridge);
  }

  /** Ends the page; whatever it complained about by itself counts. */
  async leave(complaints) {
    complaints.all.push(...(await this.call("complaints")));
    await this.page.close();
    // Not before: what a browser says of a connection that failed comes late on a busy machine.
    complaints.networkIsDown = false;
  }
}
