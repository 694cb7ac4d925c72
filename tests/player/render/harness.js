/** Renders dumped segments (`support/gl.py`) for tests; the page keeps what it opened in `window.opened`. */
import { packTensors } from "/web/render/tensor_packing.js";
import { rayCost } from "/web/render/ray_cost.js";
import { capabilities } from "/web/render/device.js";
import { Renderer } from "/web/render/renderer.js";

const ARRAYS = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  float64: Float64Array,
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
    latents: Array.from({ length: latents.length / head.latentSize }, (_, i) =>
      latents.slice(i * head.latentSize, (i + 1) * head.latentSize),
    ),
  };
}

/** Load a segment into a renderer. */
export async function load(renderer, number, segment, layer = 0) {
  const update = renderer.update(number, layer);
  for (const entry of packTensors(renderer.layout, segment.tensors)) await update.add(entry);
  renderer.finish(number, update, segment.grids);
}

let last = null; // the context of the renderer that was opened last: browsers keep few of them

function newContext() {
  last?.getExtension("WEBGL_lose_context").loseContext();
  const canvas = new OffscreenCanvas(64, 48);
  last = canvas.getContext("webgl2");
  last.getExtension("OES_texture_float_linear"); // for planes that are `precise`
  return [canvas, last];
}

/** A renderer of a clip with the given segments loaded; `less`: what the device is taken not to have. */
export async function open(header, urls, { less = {}, ...options } = {}) {
  const [canvas, gl] = newContext();
  const found = capabilities(gl);
  const device = { ...found, ...less, limits: { ...found.limits, ...less.limits } };
  const renderer = await Renderer.create(gl, header, { device, ...options });
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

/** The folded planes of a scale, float32, as a plain array. */
export function planes({ gl, renderer }, name, scale) {
  const { groups, scales } = renderer.layout[name];
  const { size } = scales[scale];
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  const layers = Array.from({ length: 3 * groups }, (_, layer) => {
    const values = new Float32Array(size * size * 4);
    gl.framebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, renderer.field.planes[name][scale], 0, layer);
    gl.readPixels(0, 0, size, size, gl.RGBA, gl.FLOAT, values);
    return [...values];
  });
  gl.deleteFramebuffer(framebuffer);
  return layers.flat();
}

/** What the canvas shows of the drawn picture at a size, the top row first. */
export function shown({ canvas, gl, renderer }, width, height) {
  Object.assign(canvas, { width, height });
  renderer.present();
  const rows = new Uint8Array(width * height * 4);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rows);
  return Array.from({ length: height }, (_, row) => [
    ...rows.subarray((height - 1 - row) * width * 4, (height - row) * width * 4),
  ]).flat();
}

/** Load a finer layer; returns the picture that is drawn again before it is complete. */
export async function refine({ renderer, segments }, url) {
  const segment = await fetchSegment(`${url}-fine`);
  const update = renderer.update(0, 1);
  for (const entry of packTensors(renderer.layout, segment.tensors)) await update.add(entry);
  renderer.setMoment({ segment: 0, latent: segments[0].latents[0] });
  const camera = renderer.header.cameras[0];
  await renderer.draw({ camera, width: camera.width, height: camera.height });
  const during = [...renderer.read()];
  renderer.finish(0, update, segment.grids);
  return during;
}

/** Why a clip is not rendered with other options: name and message of the error. */
export async function refused({ renderer }, options) {
  try {
    await open(renderer.header, [], options);
    return "rendered";
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

/** The cost of a view's rays; `view` as for `picture`, with the output "count". */
export async function cost(opened, view) {
  await picture(opened, view);
  return rayCost(opened.renderer.layout, opened.renderer.read());
}
