/** The buttons and menus of the player page: what they do, and how they show what is the case. */
import { download } from "../video/canvas.js";
import { setIcon } from "./icons.js";
import { copyText } from "./clipboard.js";
import { toHash } from "../view/share.js";

const PRESS_TURN = 0.06; // radians, of an arrow key with Shift
const PRESS_STEP = 0.04; // of the distance to the pivot, of an arrow key when flying

export class Controls {
  /** `find(id)` gives the page's elements. */
  constructor(player, find, messages) {
    Object.assign(this, { player, find, messages });
    this.fill();
    this.actions = {
      toggle: () => player.clock.toggle(),
      step: (event) => this.step(event.key === "," ? -1 : 1),
      arrows: (event) => this.arrow(event),
      pace: (event) => this.pace(event.key === "[" ? -1 : 1),
      loop: () => { player.clock.loop = !player.clock.loop; },
      freeze: () => { player.clock.frozen = !player.clock.frozen; },
      fly: () => { player.cameras.flying = !player.cameras.flying; },
      reset: () => this.goHome(player.cameras.homeIndex),
      depth: () => { player.depth = !player.depth; },
      stats: () => { find("stats").hidden = !find("stats").hidden; },
      screenshot: () => this.screenshot(),
      share: () => this.share(),
      fullscreen: () => this.fullscreen(),
      help: () => find("help-dialog").showModal(),
    };
    this.wire();
  }

  wire() {
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
    find("camera").addEventListener("change", (event) => this.goHome(Number(event.target.value)));
    find("fullscreen").hidden = !document.fullscreenEnabled;
    // A pressed button would take the next Space; after the pointer pressed it the keyboard is the player's again.
    document.addEventListener("click", ({ detail, target }) => detail && target.closest("button, summary")?.blur());
    document.addEventListener("pointerdown", ({ target }) => {
      if (!find("quality").contains(target)) find("quality").open = false;
    });
  }

  /** Fill the menus with what the clip has; again when its file changed. */
  fill() {
    const { cameras, width, height, layers, name } = this.player.description;
    document.title = `${name} - dynerf`;
    this.find("name").textContent = name;
    const kinds = { held_out: " (held out)" };
    this.options("camera", cameras.map((camera, index) => [index, camera.name + (kinds[camera.role] ?? "")]));
    const size = (share) => `${Math.round(width * share)} × ${Math.round(height * share)}`;
    const sizes = [2, 1, 0.5, 0.25].map((share) => [share, size(share)]);
    this.options("resolution", [["auto", "auto"], ...sizes], this.player.resolution);
    const counts = Array.from({ length: layers - 1 }, (_, index) => [index + 1, `first ${index + 1} of ${layers}`]);
    this.options("layers", [[0, layers > 1 ? `all ${layers}` : "all (1)"], ...counts], 0);
    this.player.layers = 0;
  }

  options(id, entries, chosen) {
    this.find(id).replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
    if (chosen !== undefined) this.find(id).value = String(chosen);
  }

  /** Show what is the case; called for each picture of the screen, so it touches only what differs. */
  draw() {
    const { clock, cameras, depth, description } = this.player;
    setIcon(this.find("play"), clock.playing ? "pause" : "play");
    set(this.find("play"), "aria-label", clock.playing ? "Pause" : "Play");
    const info = !this.find("stats").hidden;
    const pressed = { loop: clock.loop, freeze: clock.frozen, fly: cameras.flying, depth, info };
    for (const [id, is] of Object.entries(pressed)) set(this.find(id), "aria-pressed", String(is));
    this.find("hint").hidden = cameras.excess === 0;
    this.find("speed").value = String(clock.speed);
    const camera = this.find("camera");
    if (document.activeElement !== camera) camera.value = String(cameras.homeIndex);
    this.find("back").disabled = this.find("forward").disabled = description.frames < 2;
  }

  step(direction) {
    this.player.travel.stop();
    this.player.clock.step(direction);
  }

  pace(direction) {
    const paces = [...this.find("speed").options].map((option) => Number(option.value));
    const next = paces[paces.indexOf(this.player.clock.speed) + direction];
    if (next) this.player.clock.speed = next;
    this.messages.tell(`Speed ${this.player.clock.speed}×`);
  }

  /** Arrows: time and distance; with Shift they turn the camera, and when flying they move it. */
  arrow({ key, shiftKey }) {
    const { cameras, clock, travel } = this.player;
    const right = { ArrowRight: 1, ArrowLeft: -1 }[key] ?? 0;
    const ahead = { ArrowUp: 1, ArrowDown: -1 }[key] ?? 0;
    travel.stop();
    if (shiftKey && cameras.flying) cameras.look(right * PRESS_TURN, ahead * PRESS_TURN);
    else if (shiftKey) cameras.orbit(right * PRESS_TURN, ahead * PRESS_TURN);
    else if (cameras.flying) cameras.move(right * PRESS_STEP * cameras.reach, 0, ahead * PRESS_STEP * cameras.reach);
    else if (ahead) cameras.approach(1.08 ** -ahead);
    else clock.seek(clock.time + right * Math.min(1, clock.seconds / 10));
  }

  goHome(index) {
    this.player.travel.stop();
    this.player.cameras.homeIndex = index;
    this.player.travel.flyTo(this.player.cameras.list[index]);
  }

  async screenshot() {
    const image = await this.player.seams.stage.screenshot();
    download(image, `${this.player.name}_${this.player.clock.time.toFixed(3)}s.png`);
    this.messages.tell("Picture saved");
  }

  async share() {
    const { clock, cameras } = this.player;
    const link = new URL(toHash(clock.time, cameras.camera, cameras.atHome), location.href).href;
    if (await copyText(link)) {
      this.messages.tell("Link copied");
    } else {
      this.find("link").value = link;
      this.find("link-dialog").showModal();
      this.find("link").select();
    }
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.find("player").requestFullscreen?.().catch(() => this.messages.tell("Full screen is not allowed here"));
  }
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
