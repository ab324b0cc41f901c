// Classes of latency, for the worker that counts and the page that draws.

/** Of a tenth of a decade each. */
export const STEPS = 50;
export const LEAST_MS = 0.1;
export const MOST_MS = 10_000;

/** Where a latency is counted. */
export function stepOf(ms: number): number {
  const step = (STEPS * Math.log(ms / LEAST_MS)) / Math.log(MOST_MS / LEAST_MS);
  return Math.min(STEPS - 1, Math.max(0, Math.floor(step)));
}
