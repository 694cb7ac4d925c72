/**
 * Measures the time stretching of the player: how much of the output of tones is at their frequencies, and CPU time.
 *
 *     node benchmarks/time_stretch.mjs
 *
 * Printed as Markdown: energy of everything else than the tones, in dB below all, over 2 s, by projection on the tones;
 * and CPU milliseconds for a second of output, in stereo.
 */
import { TimeStretch } from "../player/dynerf_player/web/sound/time_stretch.js";

const RATE = 48_000;
const SECONDS = 10; // of input
const SIGNALS = { "440 Hz": [440], "100, 1234, 5000 Hz": [100, 1234, 5000], "220, 277, 330 Hz": [220, 277, 330] };
const SPEEDS = [0.5, 0.75, 1.25, 1.5, 2];

function tones(frequencies) {
  return Float32Array.from({ length: SECONDS * RATE }, (_, i) => (
    frequencies.reduce((sum, frequency) => sum + 0.2 * Math.sin((2 * Math.PI * frequency * i) / RATE), 0)
  ));
}

/** {samples, cpuMs} of a signal at a speed; `cpuMs` for a second of output. */
function stretched(signal, speed) {
  const stretch = new TimeStretch(2, speed);
  const parts = [];
  const start = process.cpuUsage();
  for (let at = 0; at < signal.length; at += RATE) {
    const part = signal.subarray(at, at + RATE);
    stretch.write([part, part]);
    parts.push(stretch.read()[0]);
  }
  const { user, system } = process.cpuUsage(start);
  const samples = Float32Array.from(parts.flatMap((part) => [...part]));
  return { samples, cpuMs: (user + system) / 1000 / (samples.length / RATE) };
}

/** Energy outside of the tones relative to all, in dB. */
function rest(samples, frequencies) {
  const total = samples.reduce((sum, value) => sum + value * value, 0);
  const found = frequencies.reduce((sum, frequency) => sum + energy(samples, frequency), 0);
  return 10 * Math.log10(1 - found / total);
}

function energy(samples, frequency) {
  let [sine, cosine] = [0, 0];
  samples.forEach((value, i) => {
    sine += value * Math.sin((2 * Math.PI * frequency * i) / RATE);
    cosine += value * Math.cos((2 * Math.PI * frequency * i) / RATE);
  });
  return (2 * (sine * sine + cosine * cosine)) / samples.length;
}

const names = Object.keys(SIGNALS);
console.log(`| speed | ${names.join(" | ")} | CPU, ms |\n|--:|${"--:|".repeat(names.length + 1)}`);
for (const speed of SPEEDS) {
  const runs = Object.values(SIGNALS).map((frequencies) => {
    const { samples, cpuMs } = stretched(tones(frequencies), speed);
    return { level: rest(samples.subarray(RATE, 3 * RATE), frequencies), cpuMs };
  });
  const cpu = Math.max(...runs.map(({ cpuMs }) => cpuMs));
  console.log(`| ${speed} | ${runs.map(({ level }) => level.toFixed(1)).join(" | ")} | ${cpu.toFixed(0)} |`);
}
