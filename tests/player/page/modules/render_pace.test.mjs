/** Strips, the resolution of moving pictures, and shader sources. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { raySource } from "../../../../player/dynerf_player/web/render/ray_shader.js";
import { MovingResolution } from "../../../../player/dynerf_player/web/render/moving_resolution.js";
import { Strips } from "../../../../player/dynerf_player/web/render/strips.js";
import { smallLayout } from "./render_support.mjs";

/** Draw a picture on a device of a speed (pixels per ms); returns its strips. */
function draw(strips, width, height, speed) {
  const drawn = [];
  for (let done = 0; done < width * height;) {
    const rectangle = strips.next(done, width, height);
    const pixels = rectangle[2] * rectangle[3];
    strips.measured(pixels, pixels / speed);
    drawn.push(rectangle);
    done += pixels;
  }
  return drawn;
}

test("strips cover every pixel once, at any speed", () => {
  for (const speed of [0.5, 3, 70, 1e6]) {
    const [width, height] = [321, 77];
    const seen = new Uint8Array(width * height);
    for (const [x, y, w, h] of draw(new Strips(), width, height, speed)) {
      for (let row = y; row < y + h; row += 1)
        for (let column = x; column < x + w; column += 1) seen[row * width + column] += 1;
    }
    assert.ok(
      seen.every((count) => count === 1),
      `speed ${speed}`,
    );
  }
});

test("no strip takes long once the speed is known, and a slow device draws less than a row", () => {
  const strips = new Strips();
  draw(strips, 640, 360, 20);
  const later = draw(strips, 640, 360, 20);
  assert.ok(later.every(([, , w, h]) => (w * h) / 20 <= 30));
  draw(strips, 640, 20, 0.5);
  assert.ok(draw(strips, 640, 2, 0.5).every(([, , w, h]) => h === 1 && w <= 64));
});

test("strips grow step by step, so that one wrong measurement does not hang a device", () => {
  const strips = new Strips();
  strips.measured(4096, 0); // a clock without precision
  const [, , w, h] = strips.next(0, 1920, 1080);
  assert.ok(w * h <= 4 * 4096);
});

test("a fast device draws a picture at once", () => {
  const strips = new Strips();
  for (let i = 0; i < 6; i += 1) draw(strips, 1920, 1080, 1e5);
  assert.equal(draw(strips, 1920, 1080, 1e5).length, 1);
});

test("moving pictures have as many pixels as are drawn in time", () => {
  const resolution = new MovingResolution();
  const [w, h] = resolution.size(640, 360, null);
  assert.ok(w * h <= (640 * 360) / 200, "small while the speed is unknown");
  assert.deepEqual(resolution.size(640, 360, 1e6), [640, 360]);
  const [width, height] = resolution.size(640, 360, 1000);
  assert.ok((width * height) / 1000 <= 34);
  assert.deepEqual(resolution.size(640, 360, 1e-3), [40, 23]);
});

test("the size does not flicker about a limit", () => {
  const resolution = new MovingResolution();
  const limit = (640 * 360) / (1000 / 30);
  const first = resolution.size(640, 360, limit * 0.99);
  assert.deepEqual(resolution.size(640, 360, limit * 1.01), first, "slightly faster than needed is not enough to grow");
  assert.deepEqual(resolution.size(640, 360, limit * 2), [640, 360]);
  assert.deepEqual(resolution.size(640, 360, limit * 1.01), [640, 360], "and enough to stay");
});

test("shaders filter by textureLod only: derivatives are undefined in loops of unequal length", () => {
  const folder = new URL("../../../../player/dynerf_player/web/render/", import.meta.url);
  const files = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), "utf8"));
  const generated = ["colour", "depth", "count"].map((output) => raySource(smallLayout(), { output }));
  for (const source of [...files, ...generated]) assert.doesNotMatch(source, /\btexture\(/);
  for (const source of generated) assert.match(source, /precision highp sampler2DArray/);
});
