/** The line in a chat whose model staff have retired, with the way to continue. */

import { fill, gettext } from "grokweb/words.js";

let shown = ""; // what the line says: it is not drawn, and not read aloud, again

/** `card`: the model of the open chat, or null; `choose(slug)` gives the chat another one. */
export function tellRetired(notices, card, choose) {
  const following = card?.retired ? card.successor : null;
  const key = card?.retired ? `${card.slug} ${following?.slug ?? ""}` : "";
  if (key === shown) return;
  shown = key;
  notices.clear("retired");
  if (!key) return;
  const words = following
    ? gettext("%(name)s is retired: it answers no more questions. %(successor)s can continue this chat.")
    : gettext("%(name)s is retired: it answers no more questions. No other model can continue at the moment.");
  const action = following && {
    words: fill(gettext("Continue with %(name)s"), { name: following.name }),
    run: () => choose(following.slug),
  };
  notices.show("retired", fill(words, { name: card.name, successor: following?.name ?? "" }), { kind: "warn", stay: true, action });
}
