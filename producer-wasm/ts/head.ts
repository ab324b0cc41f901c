// A message as the core reads it (`src/message.rs`): a head and a body.
import { RocketError } from "./errors.js";
import type { Body, Message, Require, SendOptions } from "./types.js";

const SEPARATORS = /[\u0001-\u0003]/;
const encoder = new TextEncoder();

/** The bytes of a body. Those of an array are not copied: the core does that at once. */
export function bytesOf(body: Body): Uint8Array {
  if (typeof body === "string") return encoder.encode(body);
  if (body instanceof Uint8Array) {
    if (isDetached(body.buffer)) throw invalid("the body's ArrayBuffer is detached: it was transferred away");
    return body;
  }
  if (body instanceof ArrayBuffer) {
    if (isDetached(body)) throw invalid("the body is a detached ArrayBuffer: it was transferred away");
    return new Uint8Array(body);
  }
  throw invalid(`the body is ${kindOf(body)}; wanted: Uint8Array, ArrayBuffer or string`);
}

/** The message, if it is one at all. */
export function messageOf<M>(message: M): M {
  if (typeof message !== "object" || message === null) throw invalid(`the message is ${kindOf(message)}; wanted: { topic, body }`);
  return message;
}

/** The options of a send, if they are any. */
export function sendOptions(options: SendOptions | undefined): SendOptions | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) throw invalid(`the options are ${kindOf(options)}; wanted: an object`);
  const { signal } = options;
  if (signal !== undefined && typeof signal?.addEventListener !== "function") throw invalid(`signal is ${kindOf(signal)}; wanted: an AbortSignal`);
  return options;
}

/** The head of a message with what its send asks for. */
export function headOf(message: Message, options: SendOptions | undefined, compressed: boolean): string {
  let head = text("topic", message.topic);
  head += "\u0001" + (message.tag === undefined ? "" : text("tag", message.tag));
  head += "\u0001" + keysOf(message.keys);
  head += "\u0001" + queueOf(message.orderingKey, options);
  head += "\u0001" + optionsOf(message, options, compressed);
  if (message.properties !== undefined) {
    const { properties } = message;
    if (typeof properties !== "object" || properties === null || Symbol.iterator in properties) {
      throw invalid(`properties are ${kindOf(properties)}; wanted: an object of strings`);
    }
    for (const [name, value] of Object.entries(properties)) {
      head += "\u0001" + text("property name", name) + "\u0001" + text(`property ${name}`, value);
    }
  }
  return head;
}

/** The head of what is asked for beside a batch. */
export function batchHeadOf(options: SendOptions | undefined, orderingKey: string | undefined): string {
  return `\u0001\u0001\u0001${queueOf(orderingKey, options)}\u0001${sendOptionsOf(options)}`;
}

function keysOf(keys: Message["keys"]): string {
  if (keys === undefined) return "";
  if (!Array.isArray(keys)) throw invalid(`keys are ${kindOf(keys)}; wanted: an array of strings`);
  return keys.map(keyOf).join("\u0002");
}

/** Brokers have a message's keys with blanks in between. */
function keyOf(key: unknown): string {
  const one = text("key", key);
  if (one === "" || /\s/.test(one)) throw invalid(`key ${JSON.stringify(one)} is empty or holds a blank`);
  return one;
}

function queueOf(orderingKey: string | undefined, options: SendOptions | undefined): string {
  if (options?.queue !== undefined) {
    if (typeof options.queue !== "object" || options.queue === null) throw invalid(`queue is ${kindOf(options.queue)}; wanted: { broker, queueId }`);
    const { broker, queueId } = options.queue;
    return `q${text("queue.broker", broker)}\u0003${whole("queue.queueId", queueId)}`;
  }
  if (options?.hashKey !== undefined) return "h" + text("hashKey", options.hashKey);
  if (orderingKey === undefined) return "";
  const order = options?.order ?? "strict";
  if (order !== "strict" && order !== "available") {
    throw invalid(`order is ${JSON.stringify(order)}; wanted: "strict" or "available"`);
  }
  return (order === "strict" ? "s" : "a") + text("orderingKey", orderingKey);
}

function optionsOf(message: Message, options: SendOptions | undefined, compressed: boolean): string {
  let all = sendOptionsOf(options);
  const add = (letter: string, value: string | number) => {
    all += (all && "\u0002") + letter + value;
  };
  if (message.delayLevel !== undefined) add("d", whole("delayLevel", message.delayLevel));
  if (message.delayMs !== undefined) add("D", Math.ceil(span("delayMs", message.delayMs)));
  if (message.deliverAt !== undefined) add("A", Math.ceil(span("deliverAt", message.deliverAt instanceof Date ? message.deliverAt.getTime() : message.deliverAt)));
  if (message.priority !== undefined) add("P", whole("priority", message.priority));
  if (message.flag !== undefined) add("f", integer("flag", message.flag));
  if (compressed) add("z", "");
  return all;
}

function sendOptionsOf(options: SendOptions | undefined): string {
  const all: string[] = [];
  if (options?.messageId !== undefined) all.push("i" + text("messageId", options.messageId));
  if (options?.require !== undefined) all.push("R" + requireOf(options.require));
  return all.join("\u0002");
}

export function requireOf(require: Require): Require {
  if (!["stored", "flushed", "replicated", "ok"].includes(require)) {
    throw invalid(`require is ${JSON.stringify(require)}; wanted: "stored", "flushed", "replicated" or "ok"`);
  }
  return require;
}

/** A text that the head can hold. */
export function text(name: string, value: unknown): string {
  if (typeof value !== "string") throw invalid(`${name} is ${kindOf(value)}; wanted: a string`);
  if (SEPARATORS.test(value)) throw invalid(`${name} holds a control character (U+0001 to U+0003)`);
  return value;
}

/** A span of milliseconds. */
export function span(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0) {
    throw invalid(`${name} is ${String(value)}; wanted: milliseconds, 0 or more`);
  }
  return value;
}

/** A number of things. */
export function whole(name: string, value: unknown): number {
  if (integer(name, value) < 0) throw invalid(`${name} is ${String(value)}; wanted: 0 or more`);
  return value as number;
}

function integer(name: string, value: unknown): number {
  if (!Number.isSafeInteger(value)) throw invalid(`${name} is ${String(value)}; wanted: a whole number`);
  return value as number;
}

export function invalid(message: string): RocketError {
  return new RocketError("INVALID", message);
}

export function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? (value.constructor?.name ?? "an object") : `of type ${typeof value}`;
}

/** Its length is 0 once it is transferred; a newer engine says so itself. */
function isDetached(buffer: ArrayBufferLike): boolean {
  if ("detached" in buffer) return buffer.detached === true;
  if (buffer.byteLength > 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}
