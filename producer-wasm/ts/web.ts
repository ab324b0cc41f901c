// For browsers and bundlers that know `new URL(..., import.meta.url)`.
import { connector } from "./index.js";

export * from "./index.js";
export const connect = connector(() => fetch(new URL("./rocketmq_bg.wasm", import.meta.url)));
