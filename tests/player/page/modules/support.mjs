/** Shared by the tests of the page's modules. */
import assert from "node:assert/strict";

import { CameraPath } from "../../../../player/dynerf_player/web/view/camera_path.js";
import { fromAxisAngle } from "../../../../player/dynerf_player/web/view/vector.js";

/** Assert that numbers, also in nested arrays, agree within a tolerance, absolute and relative. */
export function assertClose(actual, expected, tolerance = 1e-9) {
  if (Array.isArray(expected)) {
    assert.equal(actual.length, expected.length);
    expected.forEach((value, index) => assertClose(actual[index], value, tolerance));
    return;
  }
  const limit = tolerance * (1 + Math.abs(expected));
  assert.ok(Math.abs(actual - expected) <= limit, `found ${actual}, expected ${expected} within ${limit}`);
}

/** A clip's description: five cameras side by side, 4 in front of the focus at the origin, half a unit up. */
export function description() {
  const cameras = [0, -1, -0.5, 0.5, 1].map((x, index) => ({
    name: `cam0${index}`,
    role: index ? "training" : "held_out",
    fov: 45,
    camera_to_world: [1, 0, 0, x, 0, 1, 0, 0.5, 0, 0, 1, 4],
  }));
  const points = [-1, 1].flatMap((x) => [0.2, 0.8].map((y) => [x, y, 4]));
  return { cameras, volume: { points, margin: 0.2 }, focus: [0, 0, 0], up: [0, 1, 0] };
}

/** A path of three keyframes in 2 s; the second one's quaternion has the opposite sign. */
export function examplePath() {
  const path = new CameraPath({ frames: 30, fps: 30, seconds: 1 });
  [[0, 0], [1, 0.2], [2, 0.8]].forEach(([at, time]) => {
    const rotation = fromAxisAngle([0, 1, 0], at).map((value) => (at === 1 ? -value : value));
    path.add({ position: [at, at * at, 4], rotation, fov: 40 + at }, time);
  });
  path.seconds = 2;
  return path;
}
