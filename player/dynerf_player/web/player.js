/**
 * The heart of the page: each picture of the screen it moves time and camera on, wishes for what should be seen, and
 * shows what comes. It knows no buttons; `onupdate()` lets those who do follow.
 */
import { addressOf } from "./net/address.js";
import { Cameras } from "./view/cameras.js";
import { Clock } from "./net/clock.js";
import { Connection } from "./net/connection.js";
import { PictureDecoder } from "./video/decoder.js";
import { Travel } from "./view/camera_animation.js";
import { rowsOf } from "./view/vector.js";
import { Wishes } from "./net/view_requests.js";

const SLOW_MS = 800; // without an answer, after which the viewer is told
const DEAD_MS = 20_000; // without a word, while a wish is open, after which the connection is made anew

export class Player {
  /** `seams` has stage, stats, messages, and the callbacks onupdate, onbuffer(ranges), onchanged, onreopened. */
  constructor(name, description, codecs, seams) {
    Object.assign(this, { name, seams, depth: false, layers: 0, resolution: "auto", codec: "", oldest: 0, seen: null });
    this.describe(description);
    this.wishes = new Wishes((message) => this.connection.send(message));
    this.decoder = new PictureDecoder({
      onpicture: (head, image) => this.show(head, image),
      ondone: ({ id }) => this.connection.send({ type: "ack", id }),
      onfailure: () => this.fallBack(),
    });
    this.connection = new Connection(addressOf("live", name), codecs, {
      onstate: (state, seconds) => this.connectionIs(state, seconds),
      onmessage: (message) => this.hear(message),
      onpicture: (head, bytes) => this.decoder.take({ ...head, bytes: bytes.length }, bytes),
    });
  }

  /** Take on what the clip is; called again when its file was replaced. */
  describe(description) {
    this.travel?.stop();
    this.description = description;
    const { loop = true, speed = 1 } = this.clock ?? {};
    this.clock = Object.assign(new Clock(description), { loop, speed });
    this.cameras = new Cameras(description);
    this.travel = new Travel(this.cameras, this.clock);
    this.ranges = null;
    this.outdated = false;
  }

  start() {
    this.connection.open();
    const frame = (now) => {
      this.tick(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  tick(now) {
    if (this.outdated) return;
    this.clock.waiting = this.isBuffering(now);
    this.clock.tick(now);
    this.travel.tick(now);
    if (this.connection.isOpen) this.wishes.want(this.view(), this.clock.runs || this.travel.trip !== null, now);
    this.tellWaiting(now);
    this.reviveDead(now);
    this.seams.stats.draw(now, this.codec);
    this.seams.onupdate();
  }

  /** What should be seen now, as the protocol says it. */
  view() {
    const { camera } = this.cameras;
    return {
      frame: Number(this.clock.frame.toFixed(4)),
      camera_to_world: rowsOf(camera),
      fov: camera.fov,
      ...this.seams.stage.size(this.resolution),
      depth: this.depth,
      layers: this.layers,
    };
  }

  /** Time stands still while the moment's data is not here and nothing can be shown of it. */
  isBuffering(now) {
    const since = this.wishes.waitedSince();
    const { frame } = this.clock;
    const isHere = !this.ranges || this.ranges.some(([first, last]) => first <= frame && frame <= last);
    return since !== null && now - since > SLOW_MS / 2 && !isHere;
  }

  show(head, image) {
    const now = performance.now();
    if (head.id <= this.oldest) return;
    const latency = this.wishes.answered(head, now);
    this.seams.stage.show(image, this.seams.stage.size(this.resolution), head);
    this.seams.stats.picture(head, latency, now);
    this.seen = head;
  }

  hear(message) {
    const { stats, messages } = this.seams;
    if (message.type === "welcome") {
      this.codec = message.codec === "avc" ? "H.264" : "JPEG";
      if (message.codec_string) this.decoder.codecString = message.codec_string;
    } else if (message.type === "buffer") {
      stats.buffer = message;
      this.ranges = message.ranges;
      this.seams.onbuffer(message.ranges);
    } else if (message.type === "error") {
      this.trouble = String(message.message);
      messages.tell(this.trouble);
    } else if (message.type === "changed") {
      this.outdated = true;
      this.oldest = this.wishes.id;
      this.wishes.reset();
      this.seams.onchanged();
    }
  }

  /** H.264 turned out not to work: go on with JPEG. */
  fallBack() {
    this.connection.codecs = ["jpeg"];
    this.connection.open();
  }

  connectionIs(state, seconds) {
    const { messages } = this.seams;
    this.state = state;
    if (state === "open") {
      this.trouble = null;
      messages.clear();
      if (this.seen) this.seams.onreopened();
    }
    if (state === "connecting" && !this.seen && !this.trouble) messages.show("Connecting", { spins: true });
    if (state === "busy" || state === "lost") this.tellLost(state, seconds);
    if (state !== "connecting") return;
    this.decoder.reset();
    this.wishes.reset();
  }

  tellLost(state, seconds) {
    const again = `Trying again in ${Math.max(1, Math.round(seconds))} s.`;
    const [title, detail] = state === "busy"
      ? ["All places are taken", `Others are watching; this page waits its turn. ${again}`]
      : ["Connection lost", this.trouble ? `${this.trouble} ${again}` : again];
    const onretry = () => this.connection.retry();
    this.seams.messages.show(title, { detail, spins: true, onretry, covers: !this.seen });
  }

  /** Say that a picture takes long, and take it back when it is here. */
  tellWaiting(now) {
    if (this.state !== "open") return;
    const since = this.wishes.waitedSince();
    const slow = since !== null && now - since > SLOW_MS;
    if (slow && !this.seen) this.seams.messages.show("Loading", { spins: true });
    else if (slow && this.clock.waiting) this.seams.messages.show("Buffering", { spins: true, covers: false });
    else if (since === null || this.seen) this.seams.messages.clear();
  }

  /** A network that went away does not close connections: silence tells. */
  reviveDead(now) {
    const since = this.wishes.waitedSince();
    const { connection } = this;
    if (connection.isOpen && since !== null && now - Math.max(since, connection.heard) > DEAD_MS) connection.open();
  }
}
