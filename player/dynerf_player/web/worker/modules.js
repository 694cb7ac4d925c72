/**
 * The workers of a player, and what they run for pages that cannot use workers. The npm package has one module for all of
 * them in place of this one (player/npm).
 */
export const startRenderer = () => new Worker(new URL("./entry.js", import.meta.url), { type: "module" });

export const startDecoder = () => new Worker(new URL("./decoder_worker.js", import.meta.url), { type: "module" });

/** {Session, connectDecoder} */
export async function importSession() {
  const [session, decoder] = await Promise.all([import("./session.js"), import("./connect_decoder.js")]);
  return { ...session, ...decoder };
}

/** {decoderMethods} */
export const importDecoder = () => import("./decoder.js");
