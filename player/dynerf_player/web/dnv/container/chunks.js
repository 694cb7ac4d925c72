/** Kinds of chunks (SPEC 6), and the payloads of weights and latents. */
import { FormatError } from "../errors.js";
import { unpackTensors } from "../tensors/tensor_payload.js";

export const WEIGHTS = "WGHT";
export const LATENTS = "LATN";
export const OCCUPANCY = "occu";
export const KNOWN_KINDS = [WEIGHTS, LATENTS];
export const LAYERS_MAX = 16;
const LATENTS_TENSOR = "latents";

/** FormatError unless a kind is four ASCII letters. */
export function checkKind(kind) {
  if (!/^[A-Za-z]{4}$/.test(kind)) {
    throw new FormatError(`chunk kind ${JSON.stringify(kind)}, expected four ASCII letters`);
  }
}

/** True when a reader that does not know this kind must refuse the file. */
export function isCritical(kind) {
  return kind[0] <= "Z";
}

/** The `count` tensors of a `WGHT` payload by name; a generator, with options, as `unpackTensors`. */
export function* unpackWeights(payload, count, options) {
  const tensors = yield* unpackTensors(payload, options);
  if (tensors.size !== count) {
    throw new FormatError(`weights: ${tensors.size} tensors, the directory declares ${count}`);
  }
  return tensors;
}

/** The tensor (count, D) of a `LATN` payload; a generator. */
export function* unpackLatents(payload, count, elements) {
  const tensors = yield* unpackTensors(payload, { elements });
  const latents = tensors.get(LATENTS_TENSOR);
  if (tensors.size !== 1 || !latents) {
    throw new FormatError(
      `latents: found tensors ${[...tensors.keys()].slice(0, 8).join(", ")}, expected only ${LATENTS_TENSOR}`,
    );
  }
  if (latents.shape.length !== 2 || latents.shape[0] !== count) {
    throw new FormatError(`latents: shape (${latents.shape.join(", ")}), expected (${count}, D)`);
  }
  return latents;
}
