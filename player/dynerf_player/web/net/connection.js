/**
 * The WebSocket to the server: says hello, hands on what comes, and connects again with growing pauses when it breaks.
 * Handlers: `onstate(state, seconds)` with "connecting", "open", "lost" or "busy" (seconds until the next try),
 * `onmessage(object)` for text, `onpicture(head, bytes)` for pictures.
 */
import { readHead } from "./picture_head.js";

const FIRST_PAUSE = 0.5; // seconds
const LONGEST_PAUSE = 8;
const BUSY_PAUSE = 5;
const UNREACHED = "The server answers, but WebSockets do not reach it: a proxy in between must pass their upgrade on.";
const REFUSED = 1008; // WebSocket close code: the server did not like a message, and says why
const WELCOME_MS = 10_000; // for the server to greet; then the line counts as dead

export class Connection {
  /** `address` is an http or https one. */
  constructor(address, codecs, handlers) {
    Object.assign(this, { address, codecs, handlers, pause: FIRST_PAUSE, timer: null, socket: null, heard: 0, refusals: 0 });
    addEventListener("online", () => this.retry());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.open());
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN && this.welcomed;
  }

  open() {
    this.close();
    this.handlers.onstate("connecting", 0);
    this.busy = false;
    this.welcomed = false;
    this.opened = false;
    const socket = new WebSocket(this.address.replace(/^http/, "ws"));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      Object.assign(this, { opened: true, refusals: 0 });
      socket.send(JSON.stringify({ type: "hello", version: 1, codecs: this.codecs }));
    };
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = (event) => this.lost(event);
    this.socket = socket;
    setTimeout(() => socket === this.socket && !this.welcomed && socket.close(), WELCOME_MS);
  }

  /** Close without trying again. */
  close() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = this.socket.onopen = null;
    this.socket.close();
    this.socket = null;
  }

  /** Try now when waiting for the next try. */
  retry() {
    if (this.timer !== null) this.open();
  }

  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  receive(data) {
    this.heard = performance.now();
    if (data instanceof ArrayBuffer) {
      const head = readHead(data);
      if (head) this.handlers.onpicture(head, new Uint8Array(data, head.length));
      return;
    }
    const message = parsed(data);
    if (message.type === "busy") this.busy = true;
    if (message.type === "welcome") {
      this.welcomed = true;
      this.pause = FIRST_PAUSE;
      this.handlers.onstate("open", 0);
    }
    this.handlers.onmessage(message);
  }

  lost({ code, reason }) {
    if (code === REFUSED && reason) this.handlers.onmessage({ type: "error", message: reason });
    this.socket = null;
    this.welcomed = false;
    // Pauses differ from page to page: after a restart not all viewers come back in the same instant.
    const seconds = (this.busy ? BUSY_PAUSE : this.pause) * (0.8 + 0.4 * Math.random());
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    this.timer = setTimeout(() => this.open(), seconds * 1000);
    this.handlers.onstate(this.busy ? "busy" : "lost", seconds);
    if (!this.opened) this.explain(this.timer, seconds);
  }

  /** Browsers do not tell why a WebSocket was refused: ask the server, and show it while the next try is awaited. */
  async explain(timer, seconds) {
    const reason = await this.refusal();
    if (!reason || timer !== this.timer) return;
    this.handlers.onmessage({ type: "error", message: reason });
    this.handlers.onstate("lost", seconds);
  }

  /** Why the server refuses a session, or an empty string: it may be away, or have been for a moment. */
  async refusal() {
    const answer = await fetch(this.address, { method: "POST" }).catch(() => null);
    if (answer?.ok) return ++this.refusals > 1 ? UNREACHED : "";
    return answer && answer.status < 500 ? (await answer.text()).slice(0, 300) : "";
  }
}

/** A text message as an object; what is none counts as a message of no type. */
function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
