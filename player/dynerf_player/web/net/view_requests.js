/**
 * What the page asks the server to show: the newest view, and never more at once than the server can answer. A wish is
 * answered by its first picture; a finer one may follow. `send(view)` puts a view on the wire.
 */
const SETTLED_MS = 150; // without change, after which a view counts as still
const LOST_MS = 4000; // after which an unanswered wish no longer holds back the next
const FAR_MS = 40; // spent on the way: then a second wish may be under way, so that the line is never idle

export class Wishes {
  constructor(send) {
    this.send = send;
    this.id = 0;
    this.away = Infinity;
    this.reset();
  }

  /** Forget what was asked: nobody will answer it any more. */
  reset() {
    this.open = new Map(); // id -> {sent, moving}
    this.wanted = null;
    this.asked = null;
    this.changed = 0;
  }

  /** Called for each picture of the screen with what should be seen now; `playing` when time runs by itself. */
  want(view, playing, now) {
    const key = JSON.stringify(view);
    if (key !== this.wanted) {
      this.changed = this.wanted === null ? -Infinity : now; // the first view does not come from anywhere
      this.wanted = key;
    }
    const moving = playing || now - this.changed < SETTLED_MS;
    if (this.asked === `${key}${moving}` || !this.mayAsk(now)) return;
    this.asked = `${key}${moving}`;
    this.id += 1;
    this.open.set(this.id, { sent: now, moving });
    this.send({ type: "view", id: this.id, ...view, moving });
  }

  /** A still view is given up for a newer one at once; others are waited for. */
  mayAsk(now) {
    const waitedFor = [...this.open.values()].filter(({ sent, moving }) => moving && now - sent < LOST_MS);
    return waitedFor.length < (Number.isFinite(this.away) && this.away > FAR_MS ? 2 : 1);
  }

  /** When the oldest wish was sent of those that no picture answered yet (milliseconds), or null. */
  waitedSince() {
    const [oldest] = this.open.values();
    return oldest?.sent ?? null;
  }

  /** A picture came: what was asked before it will not be answered. Returns the milliseconds it took, or null. */
  answered({ id, renderMs, codingMs }, now) {
    const entry = this.open.get(id);
    for (const older of this.open.keys()) if (older <= id) this.open.delete(older);
    if (!entry) return null;
    // The least of late, slowly forgotten: a wish that waited for another's render says nothing about the way.
    this.away = Math.min(now - entry.sent - renderMs - codingMs, this.away * 1.02 + 0.2);
    return now - entry.sent;
  }
}
