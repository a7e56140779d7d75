/** Follows the newest words until the reader scrolls up; lets go at once, takes hold again at the bottom. */

const NEAR = 60; // pixels from the bottom that still count as being there

export class Follow {
  constructor(box, jump) {
    this.box = box;
    this.jump = jump;
    this.held = true;
    this.top = this.height = this.room = 0;
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => { if (event.deltaY < 0) this.letGo(); }, { passive: true });
    jump.addEventListener("click", () => this.toEnd(true));
    new ResizeObserver(() => this.settle()).observe(box); // the keyboard of a phone, the composer growing
    new ResizeObserver(() => this.settle()).observe(box.firstElementChild); // colours and formulas that come late
  }

  get atEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR;
  }

  /** Upwards by wheel, key, finger or bar lets go, however little; a box that grew or text that shrank does not. */
  scrolled() {
    const { top, height, room } = this;
    this.note();
    const moved = this.top < top - 1 && this.height >= height && this.room <= room;
    if (moved) this.held = false;
    else if (this.atEnd && this.top >= top) this.held = true;
    this.show();
  }

  note() {
    this.top = this.box.scrollTop;
    this.height = this.box.scrollHeight;
    this.room = this.box.clientHeight;
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
    this.note();
    this.show();
  }

  show() {
    const hidden = this.held || this.atEnd;
    if (this.jump.hidden !== hidden) this.jump.hidden = hidden; // setting it anew costs a new look at all styles
  }

  /** Runs `change`, which adds content above, without moving what the reader looks at. */
  keep(change) {
    const below = this.box.scrollHeight - this.box.scrollTop;
    change();
    this.box.scrollTop = this.box.scrollHeight - below;
  }
}

export const reducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
