import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ViewingVolume } from "../../../../player/dynerf_player/web/view/viewing_volume.js";
import { assertClose, description } from "./support.mjs";

test("the distance grows outside the margin, and movement outwards is slowed down", () => {
  const volume = new ViewingVolume(description());
  const at = (...position) => volume.distance(position);
  assert.deepEqual([at(0, 0.5, 4), at(1.1, 0.5, 4)], [0, 0]);
  assert.ok(at(3, 0.5, 4) > at(2, 0.5, 4) && at(2, 0.5, 4) > 0);
  assert.ok(at(0, 0.5, 0.5) > 0);
  assert.equal(volume.allowedFraction([0, 0.5, 4], [1, 0.5, 4]), 1);
  assert.equal(volume.allowedFraction([3, 0.5, 4], [2, 0.5, 4]), 1);
  assert.ok(volume.allowedFraction([2, 0.5, 4], [3, 0.5, 4]) < 0.5);
});

test("a volume of one point has an outside; without points everywhere is inside", () => {
  for (const [points, expected] of [[[[0, 0.5, 4]], 3], [[], 0]]) {
    const volume = new ViewingVolume({ ...description(), volume: { points, margin: 0 } });
    assert.equal(volume.distance([0, 0.5, 4]), 0);
    assertClose(volume.distance([3, 0.5, 4]) * volume.extent, expected);
  }
});

const skip = !process.env.DYNERF_VOLUMES && "DYNERF_VOLUMES does not name a file of the decoder's distances";

test("distances are those of the decoder", { skip }, () => {
  const cases = JSON.parse(readFileSync(process.env.DYNERF_VOLUMES, "utf8"));
  assert.ok(cases.length > 0);
  for (const { volume, positions, distances } of cases) {
    const page = new ViewingVolume({ volume, focus: [0, 0, 0] });
    const size = Math.max(...positions.flat().map(Math.abs));
    const found = positions.map((position) => (page.distance(position) * page.extent) / size);
    assertClose(found, distances.map((distance) => distance / size), 1e-6);
  }
});
