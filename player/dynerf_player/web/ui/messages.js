/**
 * What the page tells the viewer: one state over the stage (loading, reconnecting, busy, an error), and short notices
 * that go away. States are announced to screen readers.
 */
const NOTICE_MS = 3500;

export class Messages {
  constructor({ state, title, detail, retry, spinner, notice }) {
    Object.assign(this, { state, title, detail, retry, spinner, notice, timer: null });
  }

  /** Show a state; `spins` while something is under way, `onretry` gives the viewer a button. */
  show(title, { detail = "", spins = false, onretry = null, covers = true } = {}) {
    if (this.title.textContent !== title) this.title.textContent = title;
    if (this.detail.textContent !== detail) this.detail.textContent = detail;
    this.spinner.hidden = !spins;
    this.retry.hidden = !onretry;
    this.retry.onclick = onretry;
    this.state.classList.toggle("covers", covers);
    this.state.hidden = false;
  }

  clear() {
    this.state.hidden = true;
  }

  /** A short notice. */
  tell(text) {
    clearTimeout(this.timer);
    this.notice.textContent = text;
    this.notice.classList.add("shown");
    this.timer = setTimeout(() => this.notice.classList.remove("shown"), NOTICE_MS);
  }
}
