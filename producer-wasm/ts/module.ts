// The wasm module: loaded once, when the first producer is made.
import initialise, { Core, panic_for_test } from "../pkg/producer_wasm.js";
import { RocketError } from "./errors.js";
import type { Source } from "./source.js";

export { Core, panic_for_test };

let loading: Promise<WebAssembly.Memory> | undefined;

/** Loads the module if it is not yet, and gives its memory. A load that failed is tried again. */
export function load(source: () => Source): Promise<WebAssembly.Memory> {
  loading ??= start(source).catch((cause: unknown) => {
    loading = undefined;
    throw cause instanceof RocketError ? cause : broken(cause);
  });
  return loading;
}

async function start(source: () => Source): Promise<WebAssembly.Memory> {
  if (typeof WebAssembly === "undefined") {
    throw new RocketError("WASM", "this environment has no WebAssembly");
  }
  let found = await source();
  if (typeof Response !== "undefined" && found instanceof Response) found = await checked(found);
  const exports = await initialise({ module_or_path: found });
  return exports.memory;
}

/** Looks at a response before it is compiled, for the compiler's words help nobody. */
async function checked(response: Response): Promise<Response | BufferSource> {
  if (!response.ok) {
    throw new RocketError("WASM", `the wasm file cannot be fetched: ${response.url} answers ${response.status}`, {
      hint: "serve rocketmq_bg.wasm beside the script, or import rocketmq-web/inline",
    });
  }
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/wasm")) return response;
  const bytes = await response.arrayBuffer();
  const magic = new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength));
  // Served as something else, which only costs the compiler's head start; or something else.
  if (magic[0] === 0 && magic[1] === 0x61 && magic[2] === 0x73 && magic[3] === 0x6d) return bytes;
  throw new RocketError("WASM", `${response.url} is no wasm file (content type ${type || "not told"})`, {
    hint: "the server answers with another file: serve rocketmq_bg.wasm as application/wasm",
  });
}

function broken(cause: unknown): RocketError {
  const text = String(cause);
  const hint = /unsafe-eval|Content Security Policy/i.test(text)
    ? "the page's Content-Security-Policy needs script-src 'wasm-unsafe-eval'"
    : "serve rocketmq_bg.wasm beside the script, or import rocketmq-web/inline";
  return new RocketError("WASM", `the wasm module cannot be loaded: ${text}`, { cause, hint });
}
