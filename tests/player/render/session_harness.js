/** Drives a session for tests as the player does: by messages. */
import { connect } from "/web/worker/connect.js";
import { connectDecoder } from "/web/worker/connect_decoder.js";
import { Session } from "/web/worker/session.js";

const log = [];
let listeners = [];
let connection = null;

function receive(message) {
  log.push(message);
  listeners = listeners.filter((listener) => !listener(message));
}

function newCanvas() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 64, height: 48 });
  document.getElementById("canvas").replaceWith(canvas);
  canvas.id = "canvas";
  return canvas;
}

/** A session on a new canvas; returns whether it runs in a worker. */
export async function start(options = {}) {
  connection?.close();
  log.length = 0;
  connection = await connect(newCanvas(), receive, options);
  return connection.inWorker;
}

/** A session in the page, with its WebGL context at hand. */
export async function startHere() {
  connection?.close();
  log.length = 0;
  const canvas = newCanvas();
  const session = new Session(canvas, connectDecoder(), receive);
  connection = { send: (message) => session.receive(message), close: () => session.dispose() };
  window.loseContext = () => {
    const extension = canvas.getContext("webgl2").getExtension("WEBGL_lose_context");
    extension.loseContext();
    setTimeout(() => extension.restoreContext(), 100);
  };
}

export const send = (message) => connection.send(message);

/** Open a file of the host, as bytes. */
export async function open(path, options = {}) {
  const bytes = new Uint8Array(await (await fetch(path)).arrayBuffer());
  send({ type: "open", bytes, ...options });
}

/** Open an address of the host. */
export const openUrl = (path) => send({ type: "open", url: new URL(path, location.href).href });

/** The messages so far, without pictures' pixels. */
export const messages = () => log;

/** The first message, also of those already received, with the given fields; those of `among` end the wait, too. */
export function wait(fields, among = ["error", "unsupported"]) {
  const fits = (message) =>
    among.includes(message.type) || Object.entries(fields).every(([name, value]) => message[name] === value);
  return new Promise((resolve) => {
    const found = log.find(fits);
    if (found) resolve(found);
    else listeners.push((message) => fits(message) && (resolve(message), true));
  });
}

/** Forget the messages so far. */
export const forget = () => {
  log.length = 0;
};

/** RGBA of the view at full size. */
export async function capture(id) {
  send({ type: "capture", id });
  const { pixels } = await wait({ type: "capture", id }, []);
  return [...pixels];
}

export async function stats(id) {
  send({ type: "stats", id });
  return wait({ type: "stats", id }, []);
}
