/** Lets loops wait until something has changed. */
export class ChangeSignal {
  waiting = [];

  /** Resolves at the next `notify`, or after `ms`. */
  wait(ms = Infinity) {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(() => this.notify(), ms) : null;
      this.waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  notify() {
    this.waiting.splice(0).forEach((resolve) => resolve());
  }
}
