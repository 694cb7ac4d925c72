/** A small field for the tests of `web/render`, with tensors as the decoder gives them. */
import { layoutOf, tensorShapes } from "../../../../player/dynerf_player/web/render/field_layout.js";

export const SETTINGS = {
  latent: 3,
  scales: [4, 6],
  basis: [2, 0],
  channels: 6,
  hidden: 10,
  view_features: 2,
  view_hidden: 5,
  coarse_scale: 5,
  coarse_basis: 1,
  coarse_channels: 3,
  coarse_hidden: 7,
};

export const SPACE = { matrix: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], near: 0.1 };

/** A camera at (x, y, z) that looks along -z. */
export function camera(x = 0, y = 0, z = 3) {
  return {
    width: 64,
    height: 48,
    focalX: 60,
    focalY: 60,
    centreX: 32,
    centreY: 24,
    cameraToWorld: [1, 0, 0, x, 0, 1, 0, y, 0, 0, 1, z],
  };
}

/** A header; `changes` of the settings. */
export function header(changes = {}, { kind = "planes", sampling = {} } = {}) {
  return {
    field: { kind, settings: { ...SETTINGS, ...changes } },
    sampling: { coarse: 8, fine: 6, union: false, ...sampling },
    space: SPACE,
    cameras: [camera()],
  };
}

/** Tensors of a layout, by name: whole numbers from a linear congruential generator, within -5 to 5. */
export function tensorsOf(layout) {
  let state = 1;
  const next = () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state % 11) - 5;
  };
  return new Map(
    [...tensorShapes(layout)].map(([name, shape]) => {
      const count = shape.reduce((a, b) => a * b);
      const symbols = Int8Array.from({ length: count }, next);
      const steps = Float64Array.from({ length: shape.length > 2 ? shape[0] : 1 }, (_, i) => 0.125 * (i + 1));
      return [name, new Tensor(name, shape, steps, symbols)];
    }),
  );
}

/** A quantised tensor; `symbols` in C order, `canvas` with the planes of a texel side by side, behind one of zeros. */
class Tensor {
  constructor(name, shape, steps, symbols) {
    Object.assign(this, { name, shape, steps, symbols });
    const texels = shape.length > 2 ? shape.at(-1) * shape.at(-2) : 1;
    const planes = symbols.length / texels;
    const data = new symbols.constructor(planes + symbols.length);
    symbols.forEach((symbol, i) => {
      data[planes + (i % texels) * planes + Math.floor(i / texels)] = symbol;
    });
    this.canvas = { data, offset: planes, planes };
  }

  dequantise() {
    const block = this.symbols.length / this.steps.length;
    return Float32Array.from(this.symbols, (symbol, i) => symbol * this.steps[Math.floor(i / block)]);
  }
}

export const smallLayout = (changes) => layoutOf(header(changes));
