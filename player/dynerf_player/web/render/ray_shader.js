/**
 * The fragment shader of a ray, written for a clip's sizes. One pass, without an array: all weights of the coarse field
 * sum to one, because its last interval is opaque, so v_i = w_i + 0.01 / C needs no second pass, and a coarse sample is
 * evaluated only when the next fine position (inverse transform sampling) reaches it. Positions, clipping and weights
 * are computed in highp. Folded planes hold P - 1, whose half floats are finer around 0 than around 1.
 *
 * A texture is only read by textureLod and texelFetch: derivatives are undefined in loops of unequal length.
 */
import { HEAD } from "./glsl.js";
import { blockLayouts } from "./network_blocks.js";

/** Binding points of the uniform blocks, by the block's name in the shader. */
export const BLOCKS = { Coarse: 0, Fine: 1, View: 2 };

/**
 * The source for a layout. `prelude` is GLSL put before it; it may define LOOK_UP(planes, at, layer, size), a filtered
 * look-up at texture coordinates, and ROUND(v), the precision of the networks, of vec4 and mat4.
 */
export function raySource(layout, { output = "colour", prelude = "" } = {}) {
  return [
    HEAD,
    prelude,
    DEFAULTS,
    uniforms(layout),
    CLIP,
    FIELD_COMMON,
    coarseFunction(layout.coarse),
    fineFunction(layout.fine),
    shadeFunction(layout),
    marchFunction(layout),
    mainFunction(output),
  ].join("\n");
}

const each = (count, text) => Array.from({ length: count }, (_, i) => text(i)).join("");

const DEFAULTS = `
#ifndef ROUND
#define ROUND(v) (v)
#endif
#ifndef LOOK_UP
#define LOOK_UP(planes, at, layer, size) textureLod(planes, vec3(at, layer), 0.)
#endif`;

function uniforms(layout) {
  const { coarse, fine, view } = layout;
  const places = blockLayouts(layout);
  const block = (name, prefix, { hiddenGroups, inputs, outputs }, { outputGroups }) => `
layout(std140) uniform ${name} {
  vec4 ${prefix}HiddenBias[${hiddenGroups}];
  vec4 ${prefix}OutBias[${outputGroups}];
  mat4 ${prefix}Hidden[${hiddenGroups * inputs}];
  ${outputs === 1 ? "vec4" : "mat4"} ${prefix}Out[${hiddenGroups * (outputs === 1 ? 1 : outputGroups)}];
};`;
  return `${block("Coarse", "coarse", coarse, places.coarse)}${block("Fine", "fine", fine, places.fine)}
${block("View", "view", { ...view, outputs: 3 }, places.view)}
uniform sampler2DArray coarsePlanes0;
${each(fine.scales.length, (i) => `uniform sampler2DArray finePlanes${i};\n`)}
uniform usampler3D coarseCells, fineCells;
uniform vec4 base; // of rays in homogeneous cube coordinates, for every pixel the same
uniform mat3x4 slope; // from (column, row, 1)
uniform vec3 lowerBase, upperBase; // distances to the faces: w - xyz, w + xyz
uniform mat3 lowerSlope, upperSlope, direction;
uniform float near; // world units
uniform float minTransmittance; // at which a ray ends
uniform vec2 depthRange; // world units
out vec4 pixel;`;
}

const CLIP = `
struct Ray {
  vec3 start, span; // in the cube: positions are start + s span
  float size; // length of span, in cube units
  vec2 distances, w; // world distance and homogeneous w at s = 0 and s = 1
  vec3 direction; // unit, world
};

void clipFaces(vec3 margin, vec3 change, inout vec2 t, inout bool outside) {
  for (int i = 0; i < 3; ++i) {
    float crossing = -margin[i] / change[i];
    if (change[i] > 0.) t.x = max(t.x, crossing);
    else if (change[i] < 0.) t.y = min(t.y, crossing);
    else if (margin[i] < 0.) outside = true;
  }
}

bool clipRay(vec3 at, out Ray ray) {
  const float FAR = 3e38;
  vec3 along = direction * at;
  float unit = length(along);
  vec2 t = vec2(near / unit, FAR);
  bool outside = false;
  clipFaces(lowerBase, lowerSlope * at, t, outside);
  clipFaces(upperBase, upperSlope * at, t, outside);
  vec4 change = slope * at;
  vec4 enter = base + t.x * change, leave = base + t.y * change;
  ray.start = clamp(enter.xyz / enter.w, -1., 1.);
  ray.span = clamp(leave.xyz / leave.w, -1., 1.) - ray.start;
  ray.size = length(ray.span);
  ray.distances = t * unit;
  ray.w = vec2(enter.w, leave.w);
  ray.direction = along / unit;
  return !outside && t.y < FAR && (t.y - t.x) * unit > 1e-6;
}`;

