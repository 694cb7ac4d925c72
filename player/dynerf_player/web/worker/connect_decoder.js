import { importDecoder, startDecoder } from "./modules.js";
import { Caller, serve } from "./rpc.js";

/** A decoder in a worker of its own; in this thread where workers cannot start workers. */
export function connectDecoder() {
  if (typeof Worker === "undefined") {
    const { port1, port2 } = new MessageChannel();
    importDecoder().then(({ decoderMethods }) => serve(port2, decoderMethods()));
    return new Caller(port1);
  }
  const worker = startDecoder();
  const caller = new Caller(worker, () => worker.terminate());
  worker.onerror = (event) => caller.fail(new Error(`the decoder failed: ${event.message ?? "it cannot be loaded"}`));
  return caller;
}
