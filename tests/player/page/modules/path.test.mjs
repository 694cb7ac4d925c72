import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClose, examplePath } from "./support.mjs";

test("paths pass through their keyframes without detours", () => {
  const path = examplePath();
  const [start, between, middle, end] = [0, 0.25, 0.5, 1].map((fraction) => path.at(fraction));
  assert.deepEqual(start.position, [0, 0, 4]);
  assertClose(middle.position, [1, 1, 4]);
  assertClose(end.position, [2, 4, 4]);
  assertClose([start.time, middle.time, end.time], [0, 0.2, 0.8]);
  assert.ok(Math.abs(Math.abs(between.rotation[1]) - Math.sin(0.25)) < 0.04, "the rotation takes the short way");
  assert.ok(between.position[0] > 0 && between.position[0] < 1);
});

test("content time can be held or play along a path", () => {
  const path = examplePath();
  const times = (timing) => {
    path.timing = timing;
    return [0, 0.3, 0.75, 1].map((fraction) => path.at(fraction).time);
  };
  path.heldAt = 0.5;
  assert.deepEqual(times("held"), [0.5, 0.5, 0.5, 0.5]);
  assertClose(times("plays"), [0, 0.6, 0.5, 0]);
  assert.equal(path.pictures().length, 60);
});
