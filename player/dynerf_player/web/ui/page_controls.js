/** The buttons and menus of the player page: their actions, and how they show the current state. */
import { toHash } from "../view/share.js";
import { copyText } from "./clipboard.js";
import { download } from "./download.js";
import { showHelp } from "./help.js";
import { setIcon } from "./icons.js";

const KEY_ANGLE = 0.06; // radians per press of an arrow key with Shift
const VOLUME_STEP = 0.05; // per press of a key
const KEY_STEP = 0.04; // of the distance to the pivot, per press of an arrow key when flying

export class PageControls {
  /** `player` is the element, which has a clip; `find(id)` returns an element of the page. */
  constructor(player, find) {
    Object.assign(this, { player, find, sides: sidesOf(player) });
    this.fillMenus();
    this.actions = {
      toggle: () => (player.paused ? player.play().catch(() => {}) : player.pause()),
      step: (event) => this.step(event.key === "," ? -1 : 1),
      arrows: (event) => this.arrow(event),
      speed: (event) => this.changeSpeed(event.key === "[" ? -1 : 1),
      mute: () => this.mute(),
      volume: (event) => this.changeVolume("-_".includes(event.key) ? -1 : 1),
      loop: () => { player.loop = !player.loop; },
      freeze: () => { player.frozen = !player.frozen; },
      fly: () => { player.cameras.flying = !player.cameras.flying; },
      reset: () => this.goToCamera(player.cameras.homeIndex),
      depth: () => { player.depth = !player.depth; },
      stats: () => { find("stats").hidden = !find("stats").hidden; },
      screenshot: () => this.screenshot(),
      share: () => this.share(),
      fullscreen: () => this.fullscreen(),
      help: () => showHelp(find),
    };
    this.addListeners();
  }

  addListeners() {
    const { find, actions, player } = this;
    const buttons = { play: "toggle", info: "stats" };
    const same = ["mute", "loop", "freeze", "fly", "reset", "depth", "screenshot", "share", "fullscreen", "help"];
    for (const id of [...Object.keys(buttons), ...same]) {
      find(id).addEventListener("click", () => actions[buttons[id] ?? id]());
    }
    find("back").addEventListener("click", () => this.step(-1));
    find("forward").addEventListener("click", () => this.step(1));
    find("speed").addEventListener("change", (event) => { player.playbackRate = Number(event.target.value); });
    find("volume").addEventListener("input", (event) => setVolume(player, Number(event.target.value)));
    find("mute").addEventListener("keydown", (event) => this.keyOnMute(event));
    find("resolution").addEventListener("change", (event) => { player.resolution = event.target.value; });
    find("layers").addEventListener("change", (event) => { player.layers = Number(event.target.value); });
    find("renderer").addEventListener("change", (event) => { player.renderMode = event.target.value; });
    find("camera").addEventListener("change", (event) => this.goToCamera(Number(event.target.value)));
    find("fullscreen").hidden = !document.fullscreenEnabled;
    // A focused button would handle the next Space; after a click by pointer it goes to the player again.
    document.addEventListener("click", ({ detail, target }) => detail && target.closest("button, summary")?.blur());
    document.addEventListener("pointerdown", ({ target }) => {
      if (!find("quality").contains(target)) find("quality").open = false;
    });
  }

  /** Fill the menus from the clip's description; called again when the file changed. */
  fillMenus() {
    const { cameras, width, height, layers } = this.player.description;
    const suffixes = { held_out: " (held out)" };
    this.setOptions("camera", cameras.map((camera, index) => [index, camera.name + (suffixes[camera.role] ?? "")]));
    const size = (scale) => `${Math.round(width * scale)} × ${Math.round(height * scale)}`;
    const sizes = [2, 1, 0.5, 0.25].map((scale) => [scale, size(scale)]);
    this.setOptions("resolution", [["auto", "auto"], ...sizes], this.player.resolution);
    const counts = Array.from({ length: layers - 1 }, (_, index) => [index + 1, `first ${index + 1} of ${layers}`]);
    this.setOptions("layers", [[0, layers > 1 ? `all ${layers}` : "all (1)"], ...counts], 0);
    this.player.layers = 0;
    this.setOptions("renderer", this.sides, this.player.renderMode);
  }

  setOptions(id, entries, selected) {
    this.find(id).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (selected !== undefined) this.find(id).value = String(selected);
  }

