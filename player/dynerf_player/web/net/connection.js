/**
 * The WebSocket to the server: sends the greeting, passes messages on, and reconnects with exponential backoff.
 * Handlers: `onstate(state, seconds)` with "connecting", "open", "lost" or "busy" (seconds until the next attempt),
 * `onmessage(object)` for text, `onpicture(head, bytes)` for pictures.
 */
import { readHead } from "./picture_head.js";

const FIRST_DELAY = 0.5; // seconds
const MAX_DELAY = 8;
const BUSY_DELAY = 5;
const BLOCKED = "The server responds, but WebSockets do not reach it: a proxy in between must pass on the upgrade.";
const POLICY_VIOLATION = 1008; // WebSocket close code: the server refused a message and gives the reason
const WELCOME_MS = 10_000; // without the server's welcome, after which the connection counts as dead

export class Connection {
  /** `address` is an http or https one. */
  constructor(address, codecs, handlers) {
    Object.assign(this, { address, codecs, handlers });
    Object.assign(this, { delay: FIRST_DELAY, timer: null, socket: null, lastReceived: 0, blocked: 0 });
    this.listening = new AbortController();
    const { signal } = this.listening;
    addEventListener("online", () => this.retry(), { signal });
    addEventListener("pagehide", () => this.close(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.open(), { signal });
  }

  /** Close for good. */
  dispose() {
    this.listening.abort();
    this.close();
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
      Object.assign(this, { opened: true, blocked: 0 });
      socket.send(JSON.stringify({ type: "hello", version: 1, codecs: this.codecs }));
    };
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = (event) => this.handleClose(event);
    this.socket = socket;
    setTimeout(() => socket === this.socket && !this.welcomed && socket.close(), WELCOME_MS);
  }

  /** Close without reconnecting. */
  close() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = this.socket.onopen = null;
    this.socket.close();
    this.socket = null;
  }

  /** Reconnect now instead of at the end of the delay. */
  retry() {
    if (this.timer !== null) this.open();
  }

  send(message) {
    if (this.isOpen) this.socket.send(JSON.stringify(message));
  }

  receive(data) {
    this.lastReceived = performance.now();
    if (data instanceof ArrayBuffer) {
      const head = readHead(data);
      if (head) this.handlers.onpicture(head, new Uint8Array(data, head.length));
      return;
    }
    const message = parse(data);
    if (message.type === "busy") this.busy = true;
    if (message.type === "welcome") {
      this.welcomed = true;
      this.delay = FIRST_DELAY;
      this.handlers.onstate("open", 0);
    }
    this.handlers.onmessage(message);
  }

  handleClose({ code, reason }) {
    if (code === POLICY_VIOLATION && reason) this.handlers.onmessage({ type: "error", message: reason });
    this.socket = null;
    this.welcomed = false;
    // Jitter: after a restart of the server not all pages reconnect at the same instant.
    const seconds = (this.busy ? BUSY_DELAY : this.delay) * (0.8 + 0.4 * Math.random());
    this.delay = Math.min(this.delay * 2, MAX_DELAY);
    this.timer = setTimeout(() => this.open(), seconds * 1000);
    this.handlers.onstate(this.busy ? "busy" : "lost", seconds);
    if (!this.opened) this.reportRefusal(this.timer, seconds);
  }

  /** Browsers do not expose why a WebSocket was refused: request the reason, and report it before the next attempt. */
  async reportRefusal(timer, seconds) {
    const reason = await this.refusalReason();
    if (!reason || timer !== this.timer) return;
    this.handlers.onmessage({ type: "error", message: reason });
    this.handlers.onstate("lost", seconds);
  }

  /** Why the server refuses a session; an empty string when it is unreachable, or admits one again. */
  async refusalReason() {
    const response = await fetch(this.address, { method: "POST" }).catch(() => null);
    if (response?.ok) return ++this.blocked > 1 ? BLOCKED : "";
    return response && response.status < 500 ? (await response.text()).slice(0, 300) : "";
  }
}

/** A text message as an object; invalid JSON counts as a message without a type. */
function parse(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
