/**
 * The module of both workers of a player in the npm package; the worker's name says which it is. One module compresses
 * better than several. Pages that cannot use workers, and those of clips with sound, import it.
 */
import { decoderMethods } from "./decoder_methods.js";
import { listen } from "./listen.js";
import { serve } from "./rpc.js";

export { openTrack } from "./sound_track.js";
export { connectDecoder } from "./connect_decoder.js";
export { Session } from "./session.js";
export { decoderMethods };

if (typeof document === "undefined") {
  if (globalThis.name === "decoder") serve(globalThis, decoderMethods());
  else listen();
}
