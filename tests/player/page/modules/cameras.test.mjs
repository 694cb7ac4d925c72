import assert from "node:assert/strict";
import { test } from "node:test";

import { Cameras } from "../../../../player/dynerf_player/web/view/cameras.js";
import { length, rotate, subtract } from "../../../../player/dynerf_player/web/view/vector.js";
import { assertClose, description } from "./support.mjs";

/** Cameras that may leave the viewing volume freely. */
function unlimited() {
  const cameras = new Cameras(description());
  cameras.volume.allowedFraction = () => 1;
  return cameras;
}

const distance = ({ camera, pivot }) => length(subtract(camera.position, pivot));

test("orbits keep their distance, look at the pivot, and stop 0.1 rad from the pole", () => {
  const cameras = unlimited();
  const before = distance(cameras);
  for (let i = 0; i < 100; i += 1) cameras.orbit(0.3, 0.2);
  const { position, rotation } = cameras.camera;
  assertClose(distance(cameras), before);
  assert.ok(rotate(rotation, [0, 1, 0])[1] > 0);
  assertClose(position[1], 0.5 + 4 * Math.cos(0.1));
  assertClose(rotate(rotation, [0, 0, -1]), subtract(cameras.pivot, position).map((value) => value / before));
});

test("the camera comes close to the pivot but not through it, and returns to a capture camera", () => {
  const cameras = unlimited();
  const before = distance(cameras);
  assert.equal(cameras.captureCamera.name, "cam00");
  for (let i = 0; i < 50; i += 1) cameras.dolly(0.8);
  assertClose(distance(cameras) / before, 0.1);
  for (let i = 0; i < 90; i += 1) cameras.dolly(1.25);
  assertClose(distance(cameras) / before, 8);
  assert.equal(cameras.captureCamera, undefined);
  cameras.moveTo(cameras.list[3]);
  assert.equal(cameras.captureCamera.name, "cam03");
});

test("a camera turned in place keeps its position", () => {
  const cameras = unlimited();
  cameras.turn(0.2, 0);
  assertClose(cameras.camera.position, [0, 0.5, 4]);
  assertClose(rotate(cameras.camera.rotation, [0, 0, -1]), [Math.sin(0.2), 0, -Math.cos(0.2)]);
});
