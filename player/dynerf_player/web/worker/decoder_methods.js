/**
 * The decoder's side of a session: opens a clip, and sends its tensors as textures and values. Runs in a worker of its
 * own, so that decoding does not hold up pictures.
 */
import { isSound } from "../dnv/container/chunk_lookup.js";
import { BytesSource, HttpSource, openClip } from "../dnv/index.js";
import { layoutOf } from "../render/field_layout.js";
import { packTensors } from "../render/tensor_packing.js";

const MAX_LATENTS = 64; // of one answer

/** The methods of `rpc.js`; all but `open` and `transfer` need an open clip. */
export function decoderMethods() {
  let clip = null;
  let source = null;
  return {
    /** Open {url} or {bytes}; returns what a player needs to know of the clip. */
    async open({ url, bytes, limits }, { signal }) {
      source = bytes ? new BytesSource(bytes) : new HttpSource(url);
      clip = await openClip(source, { limits, signal });
      const { header, segments, groups, frameCount, frameRate, duration, size, version } = clip;
      const sounds = clip.reader.directory.filter(isSound); // entries, so that a player need not read the start again
      return { header, segments, groups, frameCount, frameRate, duration, size, version, sounds };
    },

    /**
     * Decode a layer of a segment; parts are those of `packTensors`, all tensors or the changed ones. Returns the grids
     * with the last layer: they hold for all layers, and are not fetched for fewer.
     */
    async load({ segment, layer, all }, { signal, part }) {
      const { tensors, changed } = await clip.loadLayer(segment, layer, { signal });
      for (const entry of packTensors(layoutOf(clip.header), tensors, all ? undefined : changed)) {
        signal.throwIfAborted();
        part(entry, [(entry.values ?? entry.planes.texels).buffer]);
      }
      const last = layer === clip.segments[segment].layers - 1;
      return last ? clip.grids(segment, layer + 1, { signal }) : null;
    },

    /** {requests, received}: requests and bytes so far; null for a file in memory. */
    transfer() {
      return source?.transfer ?? null;
    },

    /** Latents of frames `first` to `last`, at most MAX_LATENTS of them. */
    async latents({ first, last }, { signal }) {
      const count = Math.min(last - first + 1, MAX_LATENTS);
      return Promise.all(Array.from({ length: count }, (_, i) => clip.latents(first + i, { signal })));
    },
  };
}
