// Sends from a page in a real Chromium through a real bridge to real servers, whichever they are;
// started by cargo (tests/src/browser). Words are names of scenarios, all by default. Each ends with
// its ledger balanced: what the page was told of every message, against the brokers' logs.
import { Stage } from "./stage.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const words = process.argv.slice(2);
const chosen = words.length > 0 ? words : Object.keys(SCENARIOS);
// Memory is measured when it is asked for, and not some seconds later.
// And playwright would leave out the cache that a page comes back from.
const options = { args: ["--js-flags=--expose-gc"], ignoreDefaultArgs: ["--disable-back-forward-cache"] };
const stage = await Stage.open(options);
let failed = 0;
try {
  await stage.bridge("main");
  for (const name of chosen) {
    const begun = performance.now();
    try {
      const said = await SCENARIOS[name](stage);
      stage.complaints.none();
      const spent = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(`ok ${name}, ${spent} s: ${JSON.stringify(said)}`);
    } catch (error) {
      failed += 1;
      stage.complaints.all.length = 0;
      stage.complaints.networkIsDown = false;
      console.log(`FAILED ${name}: ${error.stack ?? error}`);
    }
  }
} finally {
  await stage.end();
}
console.log(`${chosen.length - failed} scenarios passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
