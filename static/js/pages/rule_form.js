/**
 * The admin's form of a moderation rule: shows the fields of the chosen kind alone. Without scripts all are
 * there, each kind under its heading; the server reads those of the chosen one.
 */

/** @type {HTMLSelectElement | null} */
const kind = document.querySelector("select#id_kind");
/** @type {NodeListOf<HTMLElement>} */
const parts = document.querySelectorAll("fieldset.rule-kind");

function showChosen() {
  for (const each of parts) each.hidden = !each.classList.contains(`rule-kind-${kind?.value}`);
}

if (kind) {
  kind.addEventListener("change", showChosen);
  window.addEventListener("pageshow", showChosen); // Back restores the choice without a change event
  showChosen();
}
