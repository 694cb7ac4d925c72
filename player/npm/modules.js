/** Takes the place of `worker/modules.js` in the npm package: one module, `worker.js`, is both workers. */
const start = (name) => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name });

export const startRenderer = () => start("renderer");

export const startDecoder = () => start("decoder");

/** {Session, connectDecoder} */
export const importSession = () => import("./worker.js");

/** {openTrack} */
export const importTrack = importSession;

/** {decoderMethods} */
export const importDecoder = importSession;
