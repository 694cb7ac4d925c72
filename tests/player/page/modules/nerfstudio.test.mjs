import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";

import { fromNerfstudio, toNerfstudio } from "../../../../player/dynerf_player/web/view/nerfstudio.js";
import { dot } from "../../../../player/dynerf_player/web/view/vector.js";
import { assertClose, examplePath } from "./support.mjs";

const path = examplePath();
const file = toNerfstudio(path, { width: 64, height: 48 });

test("an exported path has all pictures, and loads with its keyframes", () => {
  assert.equal(file.camera_path.length, 60);
  const { keys, seconds } = fromNerfstudio(JSON.stringify(file), path.clip);
  assert.equal(seconds, 2);
  assert.equal(keys.length, 3);
  for (const [index, key] of path.keys.entries()) {
    assertClose(keys[index].position, key.position);
    assertClose(Math.abs(dot(keys[index].rotation, key.rotation)), 1);
    assertClose([keys[index].fov, keys[index].time], [key.fov, key.time]);
  }
  // The test that started this one reads the same file with the decoder.
  if (process.env.DYNERF_PATH_FILE) writeFileSync(process.env.DYNERF_PATH_FILE, JSON.stringify(file));
});

test("without valid keyframes every picture becomes one", () => {
  const dense = { ...file, keyframes: [{ matrix: "old" }, { matrix: "old" }] };
  const { keys } = fromNerfstudio(JSON.stringify(dense), path.clip);
  assert.equal(keys.length, 60);
  assertClose(keys[20].position, path.pictures()[20].position);
});

const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const invalid = [
  ["nonsense", "not a JSON object"],
  ["null", "not a JSON object"],
  ["{}", "has 0 cameras"],
  ['{"camera_path": [{"fov": 45}]}', "camera_path[0]: expected a camera pose"],
  ['{"camera_path": [null]}', "camera_path[0]: expected a camera pose"],
  [JSON.stringify({ camera_path: [{ camera_to_world: Array(16).fill(9), fov: 45 }] }), "expected a camera pose"],
  [JSON.stringify({ camera_path: [{ camera_to_world: identity }] }), "fov is not an angle"],
  [JSON.stringify({ camera_path: Array(3601).fill({}) }), "has 3601 cameras"],
];

for (const [text, message] of invalid) {
  test(`refused: ${text.slice(0, 60)}`, () => {
    assert.throws(() => fromNerfstudio(text, path.clip), (error) => error.message.includes(message));
  });
}
