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
{% if has_push %}

// Notifications that an answer is ready. What they say came encrypted, and without words of the chat.
const PATIENCE = 500; // milliseconds; browsers permit focus and windows only shortly after a click
addEventListener("push", (event) => event.waitUntil(notify(event.data)));
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event.oldSubscription)));
addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openConversation(event.notification.data));
});

/** The browser ended its subscription by itself: another one takes its place, if its person still wants any. */
async function renew(old) {
  const address = "{% url 'push' %}";
  const headers = { accept: "application/json", "content-type": "application/json" };
  const asked = await fetch(address, { headers });
  if (!asked.ok) return; // logged out
  const { wanted, key, token } = await asked.json();
  if (!wanted) return;
  // Where the browser has made one already, it returns that one.
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const { endpoint, keys } = made.toJSON();
  const body = JSON.stringify({ old: old?.endpoint, endpoint, p256dh: keys.p256dh, auth: keys.auth });
  const sent = await fetch(address, { method: "PUT", headers: { ...headers, "x-csrftoken": token }, body })
    .catch(() => Response.error());
  if (!sent.ok) await made.unsubscribe(); // the settings then show that the switch is off
}

/** Shows nothing to somebody who looks at a page of ours: the settings, for example, tell the server nothing. */
async function notify(data) {
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.some((page) => page.visibilityState === "visible")) return;
  const { title, body, conversation } = read(data);
  await registration.showNotification(title, {
    body, data: conversation, tag: conversation, icon: "{{ icon|escapejs }}",
  });
}

function read(data) {
  try {
    const { title, body, conversation } = data.json();
    return { title: String(title), body: String(body), conversation: String(conversation) };
  } catch { // browsers end a subscription whose messages show nothing
    return { title: "{{ site_name|escapejs }}", body: "", conversation: "" };
  }
}

async function openConversation(id) {
  const path = /^[0-9a-f-]{36}$/.test(id) ? `/c/${id}/` : "/";
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const places = await Promise.all(pages.map(placeOf));
  const open = pages.find((_page, at) => places[at] === path);
  await (open ? open.focus() : clients.openWindow(path));
}

/**
 * Asks a page for its path (static/js/chat/connection.js). `url` is the address with which it was loaded: the
 * standard says so, and a new chat begins at another one.
 */
function placeOf(page) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data);
    setTimeout(() => resolve(new URL(page.url).pathname), PATIENCE);
    page.postMessage("path", [port2]);
  });
}
{% endif %}
