/** Lets loops sleep until something has changed. */
export class Bell {
  sleepers = [];

  /** Resolves at the next `ring`, or after `ms`. */
  wait(ms = Infinity) {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(() => this.ring(), ms) : null;
      this.sleepers.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  ring() {
    this.sleepers.splice(0).forEach((wake) => wake());
  }
}
