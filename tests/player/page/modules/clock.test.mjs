import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock } from "../../../../player/dynerf_player/web/net/clock.js";
import { formatTime } from "../../../../player/dynerf_player/web/net/time_text.js";
import { assertClose } from "./support.mjs";

const clip = { frames: 30, fps: 30, seconds: 1 };

/** Content time after the clock ticked at these milliseconds. */
function timeAfter(clock, ...moments) {
  for (const now of moments) clock.tick(now);
  return clock.time;
}

test("time passes while the clock runs, at its speed", () => {
  const clock = new Clock(clip);
  assertClose(timeAfter(clock, 0, 200), 0); // paused
  clock.toggle();
  assertClose(timeAfter(clock, 300, 400), 0.2);
  clock.speed = 0.5;
  assertClose(timeAfter(clock, 600), 0.3);
});

test("time stands still while frozen or buffering", () => {
  const clock = new Clock(clip);
  clock.toggle();
  assertClose(timeAfter(clock, 0, 200), 0.2);
  clock.frozen = true;
  assertClose(timeAfter(clock, 400), 0.2);
  Object.assign(clock, { frozen: false, buffering: true });
  assertClose(timeAfter(clock, 600), 0.2);
  clock.buffering = false;
  assertClose(timeAfter(clock, 800), 0.4);
});

test("a looping clip wraps around, and a hidden page advances by at most 250 ms", () => {
  const clock = new Clock(clip);
  clock.seek(0.3);
  Object.assign(clock, { playing: true, speed: 2 });
  assertClose(timeAfter(clock, 0, 200, 400), 0.1);
  assertClose(timeAfter(clock, 60_400), 0.6);
});

test("a clip that does not loop stops at its last frame, and plays again from the start", () => {
  const clock = new Clock(clip);
  clock.seek(0.9);
  Object.assign(clock, { playing: true, loop: false });
  assertClose(timeAfter(clock, 0, 200), 29 / 30);
  assert.equal(clock.playing, false);
  clock.toggle();
  assert.equal(clock.time, 0);
});

test("steps go to whole frames, wrap around in a loop, and pause", () => {
  const clock = new Clock(clip);
  const step = (direction) => {
    clock.step(direction);
    return clock.frame;
  };
  clock.seek(0.105);
  clock.playing = true;
  assertClose([1, 1, -1, -1, -1].map(step), [4, 5, 4, 3, 2]);
  assert.equal(clock.playing, false);
  clock.seek(9);
  assertClose([1, -1].map(step), [0, 29]);
  clock.loop = false;
  assertClose(step(1), 29);
});

test("times are written as minutes, seconds and hundredths", () => {
  assert.deepEqual([0, 59.999, 61.5].map(formatTime), ["0:00.00", "1:00.00", "1:01.50"]);
});
