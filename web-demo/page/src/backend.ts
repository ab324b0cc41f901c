// The server beside the bridge: what it says of the cluster, and what it does to it.

export interface Node {
  id: string;
  kind: "name-server" | "master" | "slave";
  address: string;
  up: boolean;
  paused: boolean;
  cutOff: boolean;
  stale: boolean;
  slowMs: number;
  fault: string | null;
  connections: number;
  stored?: number;
  dropped?: number;
  topics?: number;
}

export interface State {
  topic: string;
  nodes: Node[];
}

const API = "demo/v1/";

/**
 * The state, or undefined where there is no such server: the page is then a simulator. Every host of
 * these files has a `backend.json`, so that nobody's console shows a request that failed.
 */
export async function find(): Promise<State | undefined> {
  try {
    const said = (await (await fetch("backend.json")).json()) as { live: boolean };
    return said.live ? await state() : undefined;
  } catch {
    return undefined;
  }
}

export async function state(): Promise<State> {
  return read(await fetch(`${API}state`));
}

/** Does something to a node; see the server's orders. */
export async function order(node: string, what: string): Promise<State> {
  return read(await fetch(`${API}nodes/${node}/${what}`, { method: "POST" }));
}

export async function heal(): Promise<State> {
  return read(await fetch(`${API}heal`, { method: "POST" }));
}

/** What the logs hold since these cursors. */
export async function ledger(after: string): Promise<ArrayBuffer> {
  const answer = await fetch(`${API}ledger${after === "" ? "" : `?after=${after}`}`);
  if (!answer.ok) throw new Error(`the ledger answers ${answer.status}`);
  return answer.arrayBuffer();
}

/** A copy of a message in a broker's log. */
export interface Copy {
  broker: string;
  queueId: number;
  queueOffset: number;
}

/** Each copy of a message, by its number in the ledger. */
export async function copies(key: string): Promise<Copy[]> {
  const answer = await fetch(`${API}messages?id=${key}`);
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return ((await answer.json()) as { copies: Copy[] }).copies;
}

async function read(answer: Response): Promise<State> {
  const said = (await answer.json()) as State & { error?: string };
  if (!answer.ok) throw new Error(said.error ?? `status ${answer.status}`);
  return said;
}

/** What is wrong with a node, in a word or two; empty if nothing is. */
export function ailment(node: Node): string {
  const all = [
    !node.up && "killed",
    node.paused && "paused",
    node.cutOff && "cut off",
    node.slowMs > 0 && `+${node.slowMs} ms`,
    node.fault === "busy" && "busy",
    node.fault === "drop-answers" && "answers dropped",
    node.stale && "stale routes",
  ];
  return all.filter((one) => one !== false).join(", ");
}
