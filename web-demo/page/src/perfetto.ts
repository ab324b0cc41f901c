// A run of the simulator as a file for https://ui.perfetto.dev, in the trace event format of Chromium.
import type { Lane, Timeline } from "sim-wasm";

/** One event: spans are `b` and `e` of one `cat` and `id`, moments `i`, names of processes `M`. */
interface TraceEvent {
  ph: "b" | "e" | "i" | "M";
  name: string;
  /** A host, by its place; what belongs to none is the cluster's. */
  pid: number;
  tid: number;
  /** Microseconds. */
  ts: number;
  cat?: string;
  id?: string;
  s?: "p" | "g";
  args?: Record<string, unknown>;
}

/** JSON of the run: a process a host, spans of sends, frames, dials and faults. */
export function perfetto(run: Timeline): string {
  const cluster = run.hosts.length;
  const named = (name: string, pid: number): TraceEvent => ({ ph: "M", name: "process_name", pid, tid: 0, ts: 0, args: { name } });
  const events = [...run.hosts.map(named), named("faults", cluster), ...run.events.flatMap((event, at) => traced(event, at, run, cluster))];
  return JSON.stringify({ traceEvents: events, displayTimeUnit: "ms", otherData: { hash: run.hash, events: run.total, from: run.from } });
}

function traced(event: Lane, at: number, run: Timeline, cluster: number): TraceEvent[] {
  const { t, host, kind, ...args } = event;
  const base = { pid: host ?? cluster, tid: 0, ts: t };
  const span = (name: string, cat: string, until: number | undefined): TraceEvent[] => {
    if (until === undefined) return [{ ...base, ph: "i", s: "p", name: `${name}, and never arrived`, args }];
    const both = { ...base, name, cat, id: `${cat} ${at}` };
    return [{ ...both, ph: "b", args }, { ...both, ph: "e", ts: until }];
  };
  const moment = (name: string): TraceEvent[] => [{ ...base, ph: "i", s: "p", name, args }];
  const fault = (number: number, ph: "b" | "e"): TraceEvent[] => {
    const { kind = "", target = "" } = run.faults[number] ?? {};
    return [{ ...base, pid: cluster, ph, name: `${kind.replaceAll("_", " ")} at ${target}`, cat: "fault", id: `fault ${number}`, args }];
  };
  switch (event.kind) {
    case "asked":
      return []; // Its end says when it was.
    case "ended": {
      const ended = { ...base, name: `send ${event.ticket}: ${event.outcome.replace("_", " ")}`, cat: "send", id: `send ${event.ticket}` };
      return [{ ...ended, ph: "b", ts: t - event.took, args }, { ...ended, ph: "e" }];
    }
    case "dial":
      return span(`dial ${run.hosts[event.to]}`, "dial", event.ended);
    case "frame":
      return span(`${event.name}${event.answer ? " answer" : ""} to ${run.hosts[event.to]}`, "frame", event.arrived);
    case "garbage":
      return moment("bytes that are no frame");
    case "closed":
      return moment(`connection with ${run.hosts[event.peer]} ends: ${event.why}`);
    case "fault_begins":
      return fault(event.fault, "b");
    case "fault_ends":
      return fault(event.fault, "e");
    case "healed":
      return moment("the cluster heals");
  }
}
