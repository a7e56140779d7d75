/**
 * Shows a diagram or a page in a frame that is cut off from this page, this site and the network. The
 * document of the frame (chat/core/frames.py) forbids the same. It is sent nothing but the code.
 *
 * @import { PreviewKind } from "grokweb/view/preview_buttons.js"
 */

import { gettext } from "grokweb/base/i18n.js";
import { el, findOptional } from "grokweb/ui/dom.js";

const LOWEST = 64;
const HIGHEST = 640; // CSS pixels; what is higher scrolls inside
const SLOWEST_MS = 5000; // from the load of the document to its first message

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}

/**
 * Puts the frame in place of the source. Returns the function that removes it; `closed()` is called when it
 * is gone.
 * @param {HTMLElement} box @param {PreviewKind} kind @param {string} code @param {() => void} closed
 */
export function openFrame(box, kind, code, closed) {
  findOptional(".frame-status", box)?.remove();
  const frame = el("iframe", {
    class: `framed ${kind}`, sandbox: "allow-scripts", referrerpolicy: "no-referrer", src: `/frame/${kind}/`,
    title: kind === "diagram" ? gettext("Diagram") : gettext("Preview"),
  });
  let ready = false;
  const close = (words = "") => {
    removeEventListener("message", onMessage);
    frame.remove();
    box.classList.remove("shows-frame");
    if (words) box.append(el("p", { class: "frame-status", role: "status" }, words));
    closed();
  };
  const onMessage = (/** @type {MessageEvent} */ { source, data }) => {
    if (source !== frame.contentWindow || typeof data !== "object" || data === null) return;
    if (data.ready && !ready) {
      ready = true;
      frame.contentWindow?.postMessage({ code, dark: isDark() }, "*"); // the frame's origin has no name
    } else if (kind === "diagram" && data.failed) {
      close(gettext("This diagram cannot be drawn: its source has an error."));
    } else if (kind === "diagram" && Number.isFinite(data.height)) {
      frame.height = String(Math.min(HIGHEST, Math.max(LOWEST, Math.ceil(data.height))));
    }
  };
  frame.addEventListener("load", () => setTimeout(() => {
    if (!ready && frame.isConnected) close(gettext("This could not be loaded. Please try again."));
  }, SLOWEST_MS), { once: true });
  addEventListener("message", onMessage);
  box.classList.add("shows-frame");
  box.append(frame);
  return () => close();
}
