import type { Attempt, ErrorCode, Outcome } from "./types.js";

/** What {@link RocketError} is made from. */
export interface ErrorDetails {
  outcome?: Outcome;
  cause?: unknown;
  detail?: string;
  hint?: string;
  messageId?: string;
  broker?: string;
  responseCode?: number;
  attempts?: readonly Attempt[];
  elapsedMs?: number;
}

/** Every error of this package: what failed, and whether the message may be stored. */
export class RocketError extends Error {
  override readonly name = "RocketError";
  /** Stable, for programs. */
  readonly code: ErrorCode;
  /** `unknown`: it may have been stored, so do not just send it again. */
  readonly outcome: Outcome;
  /** Whether trying again later may help, and makes no duplicate. */
  readonly retryable: boolean;
  /** The finer code of the core, such as `topic_not_found`; empty if it is none of the core's. */
  readonly detail: string;
  /** What usually helps; empty if nothing usually does. */
  readonly hint: string;
  /** The id that the message had on every attempt; empty if it got none. */
  readonly messageId: string;
  readonly broker: string | undefined;
  readonly responseCode: number | undefined;
  readonly attempts: readonly Attempt[];
  readonly elapsedMs: number;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(details.hint ? `${message} (${details.hint})` : message, { cause: details.cause });
    this.code = code;
    this.outcome = details.outcome ?? "not-sent";
    this.retryable = this.outcome !== "unknown" && RETRYABLE.has(code);
    this.detail = details.detail ?? "";
    this.hint = details.hint ?? "";
    this.messageId = details.messageId ?? "";
    this.broker = details.broker || undefined;
    this.responseCode = details.responseCode;
    this.attempts = details.attempts ?? [];
    this.elapsedMs = details.elapsedMs ?? 0;
  }
}

const RETRYABLE = new Set<ErrorCode>(["TIMEOUT", "QUEUE_FULL", "BROKER", "BRIDGE", "NO_ROUTE"]);

/** The core's codes (`ErrorKind::code`) in ours. */
const CODES: Record<string, ErrorCode> = {
  closed: "CLOSED",
  cancelled: "ABORTED",
  full: "QUEUE_FULL",
  deadline: "TIMEOUT",
  attempt_timeout: "TIMEOUT",
  no_name_server: "BRIDGE",
  name_servers_unreachable: "BRIDGE",
  name_server_refused: "NO_ROUTE",
  bad_route: "NO_ROUTE",
  topic_not_found: "NO_ROUTE",
  topic_not_writable: "NO_ROUTE",
  no_master: "NO_ROUTE",
  queue_not_found: "NO_ROUTE",
  too_many_topics: "INVALID",
  topic_in_namespace: "INVALID",
  not_for_transactions: "INVALID",
  message_too_large: "TOO_LARGE",
  order_broken: "ORDER_BROKEN",
  no_reply: "NO_REPLY",
  token_refused: "UNAUTHORIZED",
  bad_credentials: "UNAUTHORIZED",
  not_permitted: "UNAUTHORIZED",
};

export const OUTCOMES: readonly Outcome[] = ["not-sent", "rejected", "unknown"];

/** Our code for one of the core's. */
export function codeOf(core: string): ErrorCode {
  return CODES[core] ?? "BROKER";
}

/** The attempts as `failure.rs` wrote them. */
export function attemptsOf(trail: string): Attempt[] {
  return trail.split("\u0002").filter(Boolean).map((line) => {
    const [broker = "", address = "", queue = "", reason = "", phase = "", ms = "0", outcome = "", cause = "", message = ""] =
      line.split("\u0001");
    return Object.freeze({
      broker,
      address,
      queueId: queue === "" ? null : Number(queue),
      reason,
      phase,
      elapsedMs: Number(ms),
      outcome: outcome.replace("_", "-") as Outcome,
      cause,
      message,
    });
  });
}

/** The end of what its caller gave up. */
export function aborted(signal: AbortSignal, outcome: Outcome, what = "send"): RocketError {
  return new RocketError("ABORTED", `the ${what} was aborted`, { cause: signal.reason, outcome });
}
