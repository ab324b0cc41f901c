// For Node, which reads files.
import { connector } from "./index.js";

export * from "./index.js";
export const connect = connector(async () => {
  const { readFile } = await import("node:fs/promises");
  return readFile(new URL("./rocketmq_bg.wasm", import.meta.url));
});
