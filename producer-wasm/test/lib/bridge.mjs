// A bridge with one broker behind it, over real sockets: enough for a producer to send a message.
import { WebSocketServer } from "ws";
import { Frames, frameOf, routeBody } from "./wire.mjs";

export async function serveBridge() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "rmq-tcp.v1" });
  await new Promise((resolve) => server.on("listening", resolve));
  const bodies = [];
  server.on("connection", (socket, request) => {
    const frames = new Frames();
    socket.send(JSON.stringify({ v: 1, hello: request.url }));
    socket.on("message", (data) => {
      for (const { code, opaque, fields, body } of frames.add(data)) {
        let reply = { code: 0 };
        if (code === 105) reply = { code: 0, body: routeBody([{ name: "a", address: "10.0.0.1:10911" }], 1) };
        if (code === 310) {
          bodies.push(body.toString());
          const offset = bodies.length.toString(16).padStart(16, "0");
          reply = { code: 0, fields: { msgId: `0A00000100002A9F${offset}`, queueId: fields.e, queueOffset: `${bodies.length}` } };
        }
        socket.send(frameOf({ opaque, ...reply }));
      }
    });
  });
  const close = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  };
  return { url: `ws://127.0.0.1:${server.address().port}`, bodies, close };
}
