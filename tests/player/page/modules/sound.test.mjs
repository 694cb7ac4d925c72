import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { FormatError, RemoteError } from "../../../../player/dynerf_player/web/dnv/errors.js";
import { Clock } from "../../../../player/dynerf_player/web/net/clock.js";
import { ClipSound } from "../../../../player/dynerf_player/web/sound/clip_sound.js";
import { ChunkStore } from "../../../../player/dynerf_player/web/sound/chunk_store.js";
import { assertClose } from "./support.mjs";

const RATE = 48_000;
const LATENCY = 0.02; // seconds between mixing and hearing
const CLIP = { frames: 30, fps: 30, seconds: 1 };
const opened = [];

/** A device whose time the test advances; `played` lists [first sample, planes] of all that was scheduled. */
class FakeOutput {
  isRunning = true;
  time = 0;
  played = [];
  voices = 0;
  volume = null;

  get position() {
    return Math.round(this.time * RATE);
  }

  audibleAt(now) {
    return (now / 1000 - LATENCY) * RATE;
  }

  voice() {
    this.voices += 1;
    return { play: (planes, at) => this.played.push([at, planes]), stop: () => { this.voices -= 1; } };
  }

  setVolume(volume) {
    this.volume = volume;
  }

  resume() {}

  suspend() {}

  close() {}
}

/** A page with a clip of three chunks, the second 1/3 later; `read(index)` and `output` replace those of the fake. */
function pageOf({ read = async (index) => ({ index, channels: 1 }), output = new FakeOutput(), muted = false, allowed = true } = {}) {
  const events = [];
  const page = { now: 0, allowed };
  const track = {
    entries: [0, 10, 20].map((first) => ({ first, count: 10 })), frames: 30, frameRate: { num: 30, den: 1 }, read,
    transfer: { requests: 1, received: 7 },
  };
  const parts = {
    openTrack: async () => track,
    createDecoder: async () => ({ name: "fake", decode: async ({ index }) => [new Float32Array(16_000).fill(index + 1)] }),
    mayStart: () => page.allowed,
    createOutput: () => output,
  };
  const sound = new ClipSound(CLIP, {
    muted, volume: 0.5, onblocked: () => events.push("blocked"), onfailure: (message) => events.push(message),
  }, parts);
  opened.push(sound);
  return Object.assign(page, { sound, output, events, clock: new Clock(CLIP) });
}

afterEach(() => opened.splice(0).forEach((sound) => sound.close()));

/** Animation frames of 10 ms; promises are resolved between them. Returns the clock's time after each. */
async function run(page, frames) {
  const times = [];
  for (let i = 0; i < frames; i += 1) {
    page.now += 10;
    page.output.time = page.now / 1000;
    page.clock.tick(page.now, page.sound.follow(page.clock, page.now, true));
    page.sound.reached(page.clock.time);
    times.push(page.clock.time);
    await new Promise(setImmediate);
  }
  return times;
}

/** A page that has played for half a second. */
async function playing(options) {
  const page = pageOf(options);
  await run(page, 3);
  page.clock.playing = true;
  await run(page, 50);
  return page;
}

test("chunks are scheduled one behind the other, and time is what is audible", async () => {
  const { output, clock, now } = await playing();
  const [start] = output.played[0];
  output.played.forEach(([at, [plane]], index) => {
    assert.equal(at, start + index * 16_000);
    assert.equal(plane[0], (index % 3) + 1); // it loops
  });
  assert.ok(output.played.length > 6); // more than two seconds ahead
  assertClose(clock.time, now / 1000 - LATENCY - start / RATE);
});

test("time stays with the sound over loops", async () => {
  const page = await playing();
  await run(page, 1000);
  const audible = page.now / 1000 - LATENCY - page.output.played[0][0] / RATE;
  assertClose(page.clock.time, audible % 1);
  assert.equal(page.output.voices, 1); // it has never started anew
});

test("a clip that does not loop plays to its end", async () => {
  const page = pageOf();
  page.clock.loop = false;
  await run(page, 3);
  page.clock.playing = true;
  await run(page, 130);
  assert.equal(page.clock.playing, false);
  assert.equal(page.output.played.length, 3);
  assert.equal(page.output.voices, 0);
});

test("a seek starts where it leads to", async () => {
  const page = await playing();
  page.output.played.length = 0;
  page.clock.seek(0.5);
  await run(page, 1);
  assertClose(page.clock.time, 0.5);
  const [[, [plane]]] = page.output.played;
  assert.equal(plane[0], 2);
  assert.equal(plane.length, 8000); // the second half of the second chunk
});

test("pausing, freezing, missing pictures, muting and speeds out of range are silent", async () => {
  const page = await playing();
  for (const change of [{ playing: false }, { frozen: true }, { buffering: true }, { speed: 0.25 }, { speed: 4 }]) {
    const before = Object.fromEntries(Object.keys(change).map((name) => [name, page.clock[name]]));
    Object.assign(page.clock, change);
    await run(page, 2);
    assert.equal(page.output.voices, 0, JSON.stringify(change));
    Object.assign(page.clock, before);
    await run(page, 2);
    assert.equal(page.output.voices, 1);
  }
  page.sound.setMuted(true);
  const [before, after] = await run(page, 2);
  assert.equal(page.output.voices, 0);
  assertClose(after - before, 0.01); // time passes by itself
});

