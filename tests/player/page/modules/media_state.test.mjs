import assert from "node:assert/strict";
import { test } from "node:test";

import { MediaState, NETWORK, READY, TimeRanges } from "../../../../player/dynerf_player/web/element/media_state.js";

/** A state, and the events that it has fired; `events()` waits for those under way and clears them. */
function recorded() {
  const fired = [];
  const state = new MediaState((type) => fired.push(type));
  return { state, events: async () => { await new Promise(setImmediate); return fired.splice(0); } };
}

async function ready() {
  const both = recorded();
  both.state.load(false);
  both.state.opened();
  both.state.available();
  await both.events();
  return both;
}

test("a clip is loaded in the order of a media element", async () => {
  const { state, events } = recorded();
  state.load(true);
  assert.deepEqual([state.networkState, state.readyState, state.paused], [NETWORK.LOADING, READY.NOTHING, false]);
  assert.deepEqual(await events(), ["loadstart", "play"]);
  state.opened();
  assert.equal(state.readyState, READY.METADATA);
  assert.deepEqual(await events(), ["durationchange", "loadedmetadata", "resize"]);
  state.available();
  assert.equal(state.readyState, READY.ENOUGH_DATA);
  assert.deepEqual(await events(), ["loadeddata", "canplay", "playing", "canplaythrough"]);
  state.progress();
  state.idle();
  state.idle();
  assert.deepEqual(await events(), ["progress", "suspend"]);
});

test("play() resolves when pictures are there, and pause() rejects it", async () => {
  const { state, events } = recorded();
  state.load(false);
  const interrupted = state.play();
  state.pause();
  await assert.rejects(interrupted, { name: "AbortError" });
  assert.deepEqual(await events(), ["loadstart", "play", "timeupdate", "pause"]);
  const played = state.play();
  state.opened();
  state.available();
  await played;
  assert.equal(state.paused, false);
  await state.play(); // it plays already
});

test("play() rejects what cannot be shown, and a new source interrupts it", async () => {
  const { state, events } = recorded();
  state.load(false);
  const promise = state.play();
  state.fail({ name: "NotDnvError", message: "found HTML" });
  await assert.rejects(promise, { name: "NotSupportedError", message: "found HTML" });
  assert.deepEqual([state.error.code, state.networkState], [4, NETWORK.NO_SOURCE]);
  await assert.rejects(state.play(), { name: "NotSupportedError" });
  await events();
  state.unload();
  state.load(false);
  assert.equal(state.error, null);
  const second = state.play();
  state.unload();
  await assert.rejects(second, { name: "AbortError" });
  assert.deepEqual(await events(), ["emptied", "loadstart", "play", "abort", "emptied"]);
});

test("errors have the codes of a media element", async () => {
  for (const [name, code] of [["RemoteError", 2], ["ChecksumError", 3], ["NotSupportedError", 4]]) {
    const { state } = await ready();
    state.fail({ name, message: "m" });
    assert.equal(state.error.code, code, name);
  }
});

test("missing data is waited for", async () => {
  const { state, events } = await ready();
  state.play();
  state.missing();
  state.missing();
  assert.equal(state.readyState, READY.CURRENT_DATA);
  state.available();
  assert.deepEqual(await events(), ["play", "playing", "waiting", "canplay", "playing", "canplaythrough"]);
});

test("seeks end once, and the end of the clip pauses", async () => {
  const { state, events } = await ready();
  state.seek();
  state.sought();
  state.sought();
  assert.deepEqual(await events(), ["seeking", "timeupdate", "seeked"]);
  await state.play();
  state.ended();
  assert.deepEqual([state.paused, state.atEnd], [true, true]);
  assert.deepEqual(await events(), ["play", "playing", "timeupdate", "pause", "ended"]);
  state.seek();
  assert.equal(state.atEnd, false);
});

test("timeupdate is fired four times a second", async () => {
  const { state, events } = await ready();
  for (let now = 0; now < 1000; now += 16) state.advanced(now);
  assert.deepEqual(await events(), Array(4).fill("timeupdate"));
});

test("ranges refuse an index that is not there", () => {
  const ranges = new TimeRanges([[0, 1], [2, 3]]);
  assert.deepEqual([ranges.length, ranges.start(1), ranges.end(1)], [2, 2, 3]);
  assert.throws(() => ranges.start(2), { name: "IndexSizeError" });
});
