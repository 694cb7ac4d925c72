/**
 * Messages to the viewer: one state over the picture (loading, reconnecting, busy, an error), and short notices that
 * disappear. Screen readers announce both.
 */
const NOTICE_MS = 3500;

export class Messages {
  constructor({ state, title, detail, retry, spinner, notice }) {
    Object.assign(this, { state, title, detail, retry, spinner, notice, timer: null });
  }

  /**
   * Show a state. `busy` shows the spinner, `onretry` a button; `overlay` leaves the picture visible and usable behind
   * a small box.
   */
  show(title, { detail = "", busy = false, onretry = null, overlay = false } = {}) {
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.detail.textContent !== detail) this.detail.textContent = detail;
    this.spinner.hidden = !busy;
    this.retry.hidden = !onretry;
    this.retry.onclick = onretry;
    this.state.classList.toggle("overlay", overlay);
    this.state.hidden = false;
  }

  clear() {
    this.state.hidden = true;
  }

  /** Show a short notice. */
  notify(text) {
    clearTimeout(this.timer);
    this.notice.textContent = text;
    this.notice.classList.add("visible");
    this.timer = setTimeout(() => this.notice.classList.remove("visible"), NOTICE_MS);
  }
}
