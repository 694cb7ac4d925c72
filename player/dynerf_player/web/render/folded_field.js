/** The folded field of one moment on the device: planes as texture arrays, networks as uniform buffers. */
import { textureArray } from "./glsl.js";
import { blockLayouts, foldNetwork } from "./network_blocks.js";
import { BLOCKS } from "./ray_shader.js";

export class FoldedField {
  /** `precise`: float32 planes instead of half floats, of a context that has OES_texture_float_linear. */
  constructor(gl, layout, { precise = false } = {}) {
    this.gl = gl;
    this.layout = layout;
    const format = precise ? gl.RGBA32F : gl.RGBA16F;
    const arrays = ({ scales, groups }) =>
      scales.map(({ size }) => textureArray(gl, format, size, 3 * groups, gl.LINEAR));
    this.planes = { coarse: arrays(layout.coarse), fine: arrays(layout.fine) };
    this.buffers = Object.fromEntries(
      Object.entries(blockLayouts(layout)).map(([name, { bytes }]) => [name, buffer(gl, bytes)]),
    );
    this.model = null;
  }

  /** Fold a latent into a model. Scales without basis planes are only drawn when the model changes. */
  fold(folding, model, latent) {
    const { gl, layout } = this;
    const fresh = this.model !== model;
    for (const stack of [layout.coarse, layout.fine]) {
      const { hiddenBias, amounts } = foldNetwork(stack, model.values, latent);
      gl.bindBuffer(gl.UNIFORM_BUFFER, this.buffers[stack.name]);
      if (fresh) gl.bufferSubData(gl.UNIFORM_BUFFER, 0, model.blocks[stack.name]);
      gl.bufferSubData(gl.UNIFORM_BUFFER, 0, hiddenBias);
      stack.scales.forEach(({ size, basis }, scale) => {
        if (basis === 0 && !fresh) return;
        const [fixed, moving] = ["static", "basis"].map((kind) => model.sources.get(`${stack.name}.${kind}.${scale}`));
        folding.fold(this.planes[stack.name][scale], size, stack.groups, fixed, moving ?? null, amounts[scale]);
      });
    }
    if (fresh) {
      gl.bindBuffer(gl.UNIFORM_BUFFER, this.buffers.view);
      gl.bufferSubData(gl.UNIFORM_BUFFER, 0, model.blocks.view);
    }
    this.model = model;
  }

  /** Bind planes, from texture unit 0 on, and buffers for the ray shader. Returns the first free unit. */
  bind(program) {
    const { gl } = this;
    let unit = 0;
    for (const [name, arrays] of Object.entries(this.planes)) {
      arrays.forEach((texture, scale) => {
        program.bindTexture(`${name}Planes${scale}`, unit, gl.TEXTURE_2D_ARRAY, texture);
        unit += 1;
      });
    }
    for (const [name, point] of Object.entries(BLOCKS)) {
      program.bindBlock(name, point);
      gl.bindBufferBase(gl.UNIFORM_BUFFER, point, this.buffers[name.toLowerCase()]);
    }
    return unit;
  }

  dispose() {
    for (const texture of Object.values(this.planes).flat()) this.gl.deleteTexture(texture);
    for (const each of Object.values(this.buffers)) this.gl.deleteBuffer(each);
  }
}

function buffer(gl, bytes) {
  const created = gl.createBuffer();
  gl.bindBuffer(gl.UNIFORM_BUFFER, created);
  gl.bufferData(gl.UNIFORM_BUFFER, bytes, gl.DYNAMIC_DRAW);
  return created;
}
