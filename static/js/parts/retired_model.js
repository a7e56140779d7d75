/**
 * The notice in a chat whose model staff have retired or given to groups, with the way to continue.
 *
 * @import { Notices } from "grokweb/ui/notices.js"
 * @import { Model } from "grokweb/wire/objects.js"
 */

import { fill, gettext } from "grokweb/base/i18n.js";

let shown = ""; // identifies the notice on the page, which is not drawn, and not read aloud, again

/**
 * @param {Notices} notices
 * @param {Model | null} model  of the open chat
 * @param {(slug: string) => void} choose
 */
export function showRetired(notices, model, choose) {
  const isRetired = Boolean(model?.retired);
  const successor = isRetired ? model?.successor ?? null : null;
  const key = isRetired ? `${model?.slug} ${successor?.slug ?? ""}` : "";
  if (key === shown) return;
  shown = key;
  notices.clear("retired");
  if (!model || !isRetired) return;
  const words = model.limited ? wordsOfLimited(successor) : wordsOfRetired(successor);
  const action = successor && {
    words: fill(gettext("Continue with %(name)s"), { name: successor.name }),
    run: () => choose(successor.slug),
  };
  const values = { name: model.name, successor: successor?.name ?? "" };
  notices.show("retired", fill(words, values), { kind: "warn", stay: true, action });
}

/** @param {Model | null} successor */
function wordsOfRetired(successor) {
  return successor
    ? gettext("%(name)s is retired: it answers no more questions. %(successor)s can continue this chat.")
    : gettext("%(name)s is retired: it answers no more questions. No other model can continue at the moment.");
}

/** @param {Model | null} successor */
function wordsOfLimited(successor) {
  return successor
    ? gettext("You can no longer use %(name)s. %(successor)s can continue this chat.")
    : gettext("You can no longer use %(name)s. No other model can continue at the moment.");
}
