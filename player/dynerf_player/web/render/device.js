/** What a device can do, and how a clip is rendered with that: on which side planes are folded, or why not at all. */
import { groupsOf } from "./field_layout.js";
import { textureArray } from "./glsl.js";
import { affordable, footprint } from "./graphics_memory.js";
import { blockLayouts } from "./network_blocks.js";
import { Unsupported } from "./unsupported.js";

const SOFTWARE = /swiftshader|llvmpipe|software|basic render/i;
const OTHER_UNIFORMS = 16; // vectors of the fold shader besides the amounts

/** What a WebGL2 context offers; `limits` are those that clips meet. */
export function capabilities(gl) {
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  const float = gl.getExtension("EXT_color_buffer_float") !== null;
  const half = gl.getExtension("EXT_color_buffer_half_float") !== null;
  return {
    name,
    software: SOFTWARE.test(name),
    halfTarget: (float || half) && drawsTo(gl, gl.RGBA16F),
    limits: {
      textureSize: gl.getParameter(gl.MAX_TEXTURE_SIZE),
      arrayLayers: gl.getParameter(gl.MAX_ARRAY_TEXTURE_LAYERS),
      blockBytes: gl.getParameter(gl.MAX_UNIFORM_BLOCK_SIZE),
      textureUnits: gl.getParameter(gl.MAX_TEXTURE_IMAGE_UNITS),
      uniformVectors: gl.getParameter(gl.MAX_FRAGMENT_UNIFORM_VECTORS),
    },
  };
}

/** Whether the device really draws to layers of texture arrays of a format. */
function drawsTo(gl, format) {
  const texture = textureArray(gl, format, 4, 2, gl.NEAREST);
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.framebufferTextureLayer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, texture, 0, 1);
  const complete = gl.checkFramebufferStatus(gl.FRAMEBUFFER) === gl.FRAMEBUFFER_COMPLETE;
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.deleteFramebuffer(framebuffer);
  gl.deleteTexture(texture);
  return complete;
}

/**
 * How a clip of this layout is rendered on a device: {fold: "gpu"} or {fold: "cpu", why}. Throws `Unsupported` with the
 * reason when it cannot be rendered here, or not within a budget of graphics memory (bytes).
 */
export function planFor(layout, { limits, halfTarget }, budget = Infinity) {
  refuseBeyond(layout, limits);
  refuseAbove(budget, footprint(layout));
  const scales = [layout.coarse, layout.fine].flatMap(({ groups, scales: list }) =>
    list.map(({ basis }) => ({ basis, layers: basis * 3 * groups })),
  );
  const layers = Math.max(...scales.map((scale) => scale.layers));
  const vectors = Math.max(...scales.map(({ basis }) => groupsOf(basis))) + OTHER_UNIFORMS;
  if (!halfTarget) return { fold: "cpu", why: "the device does not draw to half-float textures" };
  if (layers > limits.arrayLayers) {
    return {
      fold: "cpu",
      why: `a scale has ${layers} layers of basis planes, the device's textures ${limits.arrayLayers}`,
    };
  }
  if (vectors > limits.uniformVectors) {
    return { fold: "cpu", why: `folding needs ${vectors} uniform vectors, the device has ${limits.uniformVectors}` };
  }
  return { fold: "gpu", why: "" };
}

function refuseAbove(budget, needed) {
  if (affordable(needed, budget).show) return;
  const [takes, may] = [needed.symbols + needed.folded, budget].map((bytes) => Math.ceil(bytes / 1e6));
  throw new Unsupported(`the clip takes ${takes} MB of graphics memory, this device may use ${may} MB`);
}

/** What neither way of folding avoids. */
function refuseBeyond(layout, limits) {
  const stacks = [layout.coarse, layout.fine];
  const needs = {
    "texels a side": [Math.max(...stacks.flatMap(({ scales }) => scales.map(({ size }) => size))), limits.textureSize],
    "layers of folded planes": [3 * Math.max(...stacks.map(({ groups }) => groups)), limits.arrayLayers],
    "bytes of a network": [
      Math.max(...Object.values(blockLayouts(layout)).map(({ bytes }) => bytes)),
      limits.blockBytes,
    ],
    "textures at once": [layout.fine.scales.length + 3, limits.textureUnits],
  };
  for (const [what, [needed, offered]] of Object.entries(needs)) {
    if (needed > offered) throw new Unsupported(`the clip needs ${needed} ${what}, this device offers ${offered}`);
  }
}
