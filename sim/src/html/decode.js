// From the bytes of `pack.rs` to events.

function decode(base64, meta) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const events = [];
  let place = 0;
  let now = 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[place++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  const text = () => meta.texts[number()];
  // 0 stands for none.
  const optional = () => { const value = number(); return value === 0 ? null : value - 1; };
  const signed = (value) => (value % 2 ? -(value + 1) / 2 : value / 2);
  const optionalSigned = () => { const value = optional(); return value === null ? null : signed(value); };
  const readers = [
    () => ({ ticket: number(), topic: text(), mode: text(), key: text(), probe: number() === 1 }),
    () => ({ ticket: number(), how: text(), what: text(), broker: text(), queue: number(), offset: number() }),
    () => ({ link: number(), to: number(), took: optional(), what: text() }),
    () => {
      const frame = { link: number(), to: number(), took: optional(), code: text(), answer: number() === 1 };
      frame.opaque = signed(number());
      frame.bytes = number();
      frame.topic = text();
      frame.queue = optionalSigned();
      frame.offset = optionalSigned();
      frame.remark = text();
      frame.ticket = optional();
      frame.attempt = number();
      frame.why = frame.attempt ? text() : "";
      return frame;
    },
    () => ({ link: number(), to: number() }),
    () => ({ link: number(), to: number(), what: text() }),
    () => ({ fault: number() }),
    () => ({ fault: number() }),
    () => ({}),
  ];
  const kinds = ["asked", "ended", "dial", "frame", "garbage", "closed", "begins", "ends", "healed"];
  while (place < bytes.length) {
    now += number();
    const host = optional();
    const kind = number();
    const event = readers[kind]();
    event.index = events.length;
    event.kind = kinds[kind];
    event.at = now;
    event.host = host;
    events.push(event);
  }
  return events;
}

// What belongs together: the life of each send, the times of each fault, names for people.
function join(events, meta) {
  const sends = new Map();
  const faults = meta.faults.map((fault, number) => ({
    ...fault, number, from: null, to: meta.end_us, host: meta.hosts.indexOf(fault.target),
  }));
  let healed = null;
  let longest = 0;
  for (const event of events) {
    event.name = nameOf(event, meta, faults);
    event.tone = toneOf(event);
    event.text = (meta.hosts[event.host] ?? "cluster") + " " + event.name.toLowerCase();
    if (event.to !== undefined) event.text += " " + meta.hosts[event.to];
    if (event.took) longest = Math.max(longest, event.took);
    if (event.kind === "asked") sends.set(event.ticket, { ...event, to: null, events: [], how: "" });
    const send = event.ticket === undefined || event.ticket === null ? null : sends.get(event.ticket);
    if (send) send.events.push(event.index);
    if (event.kind === "ended" && send) [send.to, send.how] = [event.at, event.how];
    if (event.kind === "begins") [faults[event.fault].from, faults[event.fault].event] = [event.at, event.index];
    if (event.kind === "ends") faults[event.fault].to = event.at;
    if (event.kind === "healed") healed = event.at;
  }
  return { sends, faults: faults.filter((fault) => fault.from !== null), healed, longest };
}

function nameOf(event, meta, faults) {
  const host = (number) => meta.hosts[number] ?? "?";
  const of = event.ticket === undefined || event.ticket === null ? "" : `, send ${event.ticket}`;
  switch (event.kind) {
    case "asked": return `Send ${event.ticket}: ${event.mode} to ${event.topic}${event.key ? ", " + event.key : ""}`;
    case "ended": return event.how === "stored"
      ? `Send ${event.ticket} is stored at ${event.broker}, queue ${event.queue}, offset ${event.offset}`
      : `Send ${event.ticket} is ${event.how}${event.what ? ": " + event.what : ""}`;
    case "dial": return `Dials ${host(event.to)}${event.what === "connected" ? "" : ": " + (event.what || "no answer")}`;
    case "frame": {
      const attempt = event.attempt ? `, attempt ${event.attempt} (${event.why.split(":")[0].replaceAll("_", " ")})` : "";
      const lost = event.took === null ? ", never arrives" : "";
      return `${event.code.split(" ")[0]} #${event.opaque} to ${host(event.to)}${of}${attempt}${lost}`;
    }
    case "garbage": return `Bytes to ${host(event.to)} that are no frame`;
    case "closed": return `Connection ${event.link} with ${host(event.to)} has ended: ${event.what}`;
    case "begins": return `Fault ${event.fault} begins: ${faults[event.fault].kind}`;
    case "ends": return `Fault ${event.fault} is over: ${faults[event.fault].kind}`;
    default: return "A core of the cluster is well from now on";
  }
}

function toneOf(event) {
  switch (event.kind) {
    case "asked": return "send";
    case "ended": return event.how === "stored" || event.how === "written" ? "good" : "bad";
    case "dial": return event.what === "connected" ? "chore" : "bad";
    case "frame": {
      if (event.took === null) return "lost";
      if (event.ticket === null) return "chore";
      if (!event.answer) return "send";
      return event.code.startsWith("SUCCESS") ? "good" : "bad";
    }
    case "garbage": case "closed": return "bad";
    case "healed": return "heal";
    default: return "fault";
  }
}
