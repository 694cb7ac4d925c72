/** Renders dumped segments (`support/gl.py`) for tests; the page keeps what it opened in `window.opened`. */
import { packTensors } from "/web/render/pack.js";
import { Renderer } from "/web/render/renderer.js";

const ARRAYS = {
  int8: Int8Array, int16: Int16Array, int32: Int32Array, uint8: Uint8Array, float64: Float64Array,
};

/** As the decoder's tensors: symbols in a canvas of `planes` numbers a texel. */
class DumpedTensor {
  constructor({ shape, steps, planes }, data) {
    Object.assign(this, { shape, steps, canvas: { data, offset: 0, planes } });
  }

  dequantise() {
    const block = this.canvas.data.length / this.steps.length;
    return Float32Array.from(this.canvas.data, (symbol, i) => symbol * this.steps[Math.floor(i / block)]);
  }
}

/** {tensors, grids, latents: [Float64Array]} of a dumped segment. */
export async function fetchSegment(url) {
  const bytes = await (await fetch(url)).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  const array = ({ type, offset, length: count }) => {
    const start = 4 + length + offset;
    return new ARRAYS[type](bytes.slice(start, start + count * ARRAYS[type].BYTES_PER_ELEMENT));
  };
  const grid = (record) => record && { size: record.size, cells: array(record.cells) };
  const latents = array(head.latents);
  return {
    tensors: new Map(head.tensors.map((tensor) => [tensor.name, new DumpedTensor(tensor, array(tensor.symbols))])),
    grids: head.grids && { coarse: grid(head.grids.coarse), fine: grid(head.grids.fine) },
    latents: Array.from({ length: latents.length / head.latentSize }, (_, i) => latents.slice(i * head.latentSize, (i + 1) * head.latentSize)),
  };
}

/** Load a segment into a renderer. */
export async function load(renderer, number, segment, layer = 0) {
  const update = renderer.update(number, layer);
  for (const entry of packTensors(renderer.layout, segment.tensors)) await update.add(entry);
  renderer.finish(number, update, segment.grids);
}

/** A renderer of a clip with the given segments loaded. */
export async function open(header, urls, options = {}) {
  const canvas = new OffscreenCanvas(64, 48);
  const gl = canvas.getContext("webgl2");
  const renderer = await Renderer.create(gl, header, options);
  const segments = [];
  for (const url of urls) {
    segments.push(await fetchSegment(url));
    await load(renderer, segments.length - 1, segments.at(-1));
  }
  return { canvas, gl, renderer, segments };
}

/** RGBA of a view as a plain array. `mix`: [frame of the segment, share of the next frame's latent]. */
export async function picture({ renderer, segments }, { segment = 0, mix: [frame, share], ...view }) {
  const { latents } = segments[segment];
  const next = latents[Math.min(frame + 1, latents.length - 1)];
  renderer.setMoment({ segment, latent: latents[frame].map((value, i) => (1 - share) * value + share * next[i]) });
  if (!(await renderer.draw(view))) throw new Error("the picture is not complete");
  return btoa(String.fromCharCode(...renderer.read()));
}
