import assert from "node:assert/strict";
import { test } from "node:test";

import { BLOCK, TimeStretch } from "../../../../player/dynerf_player/web/sound/time_stretch.js";

const RATE = 48_000;
const SPEEDS = [0.5, 0.75, 1.5, 2];

/** `signal` (planes) at a speed, given in parts of `size` samples. */
function stretched(signal, speed, size = 1600) {
  const stretch = new TimeStretch(signal.length, speed);
  const parts = [];
  for (let at = 0; at < signal[0].length; at += size) {
    stretch.write(signal.map((plane) => plane.subarray(at, at + size)));
    parts.push(stretch.read());
  }
  return signal.map((_, channel) => Float32Array.from(parts.flatMap((planes) => [...planes[channel]])));
}

function tone(seconds, ...frequencies) {
  return Float32Array.from({ length: seconds * RATE }, (_, i) => (
    frequencies.reduce((sum, frequency) => sum + 0.3 * Math.sin((2 * Math.PI * frequency * i) / RATE), 0)
  ));
}

/** Power of the part of a signal at a frequency, by projection on sine and cosine. */
function power(samples, frequency) {
  let [sine, cosine] = [0, 0];
  samples.forEach((value, i) => {
    sine += value * Math.sin((2 * Math.PI * frequency * i) / RATE);
    cosine += value * Math.cos((2 * Math.PI * frequency * i) / RATE);
  });
  return (2 * (sine * sine + cosine * cosine)) / samples.length;
}

for (const speed of SPEEDS) {
  test(`at speed ${speed} the pitch of a tone is kept, nearly without other tones`, () => {
    const [found] = stretched([tone(2, 440)], speed);
    assert.ok(Math.abs(found.length * speed - 2 * RATE) < 4 * BLOCK * Math.max(speed, 1));
    const middle = found.subarray(9600, 9600 + 48_000 / 2); // 220 periods
    const total = middle.reduce((sum, value) => sum + value * value, 0);
    assert.ok(total > 0.9 * 0.045 * middle.length); // the level is kept
    assert.ok(1 - power(middle, 440) / total < 1e-3, `${10 * Math.log10(1 - power(middle, 440) / total)} dB`);
  });

  test(`at speed ${speed} a click stays at its time within half a block and the search range`, () => {
    const signal = tone(2, 200, 310).map((value) => 0.1 * value);
    const clicks = [0.5, 1, 1.5].map((second) => second * RATE);
    clicks.forEach((at) => signal.fill(1, at, at + 40));
    const [found] = stretched([signal], speed);
    for (const at of clicks) {
      const [from, to] = [Math.round(at / speed) - 2400, Math.round(at / speed) + 2400];
      const loudest = found.subarray(from, to).reduce((best, value, i, all) => (Math.abs(value) > Math.abs(all[best]) ? i : best), 0);
      const error = Math.abs((from + loudest) * speed - at);
      assert.ok(error <= 720 + 480 * Math.abs(speed - 1) + 480 * speed, `${error} samples`);
    }
  });
}

test("both channels are cut at the same places", () => {
  const [left, right] = stretched([tone(1, 300), tone(1, 300).map((value) => -2 * value)], 1.5);
  left.forEach((value, i) => assert.ok(Math.abs(right[i] + 2 * value) < 1e-6));
});

test("the size of the parts does not matter", () => {
  const signal = tone(1, 250, 430);
  assert.deepEqual(stretched([signal], 0.75, 333), stretched([signal], 0.75, 48_000));
});

test("little input is kept", () => {
  const stretch = new TimeStretch(1, 2);
  for (let i = 0; i < 100; i += 1) {
    stretch.write([new Float32Array(1600)]);
    stretch.read();
    assert.ok(stretch.input[0].length < 12_000);
  }
});
