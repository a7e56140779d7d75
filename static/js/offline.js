/** A page for when the network is away (templates/worker.js), kept once this one has come. */

export function keepOfflinePage() {
  const { serviceWorker } = navigator; // none without https
  if (!serviceWorker) return;
  const address = `/worker.js?language=${document.documentElement.lang}`;
  const keep = () => serviceWorker.register(address).catch((error) => console.info("no offline page:", error.message));
  addEventListener("load", () => setTimeout(keep, 1000), { once: true }); // nobody waits for it
}
