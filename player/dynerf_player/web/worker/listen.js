/**
 * Messages of the worker that renders. First message in: {type: "probe"}, answered by {type: "probe", webgl2}; then {type:
 * "start", canvas, options}; all others are those of `session.js`.
 */
import { connectDecoder } from "./connect_decoder.js";
import { Session } from "./session.js";

/** Answer the messages that this worker gets. */
export function listen() {
  let session = null;
  globalThis.onmessage = ({ data }) => {
    if (data.type === "probe") {
      globalThis.postMessage({ type: "probe", webgl2: new OffscreenCanvas(1, 1).getContext("webgl2") !== null });
    } else if (data.type === "start") {
      const send = (message, transfer) => globalThis.postMessage(message, transfer);
      session = new Session(data.canvas, connectDecoder(), send, data.options);
    } else {
      session?.receive(data);
    }
  };
}
