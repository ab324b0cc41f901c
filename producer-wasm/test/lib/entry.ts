// What the tests see: the package's API, and its inside. Nothing of this is in the package.
import { connector } from "../../ts/index.js";
import type { Source } from "../../ts/source.js";

export { Events } from "../../ts/events.js";
export { Core, panic_for_test } from "../../ts/module.js";
export { RocketError } from "../../ts/errors.js";
export { OP } from "../../ts/outputs.js";
export { Tickets } from "../../ts/tickets.js";
export { compressed, unpacked } from "../../ts/compress.js";
export const connectWith = (source: () => Source) => connector(source);
