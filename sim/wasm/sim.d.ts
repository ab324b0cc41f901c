// What crate sim-wasm gives a page. All plans and results are JSON texts of these shapes; functions
// throw an Error whose message says what is wrong. Times that end in _us are microseconds of the
// run, which begins at 0; buckets are numbered from there.

/** Loads the module once; pass bytes in Node. */
export default function init(module?: { module_or_path: unknown } | string | URL): Promise<unknown>;

/** The plan of a seed (64 bits, decimal or 0x and hex): JSON of a Plan, a line a field. */
export function planOfSeed(seed: string, kind: "swarm" | "drill" | "small"): string;
/** Runs a plan: JSON of a Result. */
export function run(plan: string): string;
/** Runs a plan: its trace hash alone, 16 hex digits, the same as `sim run` prints. */
export function hash(plan: string): string;
/** Runs a plan and keeps its events: JSON of a Timeline, `limit` events from the `from`th on. */
export function timeline(plan: string, from: number, limit: number): string;
/** Runs a plan under our default configuration and under Java's: JSON of a Comparison. */
export function compare(plan: string): string;
/** JSON of ReadyPlan[]. */
export function plans(): string;
/** Makes a plan smaller that violates an invariant, in at most `runsMax` runs: JSON of a Shrunk. */
export function shrink(plan: string, runsMax: number): string;
/**
 * Finds the plan in a text: a plan's file, the output of a failed test or of `sim shrink`, a page that
 * `sim html` wrote: JSON of an Opened.
 */
export function open(text: string): string;
/** What the panic said that ended this instance with a RuntimeError; call nothing else then. */
export function lastPanic(): string;

/** A run that goes on a piece at a time; the same run as that of `run`. */
export class Simulation {
  constructor(plan: string);
  /** Goes on until so many ms have passed in the run: JSON of a Progress. */
  advance(untilMs: number): string;
  /** What is left happens: JSON of a Result. Nothing goes on afterwards. */
  finish(): string;
  free(): void;
}

/** What is to happen; `sim/src/plan` says what each field means. */
export interface Plan {
  version: 1;
  /** Numbers above 2^53 lose digits in JSON.parse: change texts rather than parsed plans then. */
  seed: number;
  cluster: {
    release?: "4.9.7" | "5.4.0";
    name_servers: number;
    brokers: number;
    slaves: number;
    replication: "async" | "sync";
    auto_create_topics: boolean;
    topics: { name: string; queues: number[]; order?: string }[];
  };
  network: { latency_us: number; jitter_us: number };
  config: { preset: "default" | "java"; overrides?: Overrides };
  workloads: Workload[];
  faults: FaultPlan[];
  /** How long faults may last; then a core of the cluster heals and sends must succeed. */
  run_ms: number;
}

export interface Overrides {
  send_timeout_ms?: number;
  attempt_timeout_ms?: number;
  attempts_max?: number;
  stop_on_unknown?: boolean;
  retry_not_ok?: boolean;
  require_ok?: boolean;
  health?: "off" | "java" | "adaptive";
  binary_header?: boolean;
  sends_max?: number;
  waiting_max?: number;
  route_poll_ms?: number;
  auto_create_topics?: boolean;
}

export type Mode = "rotate" | "hash" | "strict" | "available" | "one_way";

export interface Workload {
  producer?: number;
  topic: string;
  mode: Mode;
  start_ms: number;
  every_us: number;
  burst: number;
  total: number;
  body_bytes: number;
  keys: number;
  serial?: boolean;
  batch?: boolean;
  timeout_ms?: number;
}

/** `kind`, and what belongs to it: see `sim/src/plan/fault.rs`. */
export interface FaultPlan {
  at_ms: number;
  for_ms?: number;
  /** "ns-0", "broker-1", "broker-1-slave", "producer-0" or "cluster". */
  target: string;
  kind: string;
  [more: string]: unknown;
}