const FIELD_COMMON = `
vec4 product(sampler2DArray planes, vec3 p, float group, float groups, float size) {
  vec3 at = p * (.5 - .5 / size) + .5; // the first and the last texel's centres are at -1 and 1
  return ROUND((1. + LOOK_UP(planes, at.xy, group, size)) * (1. + LOOK_UP(planes, at.xz, groups + group, size))
    * (1. + LOOK_UP(planes, at.yz, 2. * groups + group, size)));
}

float densityOf(float raw) {
  return exp(clamp(raw - 1., -10., 8.));
}

bool isEmpty(usampler3D cells, vec3 p) {
  int size = textureSize(cells, 0).x;
  ivec3 cell = clamp(ivec3(floor((p + 1.) * (.5 * float(size)))), 0, size - 1);
  return texelFetch(cells, cell, 0).r == 0u;
}`;

/** GLSL that looks up all features of a stack as q0, q1, ... */
function lookUps({ name, scales, groups }) {
  return scales
    .map(({ size }, scale) =>
      each(
        groups,
        (group) =>
          `  vec4 q${scale * groups + group} = product(${name}Planes${scale}, p, ${group}., ${groups}., ${size}.);\n`,
      ),
    )
    .join("");
}

function coarseFunction(stack) {
  return `
float coarseDensity(vec3 p) {
${lookUps(stack)}
  float raw = coarseOutBias[0].x;
  for (int j = 0; j < ${stack.hiddenGroups}; ++j) {
    vec4 h = coarseHiddenBias[j];
    ${each(stack.inputs, (i) => `h = ROUND(h + ROUND(coarseHidden[j * ${stack.inputs} + ${i}]) * q${i});\n    `)}
    raw += dot(ROUND(coarseOut[j]), max(h, 0.));
  }
  return densityOf(raw);
}`;
}

function fineFunction({ name, scales, groups, inputs, hiddenGroups, outputs, outputGroups }) {
  const density = `o${(outputs - 1) >> 2}[${(outputs - 1) & 3}]`;
  return `
// The density; features, base colour first, in o0, o1, ...; the density's place holds no feature.
float fineField(vec3 p, ${Array.from({ length: outputGroups }, (_, i) => `out vec4 o${i}`).join(", ")}) {
${lookUps({ name, scales, groups })}
${each(outputGroups, (o) => `  o${o} = fineOutBias[${o}];\n`)}
  for (int j = 0; j < ${hiddenGroups}; ++j) {
    vec4 h = fineHiddenBias[j];
    ${each(inputs, (i) => `h = ROUND(h + ROUND(fineHidden[j * ${inputs} + ${i}]) * q${i});\n    `)}
    h = max(h, 0.);
    ${each(outputGroups, (o) => `o${o} = ROUND(o${o} + ROUND(fineOut[j * ${outputGroups} + ${o}]) * h);\n    `)}
  }
  float raw = ${density};
${each(outputGroups, (o) => `  o${o} = 1. / (1. + exp(-o${o}));\n`)}
  return densityOf(raw);
}`;
}

function shadeFunction({ view }) {
  const { featureGroups, hiddenGroups, inputs } = view;
  const input = (i) => (i < featureGroups ? `f${i}` : `d${i - featureGroups}`);
  return `
vec3 shade(vec3 v, ${Array.from({ length: featureGroups }, (_, i) => `vec4 f${i}`).join(", ")}) {
  vec3 s1 = sin(v), c1 = cos(v), s2 = sin(2. * v), c2 = cos(2. * v);
  vec4 d0 = vec4(v, s1.x), d1 = vec4(s1.yz, c1.xy), d2 = vec4(c1.z, s2), d3 = vec4(c2, 0.);
  vec4 colour = f0 + viewOutBias[0];
  for (int j = 0; j < ${hiddenGroups}; ++j) {
    vec4 h = viewHiddenBias[j];
    ${each(inputs, (i) => `h = ROUND(h + ROUND(viewHidden[j * ${inputs} + ${i}]) * ${input(i)});\n    `)}
    colour += ROUND(viewOut[j]) * max(h, 0.);
  }
  return colour.rgb;
}`;
}

