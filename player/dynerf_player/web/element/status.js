/**
 * Messages to the viewer over the picture: one state (loading, reconnecting, busy, an error), and short notices that
 * disappear. Screen readers announce both.
 */
const NOTICE_MS = 3500;

export class Status {
  /** `find(id)` returns an element of the player's shadow tree. */
  constructor(find) {
    const ids = { state: "state", title: "state-title", detail: "state-detail", retry: "retry", spinner: "spinner", notice: "notice" };
    for (const [name, id] of Object.entries(ids)) this[name] = find(id);
    this.timer = null;
  }

  /**
   * Show a state. `busy` shows the spinner, `onretry` a button named `action`; `overlay` leaves the picture visible and
   * usable behind a small box.
   */
  show(title, { detail = "", busy = false, onretry = null, action = "Try again", overlay = false } = {}) {
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.detail.textContent !== detail) this.detail.textContent = detail;
    if (this.retry.textContent !== action) this.retry.textContent = action;
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
