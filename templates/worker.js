// The service worker: shows a page of ours where the browser would say that it has no connection. It keeps that
// page and its style; everything else goes to the network as if it were not there.
const PAGE = `/offline/${new URL(location.href).searchParams.get("language")}/`;
const KEPT = [PAGE{% for address in kept %}, "{{ address|escapejs }}"{% endfor %}];
const NAME = `offline ${KEPT.join(" ")}`; // another release, another language: another cache

addEventListener("install", (event) => event.waitUntil(keep()));
addEventListener("activate", (event) => event.waitUntil(Promise.all([forget(), registration.navigationPreload?.enable()])));
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.mode === "navigate") event.respondWith(visit(event));
  else if (KEPT.includes(new URL(request.url).pathname)) event.respondWith(fetch(request).catch(() => kept(request)));
});

/** Without cookies: nothing that is somebody's comes into the cache. */
async function keep() {
  const cache = await caches.open(NAME);
  await cache.addAll(KEPT.map((address) => new Request(address, { credentials: "omit", cache: "reload" })));
  await skipWaiting();
}

async function forget() {
  for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name);
}

async function visit(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return kept(PAGE);
  }
}

async function kept(what) {
  return (await (await caches.open(NAME)).match(what)) ?? Response.error();
}
