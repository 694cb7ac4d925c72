import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { describe } from "../../../../player/dynerf_player/web/backend/description.js";
import { BytesSource, openClip } from "../../../../player/dynerf_player/web/dnv/index.js";
import { focusPoint, upAxis } from "../../../../player/dynerf_player/web/view/rig.js";
import { eigenvectors, solve } from "../../../../player/dynerf_player/web/view/symmetric.js";
import { assertClose } from "./support.mjs";

/** What the decoder computes: {rigs: [{poses, focus, up}], clip: {file, description}}. */
const expected = process.env.DYNERF_RIGS ? JSON.parse(readFileSync(process.env.DYNERF_RIGS, "utf8")) : null;

test("focus and vertical of rigs are those of the decoder", { skip: !expected }, () => {
  assert.ok(expected.rigs.length > 20);
  for (const { poses, focus, up } of expected.rigs) {
    assertClose(focusPoint(poses), focus, 1e-7);
    assertClose(upAxis(poses), up, 1e-9);
  }
});

test("a clip's description is that of the server", { skip: !expected }, async () => {
  const { file, description } = expected.clip;
  const clip = await openClip(new BytesSource(new Uint8Array(readFileSync(file))));
  const found = describe(clip, description.name);
  const { etag, page, poster, ...record } = description;
  assert.deepEqual(Object.keys(found).sort(), [...Object.keys(record), "etag"].sort());
  for (const key of ["focus", "up", "near", "far"]) assertClose(found[key], record[key], 1e-5);
  for (const key of ["cameras", "volume"]) assertClose(numbers(found[key]), numbers(record[key]));
  assert.deepEqual(found.cameras.map((camera) => [camera.name, camera.role]), record.cameras.map((camera) => [camera.name, camera.role]));
  for (const key of ["name", "frames", "fps", "seconds", "bytes", "width", "height", "layers", "field"]) {
    assert.equal(found[key], record[key], key);
  }
});

/** All numbers of a record, in the order of its keys. */
function numbers(value) {
  if (typeof value === "number") return [value];
  if (value === null || typeof value !== "object") return [];
  return Object.keys(value).sort().flatMap((key) => numbers(value[key]));
}

test("cameras that cannot be rendered are refused", () => {
  const camera = { name: "a", role: "training", width: 4, height: 4, focalX: 4, focalY: 4, centreX: 2, centreY: 2 };
  const pose = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0];
  const clip = (changes, viewingVolume = []) => ({
    header: {
      cameras: [{ ...camera, cameraToWorld: pose, ...changes }], viewingVolume, field: { kind: "planes" },
      space: { matrix: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], near: 0.1 },
    },
    segments: [{ layers: 1 }], sounds: [], frameCount: 1, frameRate: { num: 30, den: 1 }, duration: 1 / 30, size: 10, version: null,
  });
  assert.equal(describe(clip({}), "a").frames, 1);
  const refused = (changes, pattern, volume) => assert.throws(() => describe(clip(changes, volume), "a"), pattern);
  refused({ cameraToWorld: pose.with(3, 1e10) }, /farther than/);
  refused({ cameraToWorld: pose.with(0, 2) }, /not a rotation/);
  refused({ cameraToWorld: pose.with(1, 0.02) }, /not a rotation/); // its columns are not orthogonal
  refused({ cameraToWorld: pose.with(0, -1) }, /"a".*not a rotation/); // it is mirrored
  assert.equal(describe(clip({ cameraToWorld: pose.with(0, -1).with(10, -1) }), "a").frames, 1); // half a turn
  refused({ focalX: 1e-10 }, /beyond/);
  refused({}, /viewing_volume/, [[0, 0, 2e9]]);
});

test("eigenvectors and solutions of symmetric matrices", () => {
  const matrix = [[4, 1, -2], [1, 3, 0.5], [-2, 0.5, 1]];
  const product = (vector) => matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i], 0));
  const found = eigenvectors(matrix);
  for (const { value, vector } of found) assertClose(product(vector), vector.map((part) => value * part), 1e-12);
  assertClose(found.map(({ value }) => value), found.map(({ value }) => value).toSorted((a, b) => a - b));
  assertClose(product(solve(matrix, [1, 2, 3])), [1, 2, 3], 1e-12);
});
