/** Selects the chunks that a request needs: pure functions of the directory. */
import { ViewError } from "../errors.js";
import { SOUND } from "../sound/sound_payload.js";
import { LATENTS, WEIGHTS } from "./chunks.js";
import { CODECS, RAW } from "./compression.js";

/**
 * The usable chunks with the weights of each segment, coarse layer first: a list by segment. The layers end before the
 * first one in an unknown codec, in the segment or in one that it builds on.
 */
export function usableWeights(directory, segments) {
  const stored = Array.from({ length: segments }, () => []);
  for (const entry of directory) {
    if (entry.kind === WEIGHTS) stored[entry.segment].push(entry);
  }
  const usable = [];
  stored.forEach((entries, segment) => {
    const unknown = entries.findIndex(({ codec }) => !CODECS.includes(codec));
    const own = unknown < 0 ? entries.length : unknown;
    const below = entries[0].first > 0 ? usable[segment - 1].length : own;
    usable.push(entries.slice(0, Math.min(own, below)));
  });
  return usable;
}

/** The groups of latents (layer 0), in order. */
export function latentsGroups(directory) {
  return directory.filter(({ kind, layer }) => kind === LATENTS && layer === 0);
}

/** The number of the group that holds a whole frame; ViewError when the clip has no such frame. */
export function groupOf(groups, frame) {
  const found = groups.findIndex(({ first, count }) => frame >= first && frame < first + count);
  if (!Number.isInteger(frame) || found < 0) {
    const last = groups.at(-1);
    throw new ViewError(`latents of frame ${frame} requested, the clip has 0 to ${last.first + last.count - 1}`);
  }
  return found;
}

/** The first decodable chunk of an ancillary kind (layer 0) for a segment, or undefined. */
export function ancillaryEntry(directory, kind, segment) {
  return directory.find(
    (entry) =>
      entry.kind === kind && entry.segment === segment && entry.layer === 0 && CODECS.includes(entry.codec),
  );
}

/** Whether a chunk holds sound of a group of frames that this reader can use. */
export function isSound({ kind, layer, codec }) {
  return kind === SOUND && layer === 0 && codec === RAW;
}
