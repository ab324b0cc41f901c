// Both halves of what crosses between Rust and JavaScript, and what the module is made of.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inside, inWorld, producerOf, root, wasm } from "./lib/harness.mjs";

const rust = readFileSync(join(root, "src/outputs.rs"), "utf8");
const numbers = Object.fromEntries([...rust.matchAll(/const ([A-Z_]+): f64 = (\d+)\.0;/g)].map(([, name, n]) => [name, Number(n)]));

test("ops have the same numbers on both sides", () => {
  assert.ok(Object.keys(numbers).length >= 19);
  assert.deepEqual(inside.OP, numbers);
  assert.equal(new Set(Object.values(numbers)).size, Object.keys(numbers).length);
});

/** The fields of each op, as its comment in Rust has them. */
const fields = Object.fromEntries(
  [...rust.matchAll(/\/\/\/ ([^\n]+)\n\s+pub\(super\) const ([A-Z_]+): f64/g)].map(([, text, name]) => [name, text.replace(/\.$/, "")]),
);

test("fields stand in the same order on both sides", () => {
  // How the other side reads them: calls of the reader, in order, each with the field it is for.
  const perform = readFileSync(join(root, "ts/perform.ts"), "utf8");
  const outputs = readFileSync(join(root, "ts/outputs.ts"), "utf8");
  const body = (source, from, to) => {
    const start = source.indexOf(from);
    assert.notEqual(start, -1, from);
    return source.slice(start + from.length, source.indexOf(to, start + from.length));
  };
  const reads = (text) => [...text.matchAll(/outputs\.(number|text|name|receipt|properties)\(\)|(failureOf|replyOf|checkOf|reportOf)\(outputs/g)].map(([, how, of]) => how ?? of);
  const op = (name) => reads(body(perform, `case OP.${name}:`, "break;"));
  const read = (name) => reads(body(outputs, `export function ${name}(`, "\n}"));
  const n = (count) => Array(count).fill("number");
  const t = (count) => Array(count).fill("text");
  const wanted = {
    STORED: ["ticket, receipt", ["number", "receipt"]],
    TRANSMIT: ["conn", n(1)],
    CLOSE: ["conn", n(1)],
    CONNECT: ["conn, deadline, address", [...n(2), "text"]],
    FAILED: ["ticket, outcome, response code, attempts, elapsed, code, message, hint, id, broker, trail", ["number", "failureOf"]],
    WRITTEN: ["ticket, id", ["number", "text"]],
    BATCH: ["ticket, count, so many receipts", [...n(2), "receipt"]],
    PREPARED: ["ticket, transaction, receipt", [...n(2), "receipt"]],
    CHECK: ["transaction, times, born, flag, sys flag, body, id, topic, group, properties", ["checkOf"]],
    REPLIED: ["ticket, born, flag, sys flag, body, id, born host, properties", ["number", "replyOf"]],
    ROUTE: ["ticket, ordered, count of queues, so many (number of a name, queue)", [...n(3), "name", "number"]],
    CLOSED: ["stored, written, not sent, rejected, unknown, ids of the unknown with blanks in between", ["reportOf"]],
    NAME: ["number, name: from now on the number stands for the name", ["number", "text"]],
    INVALID: ["ticket, problem", ["number", "text"]],
    CANCELLED: ["0 not sent, 2 unknown, -1 ended before", n(1)],
    FLAG: ["0 or 1", n(1)],
    RETRIED: ["elapsed, id, broker, code, message", ["number", ...t(4)]],
    BROKER: ["usable, broker", ["number", "text"]],
    ROUTE_CHANGED: ["topic, brokers with blanks in between", t(2)],
  };
  assert.deepEqual(fields, Object.fromEntries(Object.keys(numbers).map((name) => [name, wanted[name]?.[0]])));
  for (const [name, [, how]] of Object.entries(wanted)) assert.deepEqual(op(name), how, name);
  assert.deepEqual(read("failureOf"), [...n(4), ...t(6)]);
  assert.deepEqual(read("checkOf"), [...n(6), ...t(3), "properties"]);
  assert.deepEqual(read("replyOf"), [...n(4), ...t(2), "properties"]);
});

test("the counters have their names", inWorld(async (world) => {
  const producer = await producerOf(world);
  const types = readFileSync(join(root, "ts/types.ts"), "utf8");
  const named = [...types.slice(types.indexOf("export interface Stats"), types.indexOf("/** What happens besides")).matchAll(/readonly (\w+): number/g)];
  assert.deepEqual(Object.keys(producer.stats()).sort(), named.map(([, name]) => name).sort());
  await world.settled(producer.close());
}));

test("the module wants nothing of an environment", () => {
  const imports = WebAssembly.Module.imports(new WebAssembly.Module(wasm));
  assert.deepEqual(imports.filter(({ module }) => module === "env"), []);
  assert.ok(imports.every(({ module }) => /^\.\/producer_wasm_bg\.js$/.test(module)), JSON.stringify(imports));
});

test("nothing that pages do not need is linked in", () => {
  const tree = execFileSync("cargo", ["tree", "--locked", "--offline", "-p", "producer-wasm", "--target", "wasm32-unknown-unknown", "-e", "normal", "--prefix", "none"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const crate of ["tokio", "mio", "ring", "serde_json", "rustls", "web-time", "tungstenite"]) {
    assert.doesNotMatch(tree, new RegExp(`^${crate} `, "m"));
  }
  assert.match(tree, /^producer-core /m);
});
