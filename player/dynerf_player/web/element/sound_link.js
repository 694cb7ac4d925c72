/**
 * Between the engine and the room `sound`, which is loaded only for a clip that has sound: volume and muting, whatever clip
 * is open.
 */
export class SoundLink {
  /** `report(kind, detail)` is called with "sound blocked" and "sound failed" message. */
  constructor(report) {
    Object.assign(this, { report, volume: 1, muted: false, sound: null, turn: 0 });
  }

  /** Take over the sound of a clip, null for a clip without; see `openTrack` in `worker/sound_track.js`. */
  async open(clip) {
    this.close();
    const { turn } = this;
    if (!clip) return;
    const room = await import("../sound/clip_sound.js").catch(() => null);
    if (turn !== this.turn) return;
    if (room) this.sound = new room.ClipSound(clip, this.options);
    else this.report("sound failed", "No sound: a module of the player cannot be fetched.");
  }

  get options() {
    return {
      volume: this.volume,
      muted: this.muted,
      onblocked: () => this.report("sound blocked"),
      onfailure: (message) => this.report("sound failed", message),
    };
  }

  close() {
    this.turn += 1;
    this.sound?.close();
    this.sound = null;
  }

  setVolume(volume) {
    this.volume = volume;
    this.sound?.setVolume(volume);
  }

  setMuted(muted) {
    this.muted = muted;
    this.sound?.setMuted(muted);
  }

  /** See `ClipSound`, as for all that follows. */
  unlock() {
    this.sound?.unlock();
  }

  follow(clock, now, mayFetch) {
    return this.sound?.follow(clock, now, mayFetch) ?? null;
  }

  reached(time) {
    this.sound?.reached(time);
  }

  shown(second, now) {
    this.sound?.shown(second, now);
  }

  get lead() {
    return this.sound?.lead ?? 0;
  }

  stats() {
    return this.sound?.stats() ?? null;
  }
}
