// Runs the tests of a module that tests/wasm made, in Node or in a browser.

/**
 * The tests of the module whose names have `part`, one after the other; `golden` is the golden files as
 * JSON. An instance ends with the test that fails in it.
 */
export async function runTests(module, golden, part = "") {
  const exported = WebAssembly.Module.exports(module).map((one) => one.name);
  const names = exported.filter((name) => name.startsWith("test ") && name.includes(part)).sort();
  const failed = [];
  let tests;
  for (const name of names) {
    tests ??= await instance(module, golden);
    try {
      tests[name]();
    } catch (error) {
      failed.push({ name, why: said(tests) || String(error) });
      tests = undefined;
    }
  }
  return { names, failed };
}

async function instance(module, golden) {
  const { exports } = await WebAssembly.instantiate(module, {});
  const at = exports.room(golden.length);
  new Uint8Array(exports.memory.buffer, at, golden.length).set(golden);
  return exports;
}

/** What the test that failed in it said. */
function said({ memory, said, said_bytes }) {
  return new TextDecoder().decode(new Uint8Array(memory.buffer, said(), said_bytes()));
}
