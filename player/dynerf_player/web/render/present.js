/**
 * Shows a drawn picture, whose rows run downwards, on the canvas: pixel by pixel at its own size, otherwise by a
 * Catmull-Rom filter, held within the range of the nearest pixels so that edges do not ring.
 */
import { HEAD, compile } from "./glsl.js";

const SOURCE = `${HEAD}
uniform sampler2D picture;
uniform vec2 canvas; // pixels
out vec4 pixel;

vec4 weights(float f) {
  return vec4(
    f * (-.5 + f * (1. - .5 * f)), 1. + f * f * (1.5 * f - 2.5),
    f * (.5 + f * (2. - 1.5 * f)), f * f * (.5 * f - .5)
  );
}

void main() {
  ivec2 size = textureSize(picture, 0);
  vec2 at = vec2(gl_FragCoord.x, canvas.y - gl_FragCoord.y);
  if (vec2(size) == canvas) {
    pixel = vec4(texelFetch(picture, ivec2(at), 0).rgb, 1.);
    return;
  }
  vec2 centre = at * vec2(size) / canvas - .5;
  ivec2 first = ivec2(floor(centre)) - 1;
  vec4 x = weights(fract(centre.x)), y = weights(fract(centre.y));
  vec3 sum = vec3(0.), least = vec3(1.), most = vec3(0.);
  for (int row = 0; row < 4; ++row) {
    for (int column = 0; column < 4; ++column) {
      vec3 colour = texelFetch(picture, clamp(first + ivec2(column, row), ivec2(0), size - 1), 0).rgb;
      sum += x[column] * y[row] * colour;
      if (row == 1 || row == 2) if (column == 1 || column == 2) {
        least = min(least, colour);
        most = max(most, colour);
      }
    }
  }
  pixel = vec4(clamp(sum, least, most), 1.);
}`;

export class Present {
  static async create(gl) {
    return new Present(gl, await compile(gl, SOURCE));
  }

  constructor(gl, program) {
    this.gl = gl;
    this.program = program;
  }

  show(texture) {
    const { gl, program } = this;
    const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight];
    program.use();
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.disable(gl.SCISSOR_TEST);
    gl.viewport(0, 0, width, height);
    program.bindTexture("picture", 0, gl.TEXTURE_2D, texture);
    gl.uniform2f(program.at("canvas"), width, height);
    program.draw();
  }

  dispose() {
    this.program.delete();
  }
}
