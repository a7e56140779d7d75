/**
 * Keeps the newest words in sight until the reader scrolls up, and again once the reader is at the bottom.
 */

const NEAR = 60; // pixels from the bottom that still count as being there

export class FollowScroll {
  /** @param {HTMLElement} box @param {HTMLElement} jump  the button that leads to the end */
  constructor(box, jump) {
    this.box = box;
    this.jump = jump;
    this.following = true;
    this.top = this.height = this.room = 0;
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.release(); }, { passive: true });
    jump.addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => this.settle()).observe(box); // the keyboard of a phone, the composer growing
    // colours and formulas that come late
    new ResizeObserver(() => this.settle()).observe(/** @type {Element} */ (box.firstElementChild));
  }

  get atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
  }

  /** Stops following on any scroll upwards; a box that grew or a text that shrank is none. */
  scrolled() {
    const { top, height, room } = this;
    this.measure();
    const moved = this.top < top - 1 && this.height >= height && this.room <= room;
    if (moved) this.following = false;
    else if (this.atEnd && this.top >= top) this.following = true;
    this.show();
  }

  measure() {
    this.top = this.box.scrollTop;
    this.height = this.box.scrollHeight;
    this.room = this.box.clientHeight;
  }

  release() {
    if (this.box.scrollHeight <= this.box.clientHeight) return;
    this.following = false;
  }

  /** To be called after anything grew. */
  settle() {
    if (this.following) this.toEnd();
    this.show();
  }

  toEnd(smooth = false) {
    this.following = true;
    const behavior = smooth && !reducedMotion() ? "smooth" : "instant";
    this.box.scrollTo({ top: this.box.scrollHeight, behavior });
    this.measure();
    this.show();
  }

  show() {
    const hidden = this.following || this.atEnd;
    // setting it anew makes the browser match all styles again
    if (this.jump.hidden !== hidden) this.jump.hidden = hidden;
  }

  /**
   * Runs `change`, which adds content above, without moving what the reader looks at.
   * @param {() => void} change
   */
  keep(change) {
    const below = this.box.scrollHeight - this.box.scrollTop;
    change();
    this.box.scrollTop = this.box.scrollHeight - below;
  }
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
