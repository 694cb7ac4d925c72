import assert from "node:assert/strict";
import { test } from "node:test";

import * as vector from "../../../../player/dynerf_player/web/view/vector.js";
import { assertClose } from "./support.mjs";

const { fromAxisAngle, matrixFromPose, multiply, normalize, poseFromMatrix, rotate } = vector;

/** Rotations about many axes, and half turns, whose quaternions have zeros. */
function rotations() {
  const axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 2, 3], [-3, 1, 0.5], [0.1, -2, 0.7]].map(normalize);
  const angles = [0, 0.3, 1.5, Math.PI / 2, 3, Math.PI];
  return axes.flatMap((axis) => angles.map((angle) => fromAxisAngle(axis, angle)));
}

test("poses survive the conversion to quaternions", () => {
  for (const rotation of rotations()) {
    const matrix = matrixFromPose({ position: [1, 2, 3], rotation });
    const rows = [0, 4, 8].map((start) => matrix.slice(start, start + 3));
    const products = rows.map((a) => rows.map((b) => vector.dot(a, b)));
    assertClose(products, [[1, 0, 0], [0, 1, 0], [0, 0, 1]], 1e-12);
    assertClose(vector.cross(rows[0], rows[1]), rows[2], 1e-12);
    assertClose(matrixFromPose(poseFromMatrix(matrix)), matrix, 1e-12);
  }
});

test("the matrix of a half turn gives its axis", () => {
  const { position, rotation } = poseFromMatrix([-1, 0, 0, 1, 0, 1, 0, 2, 0, 0, -1, 3]);
  assert.deepEqual(position, [1, 2, 3]);
  assertClose(rotation.map(Math.abs), [0, 1, 0, 0], 1e-12);
});

test("rotations are multiplied from right to left", () => {
  const [aboutZ, aboutX] = [[0, 0, 1], [1, 0, 0]].map((axis) => fromAxisAngle(axis, Math.PI / 2));
  assertClose(rotate(aboutZ, [1, 0, 0]), [0, 1, 0], 1e-12);
  assertClose(rotate(multiply(aboutX, aboutZ), [1, 0, 0]), [0, 0, 1], 1e-12);
});
