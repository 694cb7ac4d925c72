/**
 * The player page: controls around the element `<dynerf-player>`. README.md lists the rooms and what they may import.
 */
import "./element/dynerf_player.js";
import { addressOf } from "./net/address.js";
import { AddressBar } from "./ui/address_bar.js";
import { bench } from "./ui/bench.js";
import { EmbedMessages } from "./ui/embed_messages.js";
import { drawIcons } from "./ui/icons.js";
import { listenToKeys } from "./ui/keys.js";
import { PageControls } from "./ui/page_controls.js";
import { PathPanel } from "./ui/path_panel.js";
import { Seekbar } from "./ui/seekbar.js";
import { StatsPanel } from "./ui/stats_panel.js";

const IDLE_MS = 2500; // without input, after which full screen hides the controls

const find = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const embedded = ["", "1", "true"].includes(query.get("embed"));
const player = find("picture");
let page = null;

function start() {
  document.body.classList.toggle("embed", embedded);
  drawIcons(document);
  showCatalogueLink();
  if (query.has("render")) player.renderMode = query.get("render");
  if (embedded) player.startMuted();
  player.addEventListener("loadedmetadata", () => (page ? page.setClip() : build()));
  player.addEventListener("error", () => document.body.classList.toggle("unavailable", page === null));
  new EmbedMessages(player, query.get("origin"));
  if (player.readyState > 0) build();
}

/** Add the controls: the clip's description is there. */
function build() {
  document.body.classList.remove("unavailable");
  page = new Page();
  if (embedded && !matchMedia("(prefers-reduced-motion: reduce)").matches) player.play().catch(() => {});
  if (query.has("bench")) bench(player, find);
}

class Page {
  constructor() {
    this.seekbar = new Seekbar(find("seek"), find("seek-tooltip"), find("time"), player);
    this.controls = new PageControls(player, find);
    this.panel = new PathPanel(player, find);
    this.stats = new StatsPanel(find("stats"), player);
    this.address = new AddressBar(player);
    const { actions } = this.controls;
    listenToKeys({ ...actions, path: () => this.panel.toggle(), keyframe: () => this.panel.record() });
    player.addEventListener("click", actions.toggle);
    player.addEventListener("dblclick", actions.fullscreen);
    player.addEventListener("progress", () => this.seekbar.setBuffered(player.bufferedFrames));
    this.seekbar.setBuffered(player.bufferedFrames);
    hideControlsWhenIdle();
    this.draw(performance.now());
  }

  /** The file was replaced by another one. */
  setClip() {
    this.seekbar.setClip();
    this.controls.fillMenus();
    this.panel.setClip();
  }

  /** Show the current state, for each animation frame. */
  draw(now) {
    requestAnimationFrame((next) => this.draw(next));
    if (player.description === null) return;
    this.seekbar.draw();
    this.controls.draw();
    this.address.update(now);
    this.stats.draw(now);
  }
}

/** In full screen, hide the controls without input and show them again with the next one. */
function hideControlsWhenIdle() {
  let timer = null;
  const show = () => {
    clearTimeout(timer);
    find("player").classList.remove("idle");
    timer = setTimeout(() => find("player").classList.toggle("idle", !player.paused), IDLE_MS);
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

start();
