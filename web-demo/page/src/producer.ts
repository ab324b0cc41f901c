// The one place that knows the package rocketmq-web: the rest of the page knows what is here.
import { connect, RocketError, type Producer, type ProducerEvent, type Receipt } from "rocketmq-web";
import type { Tap } from "./tap.js";

export type { Producer, ProducerEvent, Receipt };
export { RocketError };

/** Room for what is in hand: small enough that a visitor sees it fill. */
export const ROOM_BYTES = 4 << 20;

/** A producer through the bridge of this page, listened to. */
export function open(bridge: string, tap: Tap, retries: number): Promise<Producer> {
  return connect({
    bridge,
    group: "web-demo",
    retries,
    maxPendingMessages: 16_384,
    maxPendingBytes: ROOM_BYTES,
    webSocket: tap.webSocket(),
  });
}
