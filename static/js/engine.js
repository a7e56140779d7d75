// Keeps the staff's engine page current: fetches the page again and puts its figures in place of the old ones.

const EVERY = 5000;

async function refresh() {
  const answer = await fetch(window.location.href, { redirect: "error" }); // logged out: the old figures stay, with their time
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-engine]");
  if (fresh) document.querySelector("[data-engine]").replaceWith(document.adoptNode(fresh));
}

async function keepCurrent() {
  if (!document.hidden && !document.activeElement?.closest("[data-engine]")) await refresh().catch(() => {}); // away: the next one may do
  window.setTimeout(keepCurrent, EVERY);
}

window.setTimeout(keepCurrent, EVERY);