function marchFunction({ samples, view }) {
  const [C, K] = [samples.coarse, samples.fine];
  const groups = Array.from({ length: view.featureGroups }, (_, i) => i);
  return `
struct Marched { vec3 colour; float median; int coarse, fine; };

Marched march(Ray ray) {
  const int C = ${C}, K = ${K}; // intervals of the coarse and of the fine field
  float low = 0., high = 0., coarseLight = 1.; // cumulative weights around the fine position; light at coarse sample i
  float light = 1., before = 0., median = -1.;
  int i = 0, coarseCount = 0, fineCount = 0;
  ${groups.map((g) => `vec4 f${g} = vec4(0.);`).join(" ")}
  for (int k = 0; k <= K; ++k) {
    float u = (float(k) + .5) * (1.01 / float(K + 1));
    while (high <= u && i < C) {
      vec3 p = ray.start + ((float(i) + .5) / float(C)) * ray.span;
      float behind = 0.;
      if (i < C - 1) {
        behind = coarseLight;
        if (!isEmpty(coarseCells, p)) {
          behind *= exp(-coarseDensity(p) * ray.size / float(C));
          coarseCount += 1;
        }
      }
      low = high;
      high += coarseLight - behind + .01 / float(C);
      coarseLight = behind;
      i += 1;
    }
    float s = (float(i) - 1. + clamp((u - low) / (high - low), 0., 1.)) / float(C);
    vec3 p = ray.start + .5 * (before + s) * ray.span;
    if (k == K || (k > 0 && !isEmpty(fineCells, p))) {
      ${groups.map((g) => `vec4 o${g};`).join(" ")}
      float density = fineField(p, ${groups.map((g) => `o${g}`).join(", ")});
      float behind = k == K ? 0. : light * exp(-density * (s - before) * ray.size);
      float weight = light - behind;
      fineCount += 1;
      if (median < 0. && behind <= .5) median = mix(before, s, clamp((light - .5) / max(weight, 1e-6), 0., 1.));
      ${groups.map((g) => `f${g} += weight * o${g};`).join(" ")}
      light = behind;
      if (light <= minTransmittance) break;
    }
    before = s;
  }
  float scale = 1. / (1. - light);
  vec3 colour = shade(ray.direction, ${groups.map((g) => `scale * f${g}`).join(", ")});
  return Marched(colour, median, coarseCount, fineCount);
}`;
}

/** What a picture shows: colour, depth (near is red, far is blue), or in red and green the evaluated samples. */
const SHOWN = {
  colour: "vec4(clamp(marched.colour, 0., 1.), 1.)",
  depth: "vec4(depthColour(distanceAt(ray, marched.median)), 1.)",
  count: "vec4(vec2(marched.coarse, marched.fine) / 255., 1., 1.)",
};

function mainFunction(output) {
  return `
float distanceAt(Ray ray, float s) {
  float u = s * ray.w.x / (s * ray.w.x + (1. - s) * ray.w.y);
  return mix(ray.distances.x, ray.distances.y, u);
}

vec3 depthColour(float depth) { // as in the decoder's render/depth_colours.py
  float x = clamp(log(depthRange.y / max(depth, 1e-6)) / log(depthRange.y / depthRange.x), 0., 1.);
  return vec3(.16, .08, .17) + x * (vec3(3.66, 2.3, 11.14) + x * (vec3(-35.43, 4.55, -52.1) + x * (
    vec3(111.69, -14.38, 91.41) + x * (vec3(-128.78, 5.54, -71.64) + x * vec3(49.22, 1.95, 21.01)))));
}

void main() {
  Ray ray;
  pixel = vec4(0., 0., 0., 1.);
  if (!clipRay(vec3(gl_FragCoord.xy, 1.), ray)) return;
  Marched marched = march(ray);
  pixel = ${SHOWN[output]};
}`;
}
