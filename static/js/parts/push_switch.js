/**
 * The switch for notifications in this browser (Web Push). The browser asks for its permission only after a
 * click on it.
 */

import { gettext } from "grokweb/base/i18n.js";
import { registerWorker } from "grokweb/parts/offline_page.js";
import { find, showError } from "grokweb/ui/dom.js";
import { call } from "grokweb/wire/api.js";

const ADDRESS = "/api/push/";

/** @param {HTMLElement} section  of the settings page, with the server's public key */
export async function wirePushSwitch(section) {
  const box = /** @type {HTMLInputElement} */ (find("input", section));
  const said = find("[role=status]", section);
  section.hidden = false;
  box.disabled = true;
  const known = await subscription().catch(() => undefined); // refused where site data is blocked
  if (known === undefined || !globalThis.PushManager || !globalThis.Notification) {
    said.textContent = gettext("This browser cannot show notifications of this site. On an iPhone or iPad, add the site to the home screen first.");
    return;
  }
  box.checked = section.dataset.isOn === "1" && Boolean(known);
  box.disabled = false;
  box.addEventListener("change", async () => {
    box.disabled = true;
    said.textContent = "";
    showError(section, undefined);
    try {
      await (box.checked ? turnOn(section.dataset.push ?? "") : turnOff());
      said.textContent = box.checked ? gettext("This browser will tell you.") : gettext("Notifications are off.");
    } catch (error) {
      box.checked = !box.checked;
      showError(section, /** @type {Error} */ (error).message);
    }
    box.disabled = false;
  });
}

/** @returns {Promise<PushSubscription | null>} */
async function subscription() {
  if (!navigator.serviceWorker) throw new Error("this browser has no service workers");
  const registration = await navigator.serviceWorker.getRegistration("/");
  return (await registration?.pushManager.getSubscription()) ?? null;
}

/** @param {string} key */
async function turnOn(key) {
  // First of all: some browsers ask only while they handle the click.
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Error(gettext("Your browser does not allow it: permit notifications for this site in its settings."));
  }
  await registerWorker();
  const { pushManager } = await navigator.serviceWorker.ready;
  await (await pushManager.getSubscription())?.unsubscribe(); // it may be for another key
  const made = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) })
    .catch(() => { throw new Error(gettext("Your browser could not reach its notification service.")); });
  const { endpoint, keys } = made.toJSON();
  try {
    await call("PUT", ADDRESS, { endpoint, p256dh: keys?.p256dh, auth: keys?.auth });
  } catch (error) {
    await made.unsubscribe();
    throw error;
  }
}

async function turnOff() {
  await call("DELETE", ADDRESS);
  await (await subscription())?.unsubscribe().catch(() => false); // the server's row decides
}

/** @param {string} text  base64url */
function bytes(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}
