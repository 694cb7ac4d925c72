import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHash, toHash } from "../../../../player/dynerf_player/web/view/share.js";

const camera = { position: [1.25, -2, 3], rotation: [0, 0.6, 0, 0.8], fov: 40 };

test("links hold time and camera, or the capture camera's name", () => {
  assert.equal(toHash(0.4, camera), "#t=0.400&at=1.25,-2,3&turn=0,0.6,0,0.8&fov=40");
  assert.deepEqual(fromHash(toHash(0.4, camera)), { time: 0.4, name: null, camera });
  const named = toHash(0.4, camera, { name: "cam & 3" });
  assert.deepEqual(fromHash(named), { time: 0.4, name: "cam & 3", camera: null });
});

test("links may hold map coordinates", () => {
  const far = { ...camera, position: [500012.4, 4649776.25, 120.7] };
  assert.deepEqual(fromHash(toHash(0.4, far)).camera, far);
});

const malformed = [
  "", "#", "#t=", "#t=NaN&at=1,2,3", "#t=1e99", "#at=1,2&turn=0,0,0,1&fov=45", "#at=1,2,3&turn=0,0,0,0&fov=45",
  "#at=1,2,3&turn=0,0,0,1&fov=200", "#at=1,2,Infinity&turn=0,0,0,1&fov=45", "#%E0%A4%A&t=x",
];

for (const hash of malformed) {
  test(`malformed links are ignored: ${hash}`, () => {
    assert.deepEqual(fromHash(hash), { time: null, name: null, camera: null });
  });
}
