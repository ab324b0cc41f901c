// Frames as a broker reads and writes them: binary requests in, JSON answers out (producer-spec §1, §2).
import { deflateSync } from "node:zlib";


/** Reads whole frames off a stream of bytes. */
export class Frames {
  #bytes = Buffer.alloc(0);

  /** Adds bytes; returns the requests that are whole now. */
  add(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    const requests = [];
    while (this.#bytes.length >= 4) {
      const length = this.#bytes.readUInt32BE(0);
      if (this.#bytes.length < 4 + length) break;
      requests.push(requestOf(this.#bytes.subarray(4, 4 + length)));
      this.#bytes = this.#bytes.subarray(4 + length);
    }
    return requests;
  }
}

function requestOf(frame) {
  const marked = frame.readUInt32BE(0);
  if (marked >>> 24 !== 1) throw new Error("a page sends binary headers only");
  const header = frame.subarray(4, 4 + (marked & 0xffffff));
  const remarkLength = header.readInt32BE(13);
  let at = 17 + remarkLength;
  const end = at + 4 + header.readInt32BE(at);
  at += 4;
  const fields = {};
  while (at < end) {
    const key = header.toString("utf8", at + 2, at + 2 + header.readInt16BE(at));
    at += 2 + header.readInt16BE(at);
    const size = header.readInt32BE(at);
    fields[key] = header.toString("utf8", at + 4, at + 4 + size);
    at += 4 + size;
  }
  return {
    code: header.readInt16BE(0),
    opaque: header.readInt32BE(5),
    flag: header.readInt32BE(9),
    fields,
    body: Buffer.from(frame.subarray(4 + header.length)),
  };
}

/** A frame with a JSON header, as brokers send it. */
export function frameOf({ code, opaque, flag = 1, remark, fields, body = Buffer.alloc(0) }) {
  const header = Buffer.from(
    JSON.stringify({
      code,
      extFields: fields,
      flag,
      language: "JAVA",
      opaque,
      remark,
      serializeTypeCurrentRPC: "JSON",
      version: 493,
    }),
  );
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4 + header.length + body.length, 0);
  head.writeUInt32BE(header.length, 4);
  return Buffer.concat([head, header, body]);
}

/** The properties of a message, from their text. */
export function propertiesOf(text) {
  const properties = {};
  for (const pair of text.split("\u0002").filter(Boolean)) {
    const [name, value] = pair.split("\u0001");
    properties[name] = value;
  }
  return properties;
}

export function textOf(properties) {
  return Object.entries(properties).map(([name, value]) => `${name}\u0001${value}\u0002`).join("");
}

/** The messages of a batch's body. */
export function batchOf(body) {
  const messages = [];
  for (let at = 0; at < body.length; ) {
    const size = body.readInt32BE(at);
    const bodyLength = body.readInt32BE(at + 16);
    const from = at + 20 + bodyLength;
    messages.push({
      body: body.subarray(at + 20, from),
      properties: propertiesOf(body.toString("utf8", from + 2, from + 2 + body.readInt16BE(from))),
    });
    at += size;
  }
  return messages;
}

/** A message as a broker's log has it, which is what a check holds (§12). */
export function storedOf({ topic, body, properties, sysFlag = 0, queueOffset = 0, offset = 0 }) {
  const [name, text] = [Buffer.from(topic), Buffer.from(textOf(properties))];
  const out = Buffer.alloc(91 + body.length + name.length + text.length);
  const host = (at) => {
    out.writeUInt32BE(0x0a000001, at);
    out.writeUInt32BE(10_911, at + 4);
  };
  out.writeInt32BE(out.length, 0);
  out.writeInt32BE(-626_843_481, 4);
  out.writeBigInt64BE(BigInt(queueOffset), 20);
  out.writeBigInt64BE(BigInt(offset), 28);
  out.writeInt32BE(sysFlag, 36);
  host(48);
  host(64);
  out.writeInt32BE(body.length, 84);
  body.copy(out, 88);
  let at = 88 + body.length;
  out.writeUInt8(name.length, at);
  name.copy(out, at + 1);
  at += 1 + name.length;
  out.writeInt16BE(text.length, at);
  text.copy(out, at + 2);
  return out;
}

/** The body of an answer to GET_ROUTEINFO_BY_TOPIC. */
export function routeBody(brokers, queues) {
  const queueDatas = brokers.map(({ name }) => ({
    brokerName: name,
    perm: 6,
    readQueueNums: queues,
    topicSysFlag: 0,
    writeQueueNums: queues,
  }));
  const brokerDatas = brokers.map(({ name, address }) => ({ brokerAddrs: { 0: address }, brokerName: name, cluster: "c" }));
  return Buffer.from(JSON.stringify({ brokerDatas, filterServerTable: {}, queueDatas }));
}

/** In zlib. */
export function deflated(data) {
  return deflateSync(data);
}

/** A reply as a broker pushes it (326) to who asked. */
export function replyTo(properties, body, sysFlag = 0) {
  return frameOf({
    code: 326, opaque: 9, flag: 0,
    fields: {
      producerGroup: "g", topic: "x", defaultTopic: "TBW102", defaultTopicQueueNums: "4", queueId: "0", sysFlag: `${sysFlag}`,
      bornTimestamp: "1", flag: "3", unitMode: "false", bornHost: "10.9.9.9:1", storeHost: "10.0.0.1:10911", storeTimestamp: "1",
      properties: textOf({ CORRELATION_ID: properties.CORRELATION_ID, MSG_TYPE: "reply", r: "1" }),
    },
    body: Buffer.from(body),
  });
}
