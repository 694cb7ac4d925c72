import assert from "node:assert/strict";
import { test } from "node:test";

import { cameraOnOrbit, orbitAxes, orbitOf, parseOrbit, parseTarget } from "../../../../player/dynerf_player/web/view/orbit.js";
import { dot, normalize, rotate, subtract } from "../../../../player/dynerf_player/web/view/vector.js";
import { assertClose } from "./support.mjs";

const up = [0, 1, 0];
const home = { position: [1, 3, 6], rotation: [0, 0, 0, 1] };
const target = [1, 1, 2];
const degrees = Math.PI / 180;

test("the first camera is at theta 0, and theta grows to its right", () => {
  const axes = orbitAxes(up, home, target);
  const orbit = orbitOf(home.position, target, axes);
  assertClose([orbit.theta, orbit.radius], [0, Math.hypot(2, 4)]);
  const right = cameraOnOrbit({ ...orbit, theta: 30 * degrees }, target, axes, 45);
  assert.ok(right.position[0] > home.position[0]);
});

test("a camera on an orbit looks at the target without roll, and has this orbit", () => {
  const axes = orbitAxes(up, home, target);
  for (const theta of [-170, -90, 0, 45, 180]) {
    for (const phi of [2, 60, 90, 150]) {
      const orbit = { theta: theta * degrees, phi: phi * degrees, radius: 2.5 };
      const { position, rotation } = cameraOnOrbit(orbit, target, axes, 45);
      assertClose(rotate(rotation, [0, 0, -1]), normalize(subtract(target, position)), 1e-9);
      assertClose(dot(rotate(rotation, [1, 0, 0]), up), 0, 1e-9);
      assert.ok(dot(rotate(rotation, [0, 1, 0]), up) > 0);
      const found = orbitOf(position, target, axes);
      assertClose([found.phi, found.radius], [orbit.phi, orbit.radius], 1e-7);
      assertClose([Math.cos(found.theta), Math.sin(found.theta)], [Math.cos(orbit.theta), Math.sin(orbit.theta)], 1e-7);
    }
  }
});

test("a camera above its target has an orbit", () => {
  const above = { position: [0, 5, 0], rotation: [-Math.SQRT1_2, 0, 0, Math.SQRT1_2] };
  const axes = orbitAxes(up, above, [0, 0, 0]);
  assertClose(axes.front.concat(axes.side), [0, 0, -1, -1, 0, 0], 1e-6);
});

test("orbits in attributes have units, parts of the default, and no garbage", () => {
  const auto = { theta: 0.1, phi: 1.2, radius: 4 };
  assert.deepEqual(parseOrbit(null, auto), auto);
  assert.deepEqual(parseOrbit("auto auto 50%", auto), { ...auto, radius: 2 });
  assertClose(Object.values(parseOrbit("-30deg 1.5rad 3m", auto)), [-30 * degrees, 1.5, 3]);
  assertClose(Object.values(parseOrbit(" 1e-1 ", auto)), [0.1, 1.2, 4]);
  for (const text of ["x", "1deg 2deg 0m", "1deg 2deg -1m", "1m", "1deg 2deg 3deg", "1 2 3 4", "1e999", "NaN"]) {
    assert.equal(parseOrbit(text, auto), null, text);
  }
  assert.deepEqual(parseTarget("1m auto -2", target), [1, 1, -2]);
  assert.equal(parseTarget("1deg 0 0", target), null);
});
