/** A worker that decodes: its messages are the calls of `rpc.js`. */
import { decoderMethods } from "./decoder.js";
import { serve } from "./rpc.js";

serve(globalThis, decoderMethods());
