/**
 * The page's side: a canvas is handed to a worker that renders, or rendered to in the page where browsers have no
 * WebGL 2 in workers. Messages are those of `session.js`.
 */
import { importSession, startRenderer } from "./modules.js";

/** A connection for a canvas that nothing has drawn to. `onMessage(message)` gets what the session sends. */
export async function connect(canvas, onMessage, options = {}) {
  const worker = await startWorker(canvas);
  if (!worker) return connectHere(canvas, onMessage, options);
  worker.onmessage = ({ data }) => onMessage(data);
  worker.onerror = (event) => {
    onMessage({ type: "error", name: "Error", message: `the renderer failed: ${event.message}`, fatal: true });
  };
  const offscreen = canvas.transferControlToOffscreen();
  worker.postMessage({ type: "start", canvas: offscreen, options }, [offscreen]);
  return {
    inWorker: true,
    send: (message) => worker.postMessage(message),
    close: () => worker.terminate(),
  };
}

/** A worker with WebGL 2, or null. */
async function startWorker(canvas) {
  if (typeof OffscreenCanvas === "undefined" || !canvas.transferControlToOffscreen) return null;
  const worker = startRenderer();
  const works = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data.webgl2);
    worker.onerror = () => resolve(false);
    worker.postMessage({ type: "probe" });
  });
  if (works) return worker;
  worker.terminate();
  return null;
}

async function connectHere(canvas, onMessage, options) {
  const { Session, connectDecoder } = await importSession();
  const session = new Session(canvas, connectDecoder(), onMessage, options);
  return {
    inWorker: false,
    send: (message) => session.receive(message),
    close: () => session.dispose(),
  };
}
