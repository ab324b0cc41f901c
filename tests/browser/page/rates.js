// How fast: by a producer, and by a bare WebSocket.

/** Acked messages a second, `window` in hand, a promise each. */
export async function rate(producer, { topic, size, window, ms }) {
  const counted = countSends();
  const body = new Uint8Array(size).fill(0x78);
  let acked = 0;
  const begun = performance.now();
  const end = begun + ms;
  const sender = async () => {
    do {
      await producer.send({ topic, body });
      acked += 1;
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: window }, sender));
  const spent = performance.now() - begun;
  return { acked, rate: (acked / spent) * 1e3, ...counted() };
}

/** Microseconds that one send takes, one after the other; and what of it is before and after the way. */
export async function pings(producer, { topic, size, count }) {
  const body = new Uint8Array(size).fill(0x78);
  const [times, before, after] = [[], [], []];
  const { send } = WebSocket.prototype;
  let [left, back] = [0, 0];
  WebSocket.prototype.send = function (data) {
    left = performance.now();
    send.call(this, data);
  };
  const came = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data");
  const get = function () {
    back = performance.now();
    return came.get.call(this);
  };
  Object.defineProperty(MessageEvent.prototype, "data", { ...came, get });
  for (let n = 0; n < count; n += 1) {
    const begun = performance.now();
    await producer.send({ topic, body });
    const end = performance.now();
    times.push(end - begun);
    before.push(left - begun);
    after.push(end - back);
  }
  WebSocket.prototype.send = send;
  Object.defineProperty(MessageEvent.prototype, "data", came);
  return { ...quantiles(times), before: quantiles(before).p50, after: quantiles(after).p50 };
}

/** Messages a second that come back to a bare WebSocket. */
export async function echoRate({ url, size, window, ms }) {
  const socket = await opened(url);
  const frame = new Uint8Array(size).fill(0x78);
  const begun = performance.now();
  let back = 0;
  let under = window;
  await new Promise((done) => {
    socket.onmessage = () => {
      back += 1;
      if (performance.now() < begun + ms) socket.send(frame);
      else if (--under === 0) done();
    };
    for (let n = 0; n < window; n += 1) socket.send(frame);
  });
  const spent = performance.now() - begun;
  socket.close();
  return (back / spent) * 1e3;
}

/** Microseconds that one message takes there and back. */
export async function echoPings({ url, size, count }) {
  const socket = await opened(url);
  const frame = new Uint8Array(size).fill(0x78);
  const times = [];
  await new Promise((done) => {
    let begun = performance.now();
    socket.onmessage = () => {
      times.push(performance.now() - begun);
      if (times.length === count) return done();
      begun = performance.now();
      socket.send(frame);
    };
    socket.send(frame);
  });
  socket.close();
  return quantiles(times);
}

function opened(url) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`no WebSocket at ${url}`));
  });
}

/** Counts what goes into all sockets; returns how to stop. */
function countSends() {
  const { send } = WebSocket.prototype;
  let [messages, bytes] = [0, 0];
  WebSocket.prototype.send = function (data) {
    messages += 1;
    bytes += data.byteLength;
    return send.call(this, data);
  };
  return () => {
    WebSocket.prototype.send = send;
    return { messages, bytes };
  };
}

function quantiles(times) {
  times.sort((one, other) => one - other);
  const at = (part) => times[Math.floor(times.length * part)] * 1e3;
  return { p50: at(0.5), p99: at(0.99) };
}
