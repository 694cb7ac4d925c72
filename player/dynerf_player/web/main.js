/** The player page: loads the clip's description, puts the parts together, and keeps the address up to date. */
import { addressOf } from "./net/address.js";
import { Controls } from "./ui/controls.js";
import { supportedCodecs } from "./video/decoder.js";
import { Gestures } from "./ui/gestures.js";
import { drawIcons } from "./ui/icons.js";
import { listenToKeys, SHORTCUTS } from "./ui/keys.js";
import { Messages } from "./ui/messages.js";
import { PathPanel } from "./ui/path_panel.js";
import { Player } from "./player.js";
import { Seekbar } from "./ui/seekbar.js";
import { fromHash, toHash } from "./view/share.js";
import { Stage } from "./video/canvas.js";
import { Stats } from "./video/stats.js";

const IDLE_MS = 2500; // without pointer or key, after which full screen shows nothing but the picture
const REST_MS = 500; // without change, after which the address follows the view

const find = (id) => document.getElementById(id);
const clipName = decodeURIComponent(location.pathname.replace(/^.*\/watch\//, ""));
const embedded = new URLSearchParams(location.search).get("embed") === "1";
const messages = new Messages({
  state: find("state"), title: find("state-title"), detail: find("state-detail"),
  retry: find("retry"), spinner: find("spinner"), notice: find("notice"),
});

/** The clip's description. Throws an Error whose message the page shows. */
async function describe() {
  const answer = await fetch(addressOf("clips", `${clipName}.json`), { cache: "no-store" }).catch(() => null);
  if (!answer) throw new Error("The server does not answer.");
  if (answer.status === 404) throw new Error("There is no clip of this name.");
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 300));
  return answer.json();
}

async function main() {
  document.body.classList.toggle("embed", embedded);
  drawIcons(document);
  showShortcuts();
  messages.show("Loading", { spins: true });
  offerCatalogue();
  try {
    build(await describe(), await supportedCodecs());
  } catch (error) {
    document.body.classList.add("broken"); // controls without a clip would be dead
    messages.show("This clip cannot be shown", { detail: error.message, onretry: () => location.reload() });
  }
}

function build(description, codecs) {
  const stage = new Stage(find("picture"), description);
  const stats = new Stats(find("stats"));
  const player = new Player(clipName, description, codecs, {
    stage, stats, messages, onupdate, onchanged, onreopened, onbuffer: (ranges) => seekbar.setBuffered(ranges),
  });
  const seekbar = new Seekbar(find("seek"), find("bubble"), find("time"), player.clock, (time) => {
    player.travel.stop();
    player.clock.seek(time);
  });
  const controls = new Controls(player, find, messages);
  const panel = new PathPanel(player, find);
  const gestures = new Gestures(find("picture"), player.cameras, {
    onstart: () => player.travel.stop(), onclick: controls.actions.toggle,
  });
  const address = new Address(player);

  function onupdate() {
    seekbar.draw();
    controls.draw();
    address.follow(performance.now());
  }

  async function onchanged() {
    try {
      adopt(await describe());
    } catch (error) {
      messages.show("The clip was replaced", { detail: error.message, onretry: () => location.reload() });
    }
  }

  /** The server was away: it may have come back with another file. */
  async function onreopened() {
    const found = await describe().catch(() => null);
    if (found && found.etag !== player.description.etag) adopt(found);
  }

  /** Another file: everything that came from the old one is made anew, the camera stays where it is. */
  function adopt(found) {
    const { camera } = player.cameras;
    player.describe(found);
    player.cameras.place(camera);
    gestures.cameras = player.cameras;
    stage.setClip(player.description);
    seekbar.setClock(player.clock);
    controls.fill();
    panel.fill();
    messages.tell("The clip was replaced by a newer one");
  }

  listenToKeys({ ...controls.actions, path: () => panel.toggle(), keyframe: () => panel.record() });
  find("picture").addEventListener("dblclick", controls.actions.fullscreen);
  address.apply();
  addEventListener("hashchange", () => address.apply());
  player.clock.playing = embedded && !matchMedia("(prefers-reduced-motion: reduce)").matches;
  watchIdleness(player);
  player.start();
}

/** The view in the address: read at the start and when the viewer changes it, written when the view rests. */
class Address {
  constructor(player) {
    Object.assign(this, { player, since: 0 });
  }

  apply() {
    const { time, name, camera } = fromHash(location.hash);
    const { cameras, clock, travel } = this.player;
    const index = cameras.list.findIndex((entry) => entry.name === name);
    travel.stop();
    if (time !== null) clock.seek(time);
    if (index >= 0) cameras.homeIndex = index;
    if (index >= 0 || camera) cameras.place(index >= 0 ? cameras.list[index] : camera);
    // Without a change of the viewer's the plain address stays plain.
    this.written = location.hash || toHash(clock.time, cameras.camera, cameras.atHome);
  }

  follow(now) {
    const { cameras, clock, travel } = this.player;
    if (clock.runs || travel.trip) return;
    const hash = toHash(clock.time, cameras.camera, cameras.atHome);
    if (hash !== this.next) Object.assign(this, { next: hash, since: now });
    if (hash === this.written || now - this.since < REST_MS) return;
    this.written = hash;
    history.replaceState(history.state, "", hash);
  }
}

/** In full screen the controls go when nothing happens, and come back with the first movement. */
function watchIdleness(player) {
  let timer = null;
  const wake = () => {
    clearTimeout(timer);
    find("player").classList.remove("idle");
    timer = setTimeout(() => find("player").classList.toggle("idle", player.clock.playing), IDLE_MS);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown", "focusin"]) addEventListener(kind, wake);
}

/** The way back to the other clips, where there are any. */
async function offerCatalogue() {
  const answer = await fetch(addressOf("clips.json")).catch(() => null);
  if (!answer?.ok) return;
  const { clips } = await answer.json();
  find("catalogue").hidden = clips.length < 2;
}

function showShortcuts() {
  const arrows = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
  const named = { ...arrows, "Shift+Arrow": "Shift + arrows" };
  for (const { keys, says } of SHORTCUTS) {
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    for (const key of keys) {
      term.append(Object.assign(document.createElement("kbd"), { textContent: named[key] ?? key }), " ");
    }
    detail.textContent = says;
    find("shortcuts").append(term, detail);
  }
}

await main();
