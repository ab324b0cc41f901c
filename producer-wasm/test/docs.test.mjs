// What is written about the package is what it is.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { declarations, reference } from "../api.mjs";
import { root } from "./lib/harness.mjs";

const read = (name) => readFileSync(join(root, name), "utf8");

test("API.md is up to date: node api.mjs", () => {
  assert.equal(read("API.md"), reference());
});

test("every exported name and member is in API.md", () => {
  const api = read("API.md");
  const types = read("ts/types.ts");
  for (const [, name] of types.matchAll(/^export (?:interface|type) (\w+)/gm)) assert.match(api, new RegExp(`^### ${name}$`, "m"));
  assert.ok(declarations(types).length > 20);
  for (const line of types.split("\n").filter((line) => /^ {2}(readonly )?[\w[\].]+[?(:]/.test(line) && !line.includes("asyncDispose: unique"))) {
    assert.ok(api.includes(line.replace(/\{@link ([\w.]+)\}/g, "$1")), line);
  }
});

test("the README has every code and every outcome", () => {
  const readme = read("README.md");
  const { code } = declarations(read("ts/types.ts")).find(({ name }) => name === "ErrorCode");
  const codes = [...code.matchAll(/\| "(\w+)"/g)].map(([, name]) => name);
  assert.ok(codes.length >= 13);
  assert.deepEqual([...readme.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name), codes);
  for (const outcome of ["not-sent", "rejected", "unknown"]) assert.match(readme, new RegExp(`^\\| \`"${outcome}"\``, "m"));
});
