/**
 * A page for when the network is away (templates/worker.js); the service worker stores it once this one has
 * come.
 */

const DELAY = 1000; // milliseconds after the load: nobody waits for it

export function keepOfflinePage() {
  const { serviceWorker } = navigator; // missing without https
  if (!serviceWorker) return;
  const address = `/worker.js?language=${document.documentElement.lang}`;
  const register = () =>
    serviceWorker.register(address).catch((error) => console.info("no offline page:", error.message));
  addEventListener("load", () => setTimeout(register, DELAY), { once: true });
}