  /** Show the current state; called for each animation frame, so it changes only what differs. */
  draw() {
    const { paused, loop, frozen, cameras, depth, description } = this.player;
    setIcon(this.find("play"), paused ? "play" : "pause");
    setAttribute(this.find("play"), "aria-label", paused ? "Play" : "Pause");
    this.drawSound();
    const info = !this.find("stats").hidden;
    const toggles = { loop, freeze: frozen, fly: cameras.flying, depth, info };
    for (const [id, pressed] of Object.entries(toggles)) setAttribute(this.find(id), "aria-pressed", String(pressed));
    this.find("hint").hidden = !cameras.isOutside;
    this.find("speed").value = String(this.player.playbackRate);
    const camera = this.find("camera");
    if (document.activeElement !== camera) camera.value = String(cameras.homeIndex);
    this.find("back").disabled = this.find("forward").disabled = description.frames < 2;
  }

  drawSound() {
    const { hasSound, muted, volume } = this.player;
    this.find("sound").hidden = !hasSound;
    setIcon(this.find("mute"), muted ? "muted" : "sound");
    setAttribute(this.find("mute"), "aria-label", muted ? "Unmute" : "Mute");
    const shown = String(muted ? 0 : volume);
    if (this.find("volume").value !== shown) this.find("volume").value = shown;
  }

  step(direction) {
    this.player.step(direction);
  }

  mute() {
    const { player } = this;
    if (!player.hasSound) return;
    player.muted = !player.muted;
    player.notify(player.muted ? "Muted" : "Sound on");
  }

  changeVolume(direction) {
    const { player } = this;
    if (!player.hasSound) return;
    const volume = (player.muted ? 0 : player.volume) + direction * VOLUME_STEP;
    setVolume(player, Math.min(Math.max(Number(volume.toFixed(2)), 0), 1));
    player.notify(`Volume ${Math.round(100 * (player.muted ? 0 : player.volume))} %`);
  }

  /** Arrows change the volume while its button is focused, as on its slider; elsewhere they move the camera. */
  keyOnMute(event) {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.changeVolume(direction);
  }

  changeSpeed(direction) {
    const speeds = [...this.find("speed").options].map((option) => Number(option.value));
    const next = speeds[speeds.indexOf(this.player.playbackRate) + direction];
    if (next) this.player.playbackRate = next;
    this.player.notify(`Speed ${this.player.playbackRate}×`);
  }

  /** Arrow keys: time and distance; with Shift they rotate the camera, and when flying they translate it. */
  arrow({ key, shiftKey }) {
    const { player } = this;
    const { cameras } = player;
    const right = { ArrowRight: 1, ArrowLeft: -1 }[key] ?? 0;
    const up = { ArrowUp: 1, ArrowDown: -1 }[key] ?? 0;
    const step = KEY_STEP * cameras.pivotDistance;
    player.stopCamera();
    if (shiftKey && cameras.flying) cameras.turn(right * KEY_ANGLE, up * KEY_ANGLE);
    else if (shiftKey) cameras.orbit(right * KEY_ANGLE, up * KEY_ANGLE);
    else if (cameras.flying) cameras.translate(right * step, 0, up * step);
    else if (up) cameras.dolly(1.08 ** -up);
    else player.currentTime += right * Math.min(1, player.duration / 10);
  }

  goToCamera(index) {
    const { cameras } = this.player;
    cameras.homeIndex = index;
    this.player.goTo(cameras.list[index], { animated: true });
  }

  async screenshot() {
    const { description, frame } = this.player;
    try {
      download(await this.player.toBlob(), `${description.name}_${(frame / description.fps).toFixed(3)}s.png`);
      this.player.notify("Picture saved");
    } catch (error) {
      this.player.notify(error.message);
    }
  }

  async share() {
    const { cameras, frame, description } = this.player;
    const link = new URL(toHash(frame / description.fps, cameras.camera, cameras.captureCamera), location.href).href;
    if (await copyText(link)) {
      this.player.notify("Link copied");
    } else {
      this.find("link").value = link;
      this.find("link-dialog").showModal();
      this.find("link").select();
    }
  }

  fullscreen() {
    const refused = () => this.player.notify("Full screen is not allowed here");
    if (document.fullscreenElement) document.exitFullscreen();
    else this.find("player").requestFullscreen?.().catch(refused);
  }
}

/** A selected volume unmutes, and none mutes; unmuting brings back the volume before. */
function setVolume(player, volume) {
  if (volume > 0) player.volume = volume;
  player.muted = volume === 0;
}

/** Which sides can render: a page that starts with "server" has no file for the browser. */
function sidesOf({ server, renderMode }) {
  const remote = [["server", "the server"]];
  if (renderMode === "server" && !new URLSearchParams(location.search).has("render")) return remote;
  return [["auto", "auto"], ["browser", "this browser"], ...(server ? remote : [])];
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
