/** The view in the address: read at the start and when it is edited, written when the view has settled. */
import { fromHash, toHash } from "../view/share.js";

const SETTLED_MS = 500; // without change, after which the address follows the view

export class AddressBar {
  /** `player` is the element, which has a clip. */
  constructor(player) {
    Object.assign(this, { player, since: 0 });
    addEventListener("hashchange", () => this.apply());
    this.apply();
  }

  apply() {
    const { time, name, camera } = fromHash(location.hash);
    const { player } = this;
    const { cameras } = player;
    const index = cameras.list.findIndex((entry) => entry.name === name);
    player.stopCamera();
    if (time !== null) player.currentTime = Math.max(time, 0);
    if (index >= 0) cameras.homeIndex = index;
    if (index >= 0 || camera) player.goTo(index >= 0 ? cameras.list[index] : camera, { animated: false });
    // An address without a view stays as it is until the view changes.
    this.written = location.hash || this.hash;
  }

  get hash() {
    const { cameras, frame, description } = this.player;
    return toHash(frame / description.fps, cameras.camera, cameras.captureCamera);
  }

  update(now) {
    const { player, hash } = this;
    if ((!player.paused && !player.frozen) || player.isFlying) return;
    if (hash !== this.next) Object.assign(this, { next: hash, since: now });
    if (hash === this.written || now - this.since < SETTLED_MS) return;
    this.written = hash;
    history.replaceState(history.state, "", hash);
  }
}
