// Writes API.md from the declarations and their comments: `node api.mjs`. A test compares.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const read = (name) => readFileSync(join(here, "ts", name), "utf8");

/** Exported declarations of a source: name, comment, code. */
export function declarations(source) {
  const found = [];
  const pattern = /^(?:\/\*\*([\s\S]*?)\*\/\n)?export (?:interface|type|class|const|function|declare const) (\w+)/gm;
  for (const match of source.matchAll(pattern)) {
    const [whole, comment = "", name] = match;
    const from = match.index + whole.indexOf("export ");
    const rest = source.slice(from);
    const end = /^export interface|^export class/.test(rest) ? rest.indexOf("\n}\n") + 2 : rest.search(/;\n(?=\n|$|export|\/\*\*)/) + 1;
    found.push({ name, comment: comment.replace(/^\s*\* ?/gm, "").trim(), code: rest.slice(0, end) });
  }
  return found;
}

export function reference() {
  const error = declarations(read("errors.ts")).filter(({ name }) => ["RocketError", "ErrorDetails"].includes(name));
  for (const one of error) one.code = one.code.replace(/\n\n  constructor\([\s\S]*/, "\n\n  constructor(code: ErrorCode, message: string, details?: ErrorDetails);\n}");
  const entry = declarations(read("index.ts")).filter(({ name }) => name === "Connect");
  const slim = declarations(read("source.ts"));
  const types = declarations(read("types.ts"));
  const section = ({ name, comment, code }) =>
    [`### ${name}\n${comment}`.trim(), "```ts\n" + code.replace(/\{@link (\w+)(?:\.(\w+))?\}/g, (_, type, member) => (member ? `${type}.${member}` : type)) + "\n```"].filter(Boolean).join("\n\n").replace(/\{@link ([\w.]+)\}/g, "`$1`");
  const order = ["Producer", "ConnectOptions", "Message", "SendOptions", "Receipt", "Outcome", "ErrorCode", "Transaction", "ProducerEvent", "Stats"];
  const place = ({ name }) => (order.includes(name) ? order.indexOf(name) : order.length);
  return [
    "# API of rocketmq-web",
    "Written by `node api.mjs` from `ts/`, where the comments are. `rocketmq-web` and `rocketmq-web/inline` export `connect` (a `Connect`), `RocketError` and the types; `rocketmq-web/slim` also `useModule(source)`, which says where the module is before the first `connect`.",
    "## Functions",
    ...entry.map(section),
    ...slim.map(section),
    "## Types",
    ...types.map((one, n) => ({ ...one, n })).sort((a, b) => place(a) - place(b) || a.n - b.n).map(section),
    "## Errors",
    ...error.map(section),
  ].join("\n\n") + "\n";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(here, "API.md"), reference());
