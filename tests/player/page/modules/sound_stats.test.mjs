import assert from "node:assert/strict";
import { test } from "node:test";

import { soundRows } from "../../../../player/dynerf_player/web/video/sound_stats.js";

const SOUND = {
  codec: "Opus", channels: 2, decoder: "WebCodecs", state: "playing", why: "", fetched: 12_345, requests: 3, silentChunks: 0, driftMs: -4.2,
};

test("the statistics name the sound's coding, its bytes and its distance from the pictures", () => {
  assert.deepEqual(soundRows(SOUND), [
    ["Sound", "Opus stereo, WebCodecs, pictures 4 ms late"], ["Sound fetched", "12.3 kB, 3 requests"],
  ]);
  const muted = { ...SOUND, channels: 1, state: "muted", silentChunks: 2, driftMs: null };
  assert.equal(soundRows(muted)[0][1], "Opus mono, WebCodecs, muted, 2 parts damaged or missing");
  const [[, one], [, fetched]] = soundRows({ ...muted, silentChunks: 1, requests: 1 });
  assert.deepEqual([one, fetched], ["Opus mono, WebCodecs, muted, 1 part damaged or missing", "12.3 kB, 1 request"]);
});

test("the statistics say why there is no sound, and nothing of a clip without", () => {
  assert.equal(soundRows({ ...SOUND, state: "failed", why: "this browser has no Web Audio" })[0][1], "this browser has no Web Audio");
  assert.deepEqual(soundRows(null), []);
});
