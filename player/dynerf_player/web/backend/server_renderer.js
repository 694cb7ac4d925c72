/**
 * Has a server render: views are requested over a WebSocket, pictures are decoded and drawn. It has the same interface as
 * `BrowserRenderer`. PROTOCOL.md defines the messages.
 */
import { Connection } from "../net/connection.js";
import { ViewRequests } from "../net/view_requests.js";
import { CanvasView } from "../video/canvas_view.js";
import { PictureDecoder, supportedCodecs } from "../video/picture_decoder.js";
import { PictureLog } from "../video/picture_log.js";

const DEAD_MS = 20_000; // without any message while a request is pending, after which it reconnects

export class ServerRenderer {
  kind = "server";

  /**
   * `source` has the server's root `server` (an absolute address that ends with a slash) and the clip's `name` there.
   */
  constructor({ server, name }) {
    this.name = name;
    this.describeAt = new URL(`clips/${encodeURIComponent(name)}.json`, server).href;
    this.liveAt = new URL(`live/${encodeURIComponent(name)}`, server).href;
    this.canvas = document.createElement("canvas");
    this.view = new CanvasView(this.canvas);
    this.log = new PictureLog();
    Object.assign(this, { codec: "", buffer: null, buffered: null, staleId: 0, reason: "", closed: false });
    Object.assign(this, { description: null, connection: null, outdated: false, size: null });
    this.requests = new ViewRequests((message) => this.connection.send(message));
    this.decoder = new PictureDecoder({
      onpicture: (head, image) => this.show(head, image),
      ondone: ({ id }) => this.connection?.send({ type: "ack", id }),
      onfailure: () => this.fallBackToJpeg(),
    });
  }

  /**
   * The handlers are those of `BrowserRenderer`, and `onnotice(text)`; states are those of `Connection`, with `seconds`
   * until the next attempt and the server's `reason`.
   */
  async start(handlers = this.handlers) {
    this.handlers = handlers;
    try {
      this.description = await this.fetchDescription();
    } catch (error) {
      if (!this.closed) this.handlers.onerror({ name: "RemoteError", message: error.message, fatal: true });
      return;
    }
    const codecs = await supportedCodecs();
    if (this.closed) return;
    this.handlers.onopened(this.description);
    this.connection = new Connection(this.liveAt, codecs, {
      onstate: (state, seconds) => this.handleState(state, seconds),
      onmessage: (message) => this.handleMessage(message),
      onpicture: (head, bytes) => this.decoder.decode({ ...head, bytes: bytes.length }, bytes),
    });
    this.connection.open();
  }

  /** Fetch the clip's description. Throws an Error whose message is shown. */
  async fetchDescription() {
    const response = await fetch(this.describeAt, { cache: "no-store" }).catch(() => null);
    if (!response) throw new Error("The server does not respond.");
    if (response.status === 404) throw new Error("There is no clip of this name.");
    if (!response.ok) throw new Error((await response.text()).slice(0, 300));
    return response.json();
  }

  /** The file was not opened here. */
  get knownFile() {
    return null;
  }

  /** Metadata only, or everything: the server sends pictures of the layers that a view names. */
  limit() {}

  update(view, playing, now) {
    if (this.outdated || !this.connection) return;
    this.size = { width: view.width, height: view.height };
    if (this.connection.isOpen) this.requests.update(view, playing, now);
    this.reconnectIfDead(now);
  }

  show(head, image) {
    if (head.id <= this.staleId || this.closed) return;
    const now = performance.now();
    const latency = this.requests.answer(head, now);
    this.view.show(image, this.size ?? head);
    this.log.record(head, latency, now);
    this.handlers.onpicture({ ...head, drawMs: head.renderMs });
  }

  handleMessage(message) {
    if (message.type === "welcome") {
      this.codec = message.codec === "avc" ? "H.264" : "JPEG";
      if (message.codec_string) this.decoder.codecString = message.codec_string;
    } else if (message.type === "buffer") {
      this.buffer = message;
      this.buffered = message.ranges;
      this.handlers.onbuffer(message.ranges);
    } else if (message.type === "error") {
      this.reason = String(message.message);
      this.handlers.onnotice(this.reason);
    } else if (message.type === "changed") {
      this.changed();
    }
  }

  /** The server has another file: nothing of the old one is shown any more. */
  async changed() {
    this.outdated = true;
    this.staleId = this.requests.id;
    this.requests.reset();
    this.buffered = null;
    try {
      this.description = await this.fetchDescription();
      this.outdated = false;
      this.handlers.onopened(this.description);
    } catch (error) {
      this.handlers.onerror({ name: "ChangedError", message: error.message, fatal: true });
    }
  }

  /** H.264 could not be decoded: continue with JPEG. */
  fallBackToJpeg() {
    this.connection.codecs = ["jpeg"];
    this.connection.open();
  }

  handleState(state, seconds) {
    const { reason } = this;
    if (state === "open") this.welcomed();
    this.handlers.onstate(state, { seconds, reason });
    if (state !== "connecting") return;
    this.decoder.reset();
    this.requests.reset();
  }

  /** After a reconnection the server may have another file. */
  async welcomed() {
    this.reason = "";
    if (!this.log.newest) return;
    const found = await this.fetchDescription().catch(() => null);
    if (!found || this.closed || found.etag === this.description.etag) return;
    this.description = found;
    this.handlers.onopened(found);
  }

  /** Whether the data of a frame is not there yet, as far as the server has reported. */
  isMissing(frame) {
    return this.buffered !== null && !this.buffered.some(([first, last]) => first <= frame && frame <= last);
  }

  pendingSince() {
    return this.connection?.isOpen ? this.requests.pendingSince() : null;
  }

  retry() {
    if (this.connection) this.connection.retry();
    else this.start();
  }

  /** A network failure need not close the connection: reconnect when the server is silent for too long. */
  reconnectIfDead(now) {
    const since = this.requests.pendingSince();
    const { connection } = this;
    const dead = since !== null && now - Math.max(since, connection.lastReceived) > DEAD_MS;
    if (connection.isOpen && dead) connection.open();
  }

  async capture() {
    return this.log.newest ? this.view.screenshot() : null;
  }

  async stats() {
    const fetched = Math.max(this.log.newest?.fetched ?? 0, this.buffer?.fetched ?? 0);
    return { ...this.log.stats(performance.now()), codec: this.codec, fetched, total: this.buffer?.total ?? null };
  }

  close() {
    this.closed = true;
    this.connection?.dispose();
    this.decoder.reset();
  }
}
