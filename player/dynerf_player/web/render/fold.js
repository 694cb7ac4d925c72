/**
 * Folding: the planes of one moment, P - 1 = static + sum over k of a_k basis_k, from symbols; amounts a_k include the
 * steps. Planes are a texture array of a scale, layer = plane x groups + group. Both ways give the same planes:
 * `GpuFold` draws each layer from integer textures; `CpuFold` computes in float32 and uploads, for devices without
 * float targets or with few array layers.
 *
 * A source of planes is what `tensor_packing.js` makes of a tensor: {size, layers, texels, steps}.
 */
import { groupsOf } from "./field_layout.js";
import { HEAD, checkMemory, compile, textureArray } from "./glsl.js";

const SLICE_BYTES = 4 << 20; // uploaded between two turns of the event loop

// To the nearest half float: devices may cut off what a half float target does not hold, which doubles the error.
const NEAREST = "uintBitsToFloat(floatBitsToUint(sum) + 0x1000u & 0xffffe000u)";

/** The shader that sums `basis` planes; no loop where there are none. `precise`: for float32 planes. */
export function foldSource(basis, groups, precise) {
  const vectors = Math.max(groupsOf(basis), 1);
  const sum = `
  for (int k = 0; k < ${basis}; ++k) {
    sum += amounts[k >> 2][k & 3] * vec4(texelFetch(basis, ivec3(at, k * ${3 * groups} + layer), 0));
  }`;
  return `${HEAD}
uniform isampler2DArray fixed_;
uniform isampler2DArray basis;
uniform int layer;
uniform float step_; // of the static planes
uniform vec4 amounts[${vectors}];
out vec4 planes;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 sum = step_ * vec4(texelFetch(fixed_, ivec3(at, layer), 0));${basis > 0 ? sum : ""}
  planes = ${precise ? "sum" : NEAREST};
}`;
}

/** The step of index i of a tensor's first axis. */
const stepOf = ({ steps }, i) => steps[steps.length === 1 ? 0 : i];

/** Folds on the GPU. Programs are shared by all scales with the same number of basis planes and groups. */
export class GpuFold {
  /** `precise`: the planes are float32. */
  constructor(gl, precise) {
    this.gl = gl;
    this.precise = precise;
    this.framebuffer = gl.createFramebuffer();
    this.programs = new Map();
  }

  /** Compile what a layout needs. Throws `Unsupported`. */
  async prepare(layout) {
    for (const { scales, groups } of [layout.coarse, layout.fine]) {
      for (const { basis } of scales) {
        const key = `${basis}/${groups}`;
        if (!this.programs.has(key))
          this.programs.set(key, await compile(this.gl, foldSource(basis, groups, this.precise)));
      }
    }
  }

  /** Upload a source to an integer texture in slices, yielding in between. Resolves to {texture, steps, bytes}. */
  async upload({ size, layers, texels, steps }, pause) {
    const { gl } = this;
    const [format, type] = {
      1: [gl.RGBA8I, gl.BYTE],
      2: [gl.RGBA16I, gl.SHORT],
      4: [gl.RGBA32I, gl.INT],
    }[texels.BYTES_PER_ELEMENT];
    const texture = textureArray(gl, format, size, layers, gl.NEAREST);
    const perSlice = Math.max(1, Math.floor(SLICE_BYTES / (size * size * 4 * texels.BYTES_PER_ELEMENT)));
    for (let first = 0; first < layers; first += perSlice) {
      if (first > 0) await pause();
      const count = Math.min(perSlice, layers - first);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
      gl.texSubImage3D(
        gl.TEXTURE_2D_ARRAY,
        0,
        0,
        0,
        first,
        size,
        size,
        count,
        gl.RGBA_INTEGER,
        type,
        texels.subarray(first * size * size * 4, (first + count) * size * size * 4),
      );
    }
    checkMemory(gl);
    return { texture, steps, bytes: texels.byteLength };
  }

  release({ texture }) {
    this.gl.deleteTexture(texture);
  }

  /** Draw all layers of a scale into `planes`. `basis` is null where the scale has none. */
  fold(planes, size, groups, fixed, basis, amounts) {
    const { gl } = this;
    const program = this.programs.get(`${amounts.length}/${groups}`);
    program.use();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.framebuffer);
    gl.viewport(0, 0, size, size);
    gl.disable(gl.SCISSOR_TEST);
    program.bindTexture("fixed_", 0, gl.TEXTURE_2D_ARRAY, fixed.texture);
    program.bindTexture("basis", 1, gl.TEXTURE_2D_ARRAY, (basis ?? fixed).texture);
    const scaled = new Float32Array(Math.max(groupsOf(amounts.length), 1) * 4);
    amounts.forEach((amount, k) => {
      scaled[k] = amount * stepOf(basis, k);
    });
    gl.uniform4fv(program.at("amounts"), scaled);
    for (let layer = 0; layer < 3 * groups; layer += 1) {
      gl.framebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, planes, 0, layer);
      gl.uniform1i(program.at("layer"), layer);
      gl.uniform1f(program.at("step_"), stepOf(fixed, Math.floor(layer / groups)));
      program.draw();
    }
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  dispose() {
    this.programs.forEach((program) => program.delete());
    this.gl.deleteFramebuffer(this.framebuffer);
  }
}

/** Folds in JavaScript and uploads float32, which the device converts to the planes' format. */
export class CpuFold {
  constructor(gl) {
    this.gl = gl;
  }

  async prepare() {}

  async upload({ texels, steps }) {
    return { texels, steps, bytes: texels.byteLength };
  }

  release() {}

  fold(planes, size, groups, fixed, basis, amounts) {
    const { gl } = this;
    const layerLength = size * size * 4;
    for (let layer = 0; layer < 3 * groups; layer += 1) {
      const values = foldLayer(layer, groups, layerLength, fixed, basis, amounts);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D_ARRAY, planes);
      gl.texSubImage3D(gl.TEXTURE_2D_ARRAY, 0, 0, 0, layer, size, size, 1, gl.RGBA, gl.FLOAT, values);
    }
  }

  dispose() {}
}

/** One layer of the planes in float32. */
export function foldLayer(layer, groups, length, fixed, basis, amounts) {
  const values = new Float32Array(length);
  const step = stepOf(fixed, Math.floor(layer / groups));
  for (let i = 0; i < length; i += 1) values[i] = step * fixed.texels[layer * length + i];
  amounts.forEach((amount, k) => {
    const scaled = amount * stepOf(basis, k);
    const from = (k * 3 * groups + layer) * length;
    for (let i = 0; i < length; i += 1) values[i] += scaled * basis.texels[from + i];
  });
  return values;
}
