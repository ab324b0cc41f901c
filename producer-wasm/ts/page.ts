// What becomes of a producer when its page is hidden, frozen, offline, and back?

/** What a producer does about its page. */
interface Lives {
  flushNow(): void;
  online(): void;
}

/** Watches the page, where there is one. Returns how to stop. */
export function watchPage(producer: Lives, onHidden: "flush" | "keep"): () => void {
  const stops: (() => void)[] = [];
  const on = (target: EventTarget | undefined, type: string, listener: (event: Event) => void) => {
    if (typeof target?.addEventListener !== "function") return;
    target.addEventListener(type, listener);
    stops.push(() => target.removeEventListener(type, listener));
  };
  const { document, window } = globalThis as { document?: Document; window?: Window };
  on(globalThis as unknown as EventTarget, "online", () => producer.online());
  on(document, "visibilitychange", () => {
    if (document?.visibilityState === "visible") producer.online();
    // The last moment that is sure to come before a page is frozen or gone.
    else if (onHidden === "flush") producer.flushNow();
  });
  on(window, "pagehide", () => producer.flushNow());
  on(window, "pageshow", (event) => {
    // Back from the cache: its connections are gone, whether or not somebody said so.
    if ((event as PageTransitionEvent).persisted) producer.online();
  });
  return () => {
    for (const stop of stops.splice(0)) stop();
  };
}
