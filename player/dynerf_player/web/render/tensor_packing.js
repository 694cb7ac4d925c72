/**
 * A segment's tensors, as the format's decoder gives them (`dnv/tensors/tensor.js`), laid out for the renderer. Runs
 * where the tensors are decoded: the results are new arrays that can be transferred to the renderer's worker.
 *
 * Planes (..., channel, row, column) become layers of four channels: layer = outer x groups + group, `outer` counting
 * all axes before the channels in C order; texels are symbols, four a texel, in the canvas's 8, 16 or 32 bits. Other
 * tensors become float32 values.
 */
import { FormatError } from "../dnv/errors.js";
import { groupsOf, isPlanes, tensorShapes } from "./field_layout.js";

/**
 * Pack tensors (a Map of all by name) one by one, so that no more than one is held twice; `changed` names those to
 * pack. Yields {name, planes} or {name, values}. Throws `FormatError` when the tensors are not exactly those of the
 * field.
 */
export function* packTensors(layout, tensors, changed = tensors.keys()) {
  const shapes = tensorShapes(layout);
  for (const [name, shape] of shapes) {
    const tensor = tensors.get(name);
    if (!tensor) throw new FormatError(`weights: ${name} is missing`);
    if (!sameShape(tensor.shape, shape)) {
      throw new FormatError(`weights: ${name} has shape ${tensor.shape}, expected ${shape}`);
    }
  }
  const extra = [...tensors.keys()].find((name) => !shapes.has(name));
  if (extra) throw new FormatError(`weights: ${extra} does not belong to this field`);
  for (const name of changed) {
    const tensor = tensors.get(name);
    yield isPlanes(name) ? { name, planes: packPlanes(tensor) } : { name, values: tensor.dequantise() };
  }
}

const sameShape = (a, b) => a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** {size, layers, texels, steps}: one step, or one for each index of the first axis. */
export function packPlanes({ shape, steps, canvas }) {
  const [channels, size] = shape.slice(-3);
  const outers = canvas.planes / channels;
  const groups = groupsOf(channels);
  const texels = new canvas.data.constructor(outers * groups * size * size * 4);
  for (let outer = 0; outer < outers; outer += 1) {
    for (let group = 0; group < groups; group += 1) {
      const layer = texels.subarray((outer * groups + group) * size * size * 4);
      packLayer(canvas, outer * channels + 4 * group, Math.min(4, channels - 4 * group), layer, size * size);
    }
  }
  return { size, layers: outers * groups, texels, steps: Float64Array.from(steps) };
}

/** `count` planes from `first` on, side by side in a layer's texels. */
function packLayer({ data, offset, planes }, first, count, layer, texels) {
  for (let channel = 0; channel < count; channel += 1) {
    const from = offset + first + channel;
    for (let i = 0; i < texels; i += 1) layer[4 * i + channel] = data[from + i * planes];
  }
}
