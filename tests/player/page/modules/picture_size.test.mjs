import assert from "node:assert/strict";
import { test } from "node:test";

import { pictureSize } from "../../../../player/dynerf_player/web/view/picture_size.js";
import { assertClose } from "./support.mjs";

/** The size of pictures of a clip in a box of CSS pixels, two device pixels each. */
const sizeOf = (width, height, scale, box = { width: 0, height: 0 }) => pictureSize({ width, height }, box, scale, 2);

test("sizes are even and within the limits of the protocol", () => {
  assert.deepEqual(sizeOf(64, 48, 1), { width: 64, height: 48 });
  assert.deepEqual(sizeOf(135, 91, 1), { width: 136, height: 92 });
  const large = sizeOf(2704, 2028, 2);
  assert.ok(large.width * large.height <= 2 ** 23);
  assertClose(large.width / large.height, 4 / 3, 0.005);
  assert.ok(sizeOf(6000, 20, 1).width <= 4096);
  assert.deepEqual(sizeOf(10, 10, "auto"), { width: 16, height: 16 });
});

test("the automatic size fills the screen's pixels, up to the clip's own size", () => {
  assert.deepEqual(sizeOf(640, 480, "auto", { width: 160, height: 200 }), { width: 320, height: 240 });
  assert.deepEqual(sizeOf(640, 480, "auto", { width: 1000, height: 1000 }), { width: 640, height: 480 });
});
