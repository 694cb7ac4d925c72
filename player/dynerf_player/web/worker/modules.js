/**
 * The workers of a player, what they run for pages that cannot use workers, and what pages use of the decoder. The npm
 * package has one module for all of them in place of this one (player/npm).
 */
export const startRenderer = () => new Worker(new URL("./renderer_worker.js", import.meta.url), { type: "module" });

export const startDecoder = () => new Worker(new URL("./decoder_worker.js", import.meta.url), { type: "module" });

/** {Session, connectDecoder} */
export async function importSession() {
  const [session, decoder] = await Promise.all([import("./session.js"), import("./connect_decoder.js")]);
  return { ...session, ...decoder };
}

/** {openTrack}: reads the sound of a clip with the decoder. */
export const importTrack = () => import("./sound_track.js");

/** {decoderMethods} */
export const importDecoder = () => import("./decoder_methods.js");
