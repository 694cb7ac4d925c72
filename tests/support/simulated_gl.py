"""GLSL that gives software the precision of real devices, as the ``prelude`` of the ray shader."""

HALF_NETWORK = """
vec4 half_(vec4 v) {
  return vec4(unpackHalf2x16(packHalf2x16(v.xy)), unpackHalf2x16(packHalf2x16(v.zw)));
}
mat4 half_(mat4 m) { return mat4(half_(m[0]), half_(m[1]), half_(m[2]), half_(m[3])); }
#define ROUND(v) half_(v)
"""
"""Every feature, weight and sum of the networks rounded to 16 bits, as ``mediump`` may be."""

TEXTURE_UNIT = """
vec4 lookUp(sampler2DArray planes, vec2 at, float layer, float size) {
  vec2 position = floor((at * size - .5) * 256. + .5) / 256.;
  ivec2 first = ivec2(floor(position));
  vec2 part = fract(position);
  ivec2 most = ivec2(int(size) - 1);
  #define TEXEL(x, y) texelFetch(planes, ivec3(clamp(first + ivec2(x, y), ivec2(0), most), int(layer)), 0)
  return mix(mix(TEXEL(0, 0), TEXEL(1, 0), part.x), mix(TEXEL(0, 1), TEXEL(1, 1), part.x), part.y);
}
#define LOOK_UP(planes, at, layer, size) lookUp(planes, at, layer, size)
"""
"""Filters with fractions of 1/256, as texture units do."""
