/** The buttons and menus of the player page: their actions, and how they show the current state. */
import { download } from "../video/canvas.js";
import { copyText } from "./clipboard.js";
import { setIcon } from "./icons.js";
import { toHash } from "../view/share.js";

const KEY_ANGLE = 0.06; // radians per press of an arrow key with Shift
const KEY_STEP = 0.04; // of the distance to the pivot, per press of an arrow key when flying

export class Controls {
  /** `find(id)` returns an element of the page. */
  constructor(player, find, messages) {
    Object.assign(this, { player, find, messages });
    this.fillMenus();
    this.actions = {
      toggle: () => player.clock.toggle(),
      step: (event) => this.step(event.key === "," ? -1 : 1),
      arrows: (event) => this.arrow(event),
      speed: (event) => this.changeSpeed(event.key === "[" ? -1 : 1),
      loop: () => { player.clock.loop = !player.clock.loop; },
      freeze: () => { player.clock.frozen = !player.clock.frozen; },
      fly: () => { player.cameras.flying = !player.cameras.flying; },
      reset: () => this.goToCamera(player.cameras.homeIndex),
      depth: () => { player.depth = !player.depth; },
      stats: () => { find("stats").hidden = !find("stats").hidden; },
      screenshot: () => this.screenshot(),
      share: () => this.share(),
      fullscreen: () => this.fullscreen(),
      help: () => find("help-dialog").showModal(),
    };
    this.addListeners();
  }

  addListeners() {
    const { find, actions, player } = this;
    const buttons = { play: "toggle", info: "stats" };
    const same = ["loop", "freeze", "fly", "reset", "depth", "screenshot", "share", "fullscreen", "help"];
    for (const id of [...Object.keys(buttons), ...same]) {
      find(id).addEventListener("click", () => actions[buttons[id] ?? id]());
    }
    find("back").addEventListener("click", () => this.step(-1));
    find("forward").addEventListener("click", () => this.step(1));
    find("speed").addEventListener("change", (event) => { player.clock.speed = Number(event.target.value); });
    find("resolution").addEventListener("change", (event) => { player.resolution = event.target.value; });
    find("layers").addEventListener("change", (event) => { player.layers = Number(event.target.value); });
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
    const { cameras, width, height, layers, name } = this.player.description;
    document.title = `${name} - dynerf`;
    this.find("name").textContent = name;
    const suffixes = { held_out: " (held out)" };
    this.setOptions("camera", cameras.map((camera, index) => [index, camera.name + (suffixes[camera.role] ?? "")]));
    const size = (scale) => `${Math.round(width * scale)} × ${Math.round(height * scale)}`;
    const sizes = [2, 1, 0.5, 0.25].map((scale) => [scale, size(scale)]);
    this.setOptions("resolution", [["auto", "auto"], ...sizes], this.player.resolution);
    const counts = Array.from({ length: layers - 1 }, (_, index) => [index + 1, `first ${index + 1} of ${layers}`]);
    this.setOptions("layers", [[0, layers > 1 ? `all ${layers}` : "all (1)"], ...counts], 0);
    this.player.layers = 0;
  }

  setOptions(id, entries, selected) {
    this.find(id).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (selected !== undefined) this.find(id).value = String(selected);
  }

  /** Show the current state; called for each animation frame, so it changes only what differs. */
  draw() {
    const { clock, cameras, depth, description } = this.player;
    setIcon(this.find("play"), clock.playing ? "pause" : "play");
    setAttribute(this.find("play"), "aria-label", clock.playing ? "Pause" : "Play");
    const info = !this.find("stats").hidden;
    const toggles = { loop: clock.loop, freeze: clock.frozen, fly: cameras.flying, depth, info };
    for (const [id, pressed] of Object.entries(toggles)) setAttribute(this.find(id), "aria-pressed", String(pressed));
    this.find("hint").hidden = !cameras.isOutside;
    this.find("speed").value = String(clock.speed);
    const camera = this.find("camera");
    if (document.activeElement !== camera) camera.value = String(cameras.homeIndex);
    this.find("back").disabled = this.find("forward").disabled = description.frames < 2;
  }

  step(direction) {
    this.player.animation.stop();
    this.player.clock.step(direction);
  }

  changeSpeed(direction) {
    const speeds = [...this.find("speed").options].map((option) => Number(option.value));
    const next = speeds[speeds.indexOf(this.player.clock.speed) + direction];
    if (next) this.player.clock.speed = next;
    this.messages.notify(`Speed ${this.player.clock.speed}×`);
  }

  /** Arrow keys: time and distance; with Shift they rotate the camera, and when flying they translate it. */
  arrow({ key, shiftKey }) {
    const { cameras, clock, animation } = this.player;
    const right = { ArrowRight: 1, ArrowLeft: -1 }[key] ?? 0;
    const up = { ArrowUp: 1, ArrowDown: -1 }[key] ?? 0;
    const step = KEY_STEP * cameras.pivotDistance;
    animation.stop();
    if (shiftKey && cameras.flying) cameras.turn(right * KEY_ANGLE, up * KEY_ANGLE);
    else if (shiftKey) cameras.orbit(right * KEY_ANGLE, up * KEY_ANGLE);
    else if (cameras.flying) cameras.translate(right * step, 0, up * step);
    else if (up) cameras.dolly(1.08 ** -up);
    else clock.seek(clock.time + right * Math.min(1, clock.seconds / 10));
  }

  goToCamera(index) {
    this.player.animation.stop();
    this.player.cameras.homeIndex = index;
    this.player.animation.flyTo(this.player.cameras.list[index]);
  }

  async screenshot() {
    const image = await this.player.canvas.screenshot();
    download(image, `${this.player.name}_${this.player.clock.time.toFixed(3)}s.png`);
    this.messages.notify("Picture saved");
  }

  async share() {
    const { clock, cameras } = this.player;
    const link = new URL(toHash(clock.time, cameras.camera, cameras.captureCamera), location.href).href;
    if (await copyText(link)) {
      this.messages.notify("Link copied");
    } else {
      this.find("link").value = link;
      this.find("link-dialog").showModal();
      this.find("link").select();
    }
  }

  fullscreen() {
    const refused = () => this.messages.notify("Full screen is not allowed here");
    if (document.fullscreenElement) document.exitFullscreen();
    else this.find("player").requestFullscreen?.().catch(refused);
  }
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