test("other speeds are stretched, and time passes at them", async () => {
  const page = await playing();
  page.clock.speed = 1.5;
  await run(page, 20);
  const [before, after] = await run(page, 2);
  assertClose((after - before + 1) % 1, 0.015);
  assert.equal(page.output.played.at(-1)[1].length, 2);
});

test("pictures wait for sound that is to be fetched, but not for long", async () => {
  const page = pageOf({ read: () => new Promise(() => {}) });
  page.clock.playing = true;
  assertClose((await run(page, 150)).at(-1), 0);
  assert.ok((await run(page, 100)).at(-1) > 0.3);
});

test("sound that is switched on does not hold up pictures", async () => {
  const page = pageOf({ muted: true });
  page.clock.playing = true;
  await run(page, 30);
  assert.equal(page.sound.stats().fetched, 0); // nothing is fetched for a muted clip
  page.sound.setMuted(false);
  const times = await run(page, 3);
  assert.ok(times.every((time) => time > 0.28));
  await run(page, 20);
  assert.equal(page.output.voices, 1);
  assert.equal(page.sound.stats().fetched, 7);
});

test("a chunk that comes late holds up sound and pictures together", async () => {
  let deliver;
  const late = new Promise((resolve) => { deliver = () => resolve({ index: 1, channels: 1 }); });
  const page = await playing({ read: async (index) => (index === 1 ? late : { index, channels: 1 }) });
  assertClose(page.clock.time, 1 / 3, 0.01); // within an animation frame
  deliver();
  await run(page, 20);
  assert.ok(page.clock.time > 0.4);
  const [at, [plane]] = page.output.played[1];
  assert.deepEqual([plane[0], plane.length], [2, 16_000]);
  assert.ok(at > page.output.played[0][0] + 16_000);
});

test("a damaged chunk is silent, and the rest plays", async () => {
  const damaged = async (index) => {
    if (index === 1) throw new FormatError("damaged");
    return { index, channels: 2 };
  };
  const page = await playing({ read: damaged });
  assert.deepEqual(page.output.played.slice(0, 2).map(([, [plane]]) => plane[0]), [1, 3]);
  assert.equal(page.output.played[1][0] - page.output.played[0][0], 32_000);
  assert.deepEqual([page.sound.stats().silentChunks, page.sound.stats().channels, page.events], [1, 2, []]);
});

test("sound that cannot be fetched is reported once, and pictures go on", async () => {
  const page = await playing({ read: async () => { throw new RemoteError("no such file"); } });
  assert.ok(page.clock.time > 0.3);
  assert.deepEqual(page.events, ["No sound: no such file"]);
});

test("a page that may not play sound yet is reported", async () => {
  const page = await playing({ allowed: false });
  const { output, events, sound } = page;
  assert.equal(events[0], "blocked");
  assert.ok(page.clock.time > 0.4); // pictures go on
  sound.unlock();
  assert.equal(sound.output, null); // no device is opened
  page.allowed = true;
  sound.unlock();
  assert.equal(sound.output, output);
  assert.equal(output.volume, 0.5);
});

test("a device that does not start is reported, and one that has run is waited for", async () => {
  const output = new FakeOutput();
  output.isRunning = false;
  const page = await playing({ output });
  await run(page, 100);
  assert.equal(page.events[0], "blocked");
  output.isRunning = true;
  await run(page, 5);
  page.events.length = 0;
  output.isRunning = false;
  page.clock.seek(0.2);
  await run(page, 150);
  assert.deepEqual(page.events, []);
  assertClose(page.clock.time, 0.2);
});

test("a device that stands still does not hold up pictures for long", async () => {
  const page = await playing();
  page.output.audibleAt = () => 0;
  await run(page, 400);
  const { state, why } = page.sound.stats();
  assert.deepEqual([state, why], ["failed", "Sound is not supported here: the audio device stands still"]);
  const [before, after] = await run(page, 2);
  assertClose((after - before + 1) % 1, 0.01);
});

test("pictures are requested earlier by the time that they take", async () => {
  const page = await playing();
  for (let i = 0; i < 200; i += 1) {
    const audible = page.sound.run.timeAt(page.now);
    page.sound.shown((audible + page.sound.lead - 0.12 + 1) % 1, page.now);
    await run(page, 2);
  }
  assertClose(page.sound.lead, 0.12, 1e-3);
  assert.ok(Math.abs(page.sound.stats().driftMs) < 1);
});

test("decoded chunks are kept as far as they fit", async () => {
  const store = new ChunkStore({
    read: async (index) => index, decode: async () => [new Float32Array(10)], onfailure: assert.fail, limit: 100,
  });
  for (const index of [0, 1, 0, 2]) await store.get(index);
  assert.deepEqual([0, 1, 2].map((index) => Boolean(store.has(index))), [true, false, true]);
});
