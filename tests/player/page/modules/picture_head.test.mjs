import assert from "node:assert/strict";
import { test } from "node:test";

import { readHead } from "../../../../player/dynerf_player/web/net/picture_head.js";

// The head that Python's struct packs as "<BBBBIfHHffQ" of (1, 0, 1, 3, 7, 2.5, 64, 48, 1.0, 0.5, 99000).
const HEAD = "010001030700000000002040400030000000803f0000003fb882010000000000";

const bufferOf = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16)).buffer;

test("heads of pictures are read", () => {
  assert.deepEqual(readHead(bufferOf(HEAD)), {
    length: 32, codec: 0, key: true, final: false, layers: 3, id: 7, frame: 2.5, width: 64, height: 48,
    renderMs: 1, codingMs: 0.5, fetched: 99_000,
  });
});

test("short messages and other versions are not pictures", () => {
  assert.equal(readHead(bufferOf(HEAD.slice(0, -2))), null);
  assert.equal(readHead(bufferOf(`02${HEAD.slice(2)}`)), null);
});
