/**
 * Requests for views: always the newest one, and no more in flight than the server can answer. A request is answered by
 * its first picture; a finer one may follow. `send(message)` transmits a view message.
 */
const SETTLED_MS = 150; // without change, after which a view counts as still
const LOST_MS = 4000; // after which an unanswered request no longer blocks the next
const LONG_ROUND_TRIP_MS = 40; // of the network; above it two requests are in flight, to keep the server busy

export class ViewRequests {
  constructor(send) {
    this.send = send;
    this.id = 0;
    this.roundTrip = Infinity; // of the network, milliseconds
    this.reset();
  }

  /** Discard the requests in flight: they will not be answered any more. */
  reset() {
    this.pending = new Map(); // id -> {sent, moving}
    this.latest = null;
    this.requested = null;
    this.changed = 0;
  }

  /** Called for each animation frame with the view to show; `playing` when time runs by itself. */
  update(view, playing, now) {
    const key = JSON.stringify(view);
    if (key !== this.latest) {
      this.changed = this.latest === null ? -Infinity : now; // the first view is not a movement
      this.latest = key;
    }
    const moving = playing || now - this.changed < SETTLED_MS;
    if (this.requested === `${key}${moving}` || !this.canSend(now)) return;
    this.requested = `${key}${moving}`;
    this.id += 1;
    this.pending.set(this.id, { sent: now, moving });
    this.send({ type: "view", id: this.id, ...view, moving });
  }

  /** Moving views count as in flight; a still one does not, because a newer view replaces it at once. */
  canSend(now) {
    const inFlight = [...this.pending.values()].filter(({ sent, moving }) => moving && now - sent < LOST_MS);
    return inFlight.length < (Number.isFinite(this.roundTrip) && this.roundTrip > LONG_ROUND_TRIP_MS ? 2 : 1);
  }

  /** When the oldest unanswered request was sent (milliseconds), or null. */
  pendingSince() {
    const [oldest] = this.pending.values();
    return oldest?.sent ?? null;
  }

  /** A picture was received: earlier requests will not be answered. Returns its latency in milliseconds, or null. */
  answer({ id, renderMs, codingMs }, now) {
    const request = this.pending.get(id);
    for (const earlier of this.pending.keys()) if (earlier <= id) this.pending.delete(earlier);
    if (!request) return null;
    // A minimum that slowly rises: a request that waited for another one's render does not measure the network.
    this.roundTrip = Math.min(now - request.sent - renderMs - codingMs, this.roundTrip * 1.02 + 0.2);
    return now - request.sent;
  }
}
