/**
 * The player page: loads the clip's description, builds the player and its controls, and keeps the address up to date.
 * README.md lists the rooms and what they may import.
 */
import { addressOf } from "./net/address.js";
import { Player } from "./player.js";
import { Controls } from "./ui/controls.js";
import { Gestures } from "./ui/gestures.js";
import { drawIcons } from "./ui/icons.js";
import { listenToKeys, SHORTCUTS } from "./ui/keys.js";
import { Messages } from "./ui/messages.js";
import { PathPanel } from "./ui/path_panel.js";
import { Seekbar } from "./ui/seekbar.js";
import { CanvasView } from "./video/canvas.js";
import { supportedCodecs } from "./video/decoder.js";
import { Stats } from "./video/stats.js";
import { fromHash, toHash } from "./view/share.js";

const IDLE_MS = 2500; // without input, after which full screen hides the controls
const SETTLED_MS = 500; // without change, after which the address follows the view

const find = (id) => document.getElementById(id);
const clipName = decodeURIComponent(location.pathname.replace(/^.*\/watch\//, ""));
const embedded = new URLSearchParams(location.search).get("embed") === "1";
const messages = new Messages({
  state: find("state"), title: find("state-title"), detail: find("state-detail"),
  retry: find("retry"), spinner: find("spinner"), notice: find("notice"),
});

/** Fetch the clip's description. Throws an Error whose message the page shows. */
async function fetchDescription() {
  const response = await fetch(addressOf("clips", `${clipName}.json`), { cache: "no-store" }).catch(() => null);
  if (!response) throw new Error("The server does not respond.");
  if (response.status === 404) throw new Error("There is no clip of this name.");
  if (!response.ok) throw new Error((await response.text()).slice(0, 300));
  return response.json();
}

async function main() {
  document.body.classList.toggle("embed", embedded);
  drawIcons(document);
  showShortcuts();
  messages.show("Loading", { busy: true });
  showCatalogueLink();
  try {
    build(await fetchDescription(), await supportedCodecs());
  } catch (error) {
    document.body.classList.add("unavailable"); // hides the controls
    messages.show("This clip cannot be shown", { detail: error.message, onretry: () => location.reload() });
  }
}

function build(description, codecs) {
  const canvas = new CanvasView(find("picture"), description);
  const stats = new Stats(find("stats"));
  const player = new Player(clipName, description, codecs, { canvas, stats, messages }, {
    onupdate, onchanged, onreopened, onbuffer: (ranges) => seekbar.setBuffered(ranges),
  });
  const seekbar = new Seekbar(find("seek"), find("seek-tooltip"), find("time"), player.clock, (time) => {
    player.animation.stop();
    player.clock.seek(time);
  });
  const controls = new Controls(player, find, messages);
  const panel = new PathPanel(player, find);
  const gestures = new Gestures(find("picture"), player.cameras, {
    onstart: () => player.animation.stop(), onclick: controls.actions.toggle,
  });
  const address = new AddressBar(player);

  function onupdate() {
    seekbar.draw();
    controls.draw();
    address.update(performance.now());
  }

  async function onchanged() {
    try {
      replaceClip(await fetchDescription());
    } catch (error) {
      messages.show("The clip was replaced", { detail: error.message, onretry: () => location.reload() });
    }
  }

  /** After a reconnection the server may have another file. */
  async function onreopened() {
    const found = await fetchDescription().catch(() => null);
    if (found && found.etag !== player.description.etag) replaceClip(found);
  }

  /** Switch to another version of the file; the camera keeps its pose. */
  function replaceClip(found) {
    const { camera } = player.cameras;
    player.setClip(found);
    player.cameras.moveTo(camera);
    gestures.cameras = player.cameras;
    canvas.setClip(player.description);
    seekbar.setClock(player.clock);
    controls.fillMenus();
    panel.setClip();
    messages.notify("The clip was replaced by a newer version");
  }

  listenToKeys({ ...controls.actions, path: () => panel.toggle(), keyframe: () => panel.record() });
  find("picture").addEventListener("dblclick", controls.actions.fullscreen);
  address.apply();
  addEventListener("hashchange", () => address.apply());
  player.clock.playing = embedded && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  hideControlsWhenIdle(player);
  player.start();
}

/** The view in the address: read at the start and when it is edited, written when the view has settled. */
class AddressBar {
  constructor(player) {
    Object.assign(this, { player, since: 0 });
  }

  apply() {
    const { time, name, camera } = fromHash(location.hash);
    const { cameras, clock, animation } = this.player;
    const index = cameras.list.findIndex((entry) => entry.name === name);
    animation.stop();
    if (time !== null) clock.seek(time);
    if (index >= 0) cameras.homeIndex = index;
    if (index >= 0 || camera) cameras.moveTo(index >= 0 ? cameras.list[index] : camera);
    // An address without a view stays as it is until the view changes.
    this.written = location.hash || toHash(clock.time, cameras.camera, cameras.captureCamera);
  }

  update(now) {
    const { cameras, clock, animation } = this.player;
    if (clock.isRunning || animation.isRunning) return;
    const hash = toHash(clock.time, cameras.camera, cameras.captureCamera);
    if (hash !== this.next) Object.assign(this, { next: hash, since: now });
    if (hash === this.written || now - this.since < SETTLED_MS) return;
    this.written = hash;
    history.replaceState(history.state, "", hash);
  }
}

/** In full screen, hide the controls without input and show them again with the next one. */
function hideControlsWhenIdle(player) {
  let timer = null;
  const show = () => {
    clearTimeout(timer);
    find("player").classList.remove("idle");
    timer = setTimeout(() => find("player").classList.toggle("idle", player.clock.playing), IDLE_MS);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) addEventListener(kind, show);
}

/** Show the link to the catalogue when it has other clips. */
async function showCatalogueLink() {
  const response = await fetch(addressOf("clips.json")).catch(() => null);
  if (!response?.ok) return;
  const { clips } = await response.json();
  find("catalogue").hidden = clips.length < 2;
}

function showShortcuts() {
  const arrows = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const labels = { ...arrows, "Shift+Arrow": "Shift + arrows" };
  for (const { keys, description } of SHORTCUTS) {
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    for (const key of keys) {
      term.append(Object.assign(document.createElement("kbd"), { textContent: labels[key] ?? key }), " ");
    }
    detail.textContent = description;
    find("shortcuts").append(term, detail);
  }
}

await main();
