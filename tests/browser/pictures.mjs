// The pictures of the demo that its README shows.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../../web-demo/docs");
const WIDTHS = [1440, 1024, 390];
const HEIGHT = 1_180;
const BYTES_MAX = 600_000;
const all = WIDTHS.flatMap((width) => ["dark", "light"].map((theme) => ({ width, theme, path: join(FOLDER, `${width}-${theme}.webp`) })));

/** Takes them anew of what the page shows now. */
export async function take(page) {
  mkdirSync(FOLDER, { recursive: true });
  await page.mouse.move(0, 0);
  const chromium = await page.context().newCDPSession(page);
  for (const { width, theme, path } of all) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize({ width, height: HEIGHT });
    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(1_000);
    const { data } = await chromium.send("Page.captureScreenshot", { format: "webp", quality: 82 });
    writeFileSync(path, Buffer.from(data, "base64"));
  }
}

/** What is wrong with those that are there. */
export function wrong() {
  const files = all.map((one) => ({ ...one, bytes: existsSync(one.path) ? readFileSync(one.path) : undefined }));
  const problems = files.flatMap(({ width, path, bytes }) => {
    if (bytes === undefined) return [`${path} is missing`];
    const size = sizeOf(bytes);
    return size === `${width}x${HEIGHT}` ? [] : [`${path} is ${size}`];
  });
  const sum = files.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
  return sum > BYTES_MAX ? [...problems, `${sum} bytes are too many for a repository`] : problems;
}

/** Of a WebP that loses some, as Chromium writes it. */
function sizeOf(bytes) {
  const chunk = bytes.toString("latin1", 8, 16);
  if (chunk === "WEBPVP8 ") return `${bytes.readUInt16LE(26) & 0x3fff}x${bytes.readUInt16LE(28) & 0x3fff}`;
  if (chunk === "WEBPVP8X") return `${bytes.readUIntLE(24, 3) + 1}x${bytes.readUIntLE(27, 3) + 1}`;
  return `no WebP (${chunk})`;
}
