import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "../../../../player/dynerf_player/web/sound/sound_timeline.js";

const NTSC = { num: 30_000, den: 1001 };
const GROUPS = [{ first: 0, count: 10 }, { first: 10, count: 10 }, { first: 20, count: 9 }];

/** The first `count` pieces as [chunk, offset, samples]. */
function take(pieces, count) {
  const found = [];
  for (const { chunk, offset, samples } of pieces) {
    found.push([chunk, offset, samples]);
    if (found.length === count) break;
  }
  return found;
}

test("chunks follow each other sample by sample", () => {
  const timeline = new Timeline(GROUPS, 29, NTSC);
  assert.deepEqual(take(timeline.pieces(0, false), 9), [[0, 0, 16_016], [1, 0, 16_016], [2, 0, 14_414]]);
  assert.deepEqual(take(timeline.pieces(20_000, false), 9), [[1, 3984, 12_032], [2, 0, 14_414]]);
});

test("a loop of any number of passes starts each within half a sample of its time", () => {
  const timeline = new Timeline(GROUPS, 29, NTSC);
  let [position, pass] = [0, 0];
  for (const { chunk, offset, samples } of timeline.pieces(0, true)) {
    if (chunk === 0 && offset === 0) {
      assert.ok(Math.abs(position - (pass * 29 * 48_000 * 1001) / 30_000) <= 0.5);
      pass += 1;
    }
    position += samples;
    if (pass > 2000) break;
  }
});

test("a missing chunk, and frames after the last one, are silent", () => {
  const timeline = new Timeline([GROUPS[1]], 40, { num: 30, den: 1 });
  assert.deepEqual(take(timeline.pieces(0, false), 9), [[null, 0, 16_000], [0, 0, 16_000], [null, 0, 24_000], [null, 0, 8000]]);
  assert.deepEqual(take(new Timeline([], 1, { num: 30, den: 1 }).pieces(0, true), 3), Array(3).fill([null, 0, 1600]));
});

test("chunks beyond the clip are cut or left out", () => {
  const timeline = new Timeline([{ first: 0, count: 2 ** 32 - 1 }, { first: 2 ** 32 - 1, count: 2 ** 32 - 1 }], 3, { num: 30, den: 1 });
  assert.deepEqual(take(timeline.pieces(0, false), 9), [[0, 0, 4800]]);
  assert.deepEqual(timeline.between(0, 1).map(({ index }) => index), [0]);
  assert.deepEqual(timeline.between(0.1, 1), []);
});
