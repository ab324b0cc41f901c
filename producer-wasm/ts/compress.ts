// Bodies in zlib, by the browser's own (RFC 1950, which consumers of RocketMQ read).
import { RocketError } from "./errors.js";

/** Bits of a message's flag that say how its body is compressed (`MessageSysFlag.java`). */
const COMPRESSED = 1;
const KIND_BITS = 0b111 << 8;
const ZLIB = 3 << 8;
/** No reply is unpacked to more than this. */
const UNPACKED_BYTES_MAX = 16 << 20;

/** The body in zlib; `undefined` if it does not get shorter, or cannot be compressed here. */
export async function compressed(body: Uint8Array): Promise<Uint8Array | undefined> {
  if (typeof CompressionStream === "undefined") return undefined;
  const packed = await through(body, new CompressionStream("deflate"), body.length);
  return packed && packed.length < body.length ? packed : undefined;
}

/** A body of somebody else's, unpacked if its flag says that it is packed in zlib. */
export async function unpacked(body: Uint8Array, sysFlag: number): Promise<Uint8Array> {
  if ((sysFlag & COMPRESSED) === 0) return body;
  const kind = sysFlag & KIND_BITS;
  if (kind !== ZLIB && kind !== 0) return body; // LZ4 and zstd are left as they are
  let plain: Uint8Array | undefined;
  try {
    plain = await through(body, new DecompressionStream("deflate"), UNPACKED_BYTES_MAX);
  } catch (cause) {
    throw new RocketError("BROKER", "the body that came is said to be zlib and is not", { cause, outcome: "unknown" });
  }
  if (!plain) throw new RocketError("TOO_LARGE", "the reply is too long when it is unpacked", { outcome: "unknown" });
  return plain;
}

async function through(body: Uint8Array, how: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array | undefined> {
  const writer = how.writable.getWriter();
  // What is wrong is told to the reader.
  void writer.write(body as Uint8Array<ArrayBuffer>).catch(() => undefined);
  void writer.close().catch(() => undefined);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  const reader = (how.readable as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > most) {
      void reader.cancel().catch(() => undefined);
      return undefined;
    }
    parts.push(value);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
