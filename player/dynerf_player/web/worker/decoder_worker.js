/** A worker that decodes: its messages are the calls of `rpc.js`. */
import { decoderMethods } from "./decoder_methods.js";
import { serve } from "./rpc.js";

serve(globalThis, decoderMethods());
