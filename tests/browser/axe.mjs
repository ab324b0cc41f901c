// What axe finds wrong with a page for people who cannot see it, or see it badly, or have no mouse.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const GRAVE = new Set(["serious", "critical"]);

/** Grave findings in the theme, a line each; others are printed. */
export async function findings(page, colorScheme) {
  await page.emulateMedia({ colorScheme });
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
  const violations = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations);
  const lines = violations.flatMap(({ id, impact, nodes }) =>
    nodes.map((node) => ({ impact, text: `${colorScheme}, ${impact}: ${id}: ${node.target.join(" ")}: ${node.failureSummary?.replace(/\s+/g, " ")}` })),
  );
  for (const { impact, text } of lines) if (!GRAVE.has(impact)) console.log(`   ${text}`);
  return lines.filter(({ impact }) => GRAVE.has(impact)).map(({ text }) => text);
}
