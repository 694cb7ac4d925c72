/** Compiles programs, and what all shaders share. */
import { Unsupported } from "./unsupported.js";

export const HEAD = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp sampler2DArray;
precision highp isampler2DArray;
precision highp usampler3D;
`;

/** One triangle that covers the viewport, without buffers. */
const COVER = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID == 1 ? 3. : -1., gl_VertexID == 2 ? 3. : -1.), 0., 1.);
}`;

/**
 * Compile a fragment shader to a program; with KHR_parallel_shader_compile without blocking the thread. Throws
 * `Unsupported` with the compiler's words when the device refuses it.
 */
export async function compile(gl, source) {
  const program = gl.createProgram();
  const shaders = [
    [gl.VERTEX_SHADER, COVER],
    [gl.FRAGMENT_SHADER, source],
  ].map(([kind, text]) => {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    return shader;
  });
  gl.linkProgram(program);
  const parallel = gl.getExtension("KHR_parallel_shader_compile");
  while (parallel && !gl.isContextLost() && !gl.getProgramParameter(program, parallel.COMPLETION_STATUS_KHR)) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  const linked = gl.getProgramParameter(program, gl.LINK_STATUS);
  const log = linked
    ? ""
    : shaders.map((shader) => gl.getShaderInfoLog(shader)).join("") + gl.getProgramInfoLog(program);
  shaders.forEach((shader) => gl.deleteShader(shader));
  if (linked) return new Program(gl, program);
  gl.deleteProgram(program);
  if (gl.isContextLost()) throw new Unsupported("the graphics context was lost while shaders were compiled");
  throw new Unsupported(`the device does not compile the renderer's shader: ${log.trim().slice(0, 400)}`);
}

/** A linked program and its uniforms by name. */
export class Program {
  constructor(gl, program) {
    this.gl = gl;
    this.program = program;
    this.locations = new Map();
  }

  use() {
    this.gl.useProgram(this.program);
  }

  /** The location of a uniform; null, which WebGL ignores, when the compiler removed it. */
  at(name) {
    if (!this.locations.has(name)) this.locations.set(name, this.gl.getUniformLocation(this.program, name));
    return this.locations.get(name);
  }

  /** Bind a uniform block to a binding point. */
  bindBlock(name, point) {
    const index = this.gl.getUniformBlockIndex(this.program, name);
    if (index !== this.gl.INVALID_INDEX) this.gl.uniformBlockBinding(this.program, index, point);
  }

  /** Bind a texture to a sampler, at a texture unit. */
  bindTexture(name, unit, target, texture) {
    this.gl.activeTexture(this.gl.TEXTURE0 + unit);
    this.gl.bindTexture(target, texture);
    this.gl.uniform1i(this.at(name), unit);
  }

  draw() {
    this.gl.drawArrays(this.gl.TRIANGLES, 0, 3);
  }

  delete() {
    this.gl.deleteProgram(this.program);
  }
}

/** A texture array of one level with plain clamping. `filter` is NEAREST or LINEAR. */
export function textureArray(gl, format, size, layers, filter) {
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_2D_ARRAY, texture);
  gl.texStorage3D(gl.TEXTURE_2D_ARRAY, 1, format, size, size, layers);
  setSampling(gl, gl.TEXTURE_2D_ARRAY, filter);
  return texture;
}

/** Throws `Unsupported` when the device ran out of memory: what was allocated last cannot be used. */
export function checkMemory(gl) {
  for (let error = gl.getError(); error !== gl.NO_ERROR && !gl.isContextLost(); error = gl.getError()) {
    if (error === gl.OUT_OF_MEMORY)
      throw new Unsupported("the device has not enough graphics memory left for the clip");
  }
}

/** Filtering and clamping of the texture that is bound. */
export function setSampling(gl, target, filter) {
  gl.texParameteri(target, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(target, gl.TEXTURE_MAG_FILTER, filter);
  for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
    gl.texParameteri(target, axis, gl.CLAMP_TO_EDGE);
}
