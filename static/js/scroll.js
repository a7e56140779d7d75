/** Follows the newest words until the reader scrolls up; lets go at once, takes hold again at the bottom. */

const NEAR = 60; // pixels from the bottom that still count as being there

export class Follow {
  constructor(box, jump) {
    this.box = box;
    this.jump = jump;
    this.held = true;
    this.top = 0;
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.letGo(); }, { passive: true });
    jump.addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => this.settle()).observe(box); // the keyboard of a phone, the composer growing
    new ResizeObserver(() => this.settle()).observe(box.firstElementChild); // colours and formulas that come late
  }

  get atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
  }

  scrolled() {
    if (this.atEnd) this.held = true;
    else if (this.box.scrollTop < this.top) this.held = false;
    this.top = this.box.scrollTop;
    this.show();
  }

  letGo() {
    if (this.box.scrollHeight <= this.box.clientHeight) return;
    this.held = false;
  }

  /** After anything grew. */
  settle() {
    if (this.held) this.toEnd();
    this.show();
  }

  toEnd(smooth = false) {
    this.held = true;
    this.box.scrollTo({ top: this.box.scrollHeight, behavior: smooth && !reducedMotion() ? "smooth" : "instant" });
    this.show();
  }

  show() {
    this.jump.hidden = this.held || this.atEnd;
  }

  /** Runs `change`, which adds content above, without moving what the reader looks at. */
  keep(change) {
    const below = this.box.scrollHeight - this.box.scrollTop;
    change();
    this.box.scrollTop = this.box.scrollHeight - below;
  }
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
