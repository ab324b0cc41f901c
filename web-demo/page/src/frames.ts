// RocketMQ frames, read for people: `length | type, header length | header | body`.

/** A frame, decoded. */
export interface Frame {
  code: number;
  opaque: number;
  isAnswer: boolean;
  remark: string;
  fields: [string, string][];
  form: "binary" | "JSON";
  headerBytes: number;
  bodyBytes: number;
}

const text = new TextDecoder();

/** Takes whole frames out of bytes that may be cut anywhere. */
export class Cutter {
  private rest = new Uint8Array(0);

  /** The frames that are whole now, each with its length before it. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let all = bytes;
    if (this.rest.length > 0) {
      all = new Uint8Array(this.rest.length + bytes.length);
      all.set(this.rest);
      all.set(bytes, this.rest.length);
    }
    let at = 0;
    const view = new DataView(all.buffer, all.byteOffset, all.byteLength);
    while (all.length - at >= 4) {
      const length = 4 + view.getUint32(at);
      if (all.length - at < length) break;
      yield all.subarray(at, at + length);
      at += length;
    }
    this.rest = at === all.length ? new Uint8Array(0) : all.slice(at);
  }
}

/** The number by which an answer names its request, at its place in binary headers; JSON is read. */
export function opaqueOf(frame: Uint8Array): number {
  if (frame[4] === 1) return view(frame).getInt32(8 + 2 + 1 + 2);
  return decode(frame)?.opaque ?? -1;
}

/** The code of a binary header. */
export function codeOf(frame: Uint8Array): number {
  return frame[4] === 1 ? view(frame).getInt16(8) : (decode(frame)?.code ?? -1);
}

/** Decodes a frame; undefined if it is none. */
export function decode(frame: Uint8Array): Frame | undefined {
  try {
    const headerBytes = view(frame).getUint32(4) & 0xffffff;
    const header = frame.subarray(8, 8 + headerBytes);
    const bodyBytes = frame.length - 8 - headerBytes;
    const parts = { headerBytes, bodyBytes };
    return frame[4] === 1 ? { ...binary(header), ...parts } : { ...json(header), ...parts };
  } catch {
    return undefined;
  }
}

type Header = Omit<Frame, "headerBytes" | "bodyBytes">;

function binary(header: Uint8Array): Header {
  const at = view(header);
  const remarkBytes = at.getInt32(13);
  const remark = text.decode(header.subarray(17, 17 + remarkBytes));
  let place = 17 + remarkBytes;
  const end = place + 4 + at.getInt32(place);
  place += 4;
  const fields: [string, string][] = [];
  while (place < end) {
    const name = at.getInt16(place);
    const key = text.decode(header.subarray(place + 2, place + 2 + name));
    place += 2 + name;
    const value = at.getInt32(place);
    fields.push([key, text.decode(header.subarray(place + 4, place + 4 + value))]);
    place += 4 + value;
  }
  return { form: "binary", code: at.getInt16(0), opaque: at.getInt32(5), isAnswer: (at.getInt32(9) & 1) === 1, remark, fields };
}

function json(header: Uint8Array): Header {
  const said = JSON.parse(text.decode(header)) as Record<string, unknown>;
  const fields = Object.entries((said["extFields"] ?? {}) as Record<string, string>);
  return {
    form: "JSON",
    code: Number(said["code"]),
    opaque: Number(said["opaque"]),
    isAnswer: (Number(said["flag"]) & 1) === 1,
    remark: String(said["remark"] ?? ""),
    fields,
  };
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What codes are called. */
export function codeName(code: number, isAnswer: boolean): string {
  const name = isAnswer ? ANSWERS[code] : REQUESTS[code];
  return name ?? `code ${code}`;
}

const REQUESTS: Record<number, string> = {
  34: "HEART_BEAT",
  35: "UNREGISTER_CLIENT",
  37: "END_TRANSACTION",
  105: "GET_ROUTEINFO_BY_TOPIC",
  310: "SEND_MESSAGE_V2",
  320: "SEND_BATCH_MESSAGE",
};

const ANSWERS: Record<number, string> = {
  0: "SUCCESS",
  1: "SYSTEM_ERROR",
  2: "SYSTEM_BUSY",
  10: "FLUSH_DISK_TIMEOUT",
  11: "SLAVE_NOT_AVAILABLE",
  12: "FLUSH_SLAVE_TIMEOUT",
  14: "SERVICE_NOT_AVAILABLE",
  16: "NO_PERMISSION",
  17: "TOPIC_NOT_EXIST",
};

/** The short field names of SEND_MESSAGE_V2. */
export const SEND_FIELDS: Record<string, string> = {
  a: "producerGroup",
  b: "topic",
  c: "defaultTopic",
  d: "defaultTopicQueueNums",
  e: "queueId",
  f: "sysFlag",
  g: "bornTimestamp",
  h: "flag",
  i: "properties",
  j: "reconsumeTimes",
  k: "unitMode",
  l: "maxReconsumeTimes",
  m: "batch",
  n: "brokerName",
};
