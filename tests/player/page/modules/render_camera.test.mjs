/** Cameras at other sizes, rays through the cube, and the range of depths. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  cameraOfView,
  clipRay,
  depthRange,
  rayUniforms,
  withSize,
} from "../../../../player/dynerf_player/web/render/camera_rays.js";
import { SPACE, camera } from "./render_support.mjs";
import { assertClose } from "./support.mjs";

test("another size keeps the vertical field of view and the centre", () => {
  const { focalX, focalY, centreX, centreY, width } = withSize({ ...camera(), centreX: 30, centreY: 20 }, 160, 96);
  assert.deepEqual([focalX, focalY, centreX, centreY, width], [120, 120, 76, 40, 160]);
});

test("a camera of a field of view is the pinhole camera with that angle", () => {
  const { focalX, focalY, centreX, centreY } = cameraOfView(
    { cameraToWorld: camera().cameraToWorld, fieldOfView: 90 },
    64,
    48,
  );
  assertClose([focalX, focalY, centreX, centreY], [24, 24, 32, 24]);
});

test("a ray through the middle enters and leaves the cube at its faces", () => {
  assertClose(clipRay(SPACE, camera(), 32, 24), [2, 4]);
  assertClose(clipRay(SPACE, camera(0, 0, 0.5), 32, 24), [0.1, 1.5]); // from within: not nearer than `near`
});

test("rays that pass by, look away, or only run along a face miss", () => {
  assert.equal(clipRay(SPACE, camera(0, 2), 32, 24), null);
  assert.equal(clipRay(SPACE, camera(0, 0, -3), 32, 24), null);
  assert.notEqual(clipRay(SPACE, camera(0, 1), 32, 24), null); // on the face
  assert.equal(clipRay(SPACE, camera(0, 1 + 1e-9), 32, 24), null);
});

test("the shader's uniforms are those of a camera millions of units away", () => {
  const far = 4e6;
  const space = { near: 0.1, matrix: [1, 0, 0, -far, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] };
  const moved = camera(far + 0.25);
  const [near, here] = [rayUniforms(space, moved), rayUniforms(SPACE, camera(0.25))];
  for (const name of ["base", "slope", "direction"]) assertClose([...near[name]], [...here[name]], 1e-7);
  for (const side of ["lower", "upper"]) {
    assertClose([...near[side].base], [...here[side].base], 1e-7);
    assertClose([...near[side].slope], [...here[side].slope], 1e-7);
  }
});

test("depths range over what the cameras see of the space", () => {
  const [near, far] = depthRange(SPACE, [camera(), camera(0, 9)]);
  assertClose(near, 2, 0.01);
  assert.ok(far > 4 && far < 4.3, `${far}`);
  assert.equal(depthRange(SPACE, [camera(0, 9)]), null);
});
