/**
 * A page for when the network is away (templates/worker.js); the service worker stores it once this one has
 * come.
 */

const DELAY = 1000; // milliseconds after the load: nobody waits for it

export function keepOfflinePage() {
  if (!navigator.serviceWorker) return; // missing without https
  const register = () => registerWorker().catch((error) => console.info("no offline page:", error.message));
  addEventListener("load", () => setTimeout(register, DELAY), { once: true });
}

/** Registers the service worker, in the language of the page. */
export function registerWorker() {
  return navigator.serviceWorker.register(`/worker.js?language=${document.documentElement.lang}`);
}
