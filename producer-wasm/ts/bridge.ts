// One bridge: its URL, its tokens, and why it cannot be reached.
import { RocketError } from "./errors.js";
import type { ConnectOptions } from "./types.js";

/** The protocol that the bridge answers with. */
export const PROTOCOL = "rmq-tcp.v1";
/** The host that stands for the bridge's own name servers. */
const NAME_SERVERS = "ns:9876";
/** A diagnosis is worth so long, in milliseconds. */
const DIAGNOSIS_LASTS = 5_000;
const DIAGNOSIS_TIMEOUT = 1_000;

/** Why there is no connection, in a sentence, and whether it is for want of a token. */
export interface Explanation {
  readonly text: string;
  readonly isToken: boolean;
}

type Why = "first" | "reconnect" | "expiring";

export class Bridge {
  /** What stands before `/v1/connect`, with scheme ws or wss. */
  private readonly base: string;
  private asked = false;
  private diagnosis: { at: number; explanation: Promise<Explanation> } | undefined;

  constructor(
    url: string | URL,
    private readonly source: ConnectOptions["token"],
  ) {
    this.base = baseOf(url);
    if (source !== undefined && typeof source !== "function" && (typeof source !== "string" || source === "")) {
      throw new RocketError("INVALID", `token is ${source === "" ? "empty" : `of type ${typeof source}`}; wanted: a string or a function that gives one`);
    }
  }

  get hasToken(): boolean {
    return this.source !== undefined;
  }

  /** The URL of a target's connection. */
  url(target: string): string {
    return `${this.base}/v1/connect/${target === NAME_SERVERS ? "ns" : target}`;
  }

  /** The token, asked for anew. */
  async token(why: Why = this.asked ? "reconnect" : "first"): Promise<string | undefined> {
    this.asked = true;
    if (typeof this.source !== "function") return this.source;
    const token: unknown = await this.source(why);
    if (typeof token !== "string" || token === "") {
      throw new RocketError("UNAUTHORIZED", "the token provider gave no token");
    }
    return token;
  }

  /** The subprotocols that a connection asks for. */
  protocols(token: string | undefined): string[] {
    return token === undefined ? [PROTOCOL] : [PROTOCOL, `bearer.${base64url(token)}`];
  }

  /** Why no connection came about, in a sentence: pages are told nothing by their browser. */
  explain(token: string | undefined, now: number): Promise<Explanation> {
    const known = this.diagnosis;
    if (known !== undefined && now - known.at < DIAGNOSIS_LASTS) return known.explanation;
    const explanation = this.diagnose(token).then((said) => (typeof said === "string" ? { text: said, isToken: false } : said));
    this.diagnosis = { at: now, explanation };
    return explanation;
  }

  private async diagnose(token: string | undefined): Promise<string | Explanation> {
    const place = this.base;
    const page = globalThis.location as Location | undefined;
    const secure = place.startsWith("wss:");
    const host = new URL(place).hostname;
    const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
    if (page?.protocol === "https:" && !secure && !isLoopback) {
      return `the page is https and the bridge ${place} is not: browsers do not allow that; use wss`;
    }
    if (globalThis.navigator?.onLine === false) return "the browser is offline";
    let said: Record<string, unknown>;
    try {
      const url = `${place.replace(/^ws/, "http")}/v1/diagnose?target=ns`;
      const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(url, { headers, signal: AbortSignal.timeout(DIAGNOSIS_TIMEOUT), credentials: "omit" });
      if (!response.ok) return `${place} answers ${response.status}: is it the bridge, and the path right?`;
      const answer: unknown = await response.json();
      if (typeof answer !== "object" || answer === null) return `${place} answers, but not as a bridge does: is the address right?`;
      said = answer as Record<string, unknown>;
    } catch {
      const hints = [
        "it is not running or not at this address",
        page && "the page's Content-Security-Policy lacks it in connect-src",
        page && "it does not know this origin",
        page && (isLoopback || isPrivate(host)) && "the browser wants the user's permission for devices on the local network",
      ];
      return `the bridge ${place} cannot be reached: ${hints.filter(Boolean).join(", or ")}`;
    }
    if (said.origin === false) {
      return `the bridge ${place} does not allow pages of ${page?.origin ?? "no origin"}: its operator lists origins`;
    }
    if (typeof said.token === "string" && !["ok", "not-told"].includes(said.token)) {
      return { text: `the bridge ${place} refuses the token: ${said.token}`, isToken: true };
    }
    if (said.token === "not-told" && token === undefined && said.target === "not-told") {
      return { text: `the bridge ${place} wants a token`, isToken: true };
    }
    if (typeof said.retryAfterMs === "number") return `the bridge ${place} has too much to do; it says to come back`;
    if (said.dial === "refused" || said.dial === "timeout") {
      return `the bridge ${place} cannot reach its name servers (${said.dial})`;
    }
    return `the bridge ${place} can be reached, but no WebSocket came about: something in between may not let it pass`;
  }
}

function baseOf(given: string | URL): string {
  if (typeof given !== "string" && !(given instanceof URL)) {
    throw new RocketError("INVALID", `bridge is of type ${typeof given}; wanted: a URL such as wss://bridge.example/`);
  }
  let url: URL;
  try {
    url = new URL(String(given), (globalThis.location as Location | undefined)?.href);
  } catch {
    throw new RocketError("INVALID", `bridge is ${JSON.stringify(String(given))}; wanted: a URL such as wss://bridge.example/`);
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new RocketError("INVALID", `the bridge's URL begins with ${url.protocol}; wanted: wss: or ws:`);
  }
  if (url.search || url.hash) {
    throw new RocketError("INVALID", "the bridge's URL has a query or fragment; tokens are given by `token`");
  }
  if (url.username || url.password) {
    throw new RocketError("INVALID", "the bridge's URL has a user; tokens are given by `token`");
  }
  return url.origin === "null" ? `${url.protocol}//${url.host}${strip(url.pathname)}` : url.origin + strip(url.pathname);
}

function strip(path: string): string {
  return path.replace(/\/+$/, "");
}

function isPrivate(host: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.)/.test(host) || host.endsWith(".local");
}

/** Base64 for URLs, without padding. */
function base64url(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