export interface Result {
  hash: string;
  seed: string;
  /** How much time passed in the run, healing included. */
  simulated_us: number;
  /** When the core of the cluster healed; probes follow. */
  healed_us: number;
  /** The ledger's identities hold: asked = sum of ends, nothing lost, made up or doubled in silence. */
  balances: boolean;
  ledger: Ledger;
  /** Requests to store that left producers, retries among them. */
  requests: number;
  dials: number;
  route_requests: number;
  violations: Violation[];
  /** All that was checked, by number. */
  invariants: { id: string; name: string; sentence: string; held: boolean }[];
  bucket_us: number;
  /** By bucket; those in which nothing was are left out. `acked` counts one-way writes, too. */
  rate: { at: number[]; asked: number[]; acked: number[]; failed: number[] };
  /** Acknowledged sends by broker and by bucket in which the application was told. */
  brokers: { name: string; at: number[]; count: number[]; p50_us: number[]; p99_us: number[] }[];
  /** From call to end, of all sends that were acknowledged or failed. */
  all: { p50_us: number; p99_us: number; longest_us: number };
  faults: Fault[];
  /** Faults of the plan that do not exist here, by position. */
  skipped: number[];
}

/** asked = acked + written + not_sent + rejected + unknown + cancelled + open. */
export interface Ledger {
  asked: number;
  /** Those of `asked` that the simulator sent after healing. */
  probes: number;
  acked: number;
  /** Nobody answers these. */
  written: number;
  /** Surely no broker has it. */
  not_sent: number;
  /** A broker said no. */
  rejected: number;
  /** Nobody can tell. */
  unknown: number;
  cancelled: number;
  open: number;
  /** Sends of which a log holds a copy. */
  stored: number;
  lost: number;
  /** Acknowledged, and taken by a fault that may take it (promotion without the tail, ...). */
  taken: number;
  duplicates: number;
  duplicates_unannounced: number;
  unknown_stored: number;
  phantoms: number;
  order: {
    mode: Mode;
    /** Pairs of stored messages of a key, one sent after the other. */
    neighbours: number;
    moved: number;
    overtaken: number;
    unannounced: number;
  }[];
}

export interface Violation {
  id: string;
  name: string;
  what: string;
}

export interface Fault {
  at_us: number;
  until_us: number;
  target: string;
  kind: string;
  /** The kind with what belongs to it. */
  what: { kind: string; [more: string]: unknown };
}

export interface Progress {
  simulated_us: number;
  asked: number;
  ended: number;
  over: boolean;
}

export interface Timeline {
  hash: string;
  /** Producers first, then name servers, brokers, slaves; events name them by position. */
  hosts: string[];
  producers: number;
  /** Events of the whole run. */
  total: number;
  from: number;
  events: Lane[];
  faults: Fault[];
}

/** `t`: when, in microseconds. `host`: where; absent for all of them. */
export type Lane = { t: number; host?: number } & (
  | { kind: "asked"; ticket: number; topic: string; mode: Mode; key?: string; probe: boolean }
  | {
      kind: "ended";
      ticket: number;
      outcome: "stored" | "not_sent" | "rejected" | "unknown" | "written" | "cancelled";
      took: number;
      /** If it was stored: */
      broker?: string;
      queue?: number;
      offset?: number;
      status?: string;
      attempts?: number;
      maybe_duplicate?: boolean;
      epoch?: number;
      /** If it failed: what, where, and whether it may be stored. */
      error?: string;
    }
  | { kind: "dial"; link: number; to: number; ended?: number; how?: string }
  | {
      kind: "frame";
      link: number;
      to: number;
      /** When its last byte was there; absent if it never was. */
      arrived?: number;
      name: string;
      code: number;
      answer: boolean;
      opaque: number;
      bytes: number;
      topic?: string;
      queue?: number;
      offset?: number;
      remark?: string;
      /** The send that it is about. */
      ticket?: number;
      /** Which attempt of it this is, and why it goes there: a word and a sentence. */
      attempt?: number;
      reason?: string;
      because?: string;
    }
  | { kind: "garbage"; link: number; to: number }
  | { kind: "closed"; link: number; peer: number; why: string }
  | { kind: "fault_begins"; fault: number }
  | { kind: "fault_ends"; fault: number }
  | { kind: "healed" }
);

export interface Comparison {
  ours: Result;
  java: Result;
}

export interface ReadyPlan {
  group: "ordering" | "failover";
  /** Within failover: the sort of fault. */
  sort?: string;
  name: string;
  /** What is done in the runs. */
  what: string;
  /** What happens and why; Markdown with backquotes. */
  why?: string;
  remedy?: string;
  ways: { name: string; order?: "kept" | "lost" | "announced"; plan: Plan }[];
}

export interface Shrunk {
  plan: Plan;
  violation: Violation;
  runs: number;
  /** Whether nothing smaller is left to try. */
  complete: boolean;
}

export interface Opened {
  plan: Plan;
  /** The trace hash that the text names. */
  hash?: string;
}
