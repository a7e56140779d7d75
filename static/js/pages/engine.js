/** Keeps the staff's engine page current: fetches the page again and replaces its numbers. */

const EVERY = 5000; // milliseconds

async function refresh() {
  // Logged out, the old numbers stay, with their time.
  const answer = await fetch(window.location.href, { redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-engine]");
  if (fresh) document.querySelector("[data-engine]")?.replaceWith(document.adoptNode(fresh));
}

async function refreshWhenSeen() {
  const isUsed = document.activeElement?.closest("[data-engine]");
  if (!document.hidden && !isUsed) await refresh().catch(() => {}); // offline: the next one may succeed
  window.setTimeout(refreshWhenSeen, EVERY);
}

window.setTimeout(refreshWhenSeen, EVERY);
