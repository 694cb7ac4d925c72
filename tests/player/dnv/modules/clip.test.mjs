import assert from "node:assert/strict";
import { test } from "node:test";

import { sha256 } from "./check_vectors.js";
import { FOLDER, dnv, fromPytest, open, vector } from "./support.mjs";

const { BytesSource, ViewError } = dnv;

/** A source that records its reads, and fails those for which `fault` returns an error. */
class Recorded extends BytesSource {
  constructor(data, fault = () => null) {
    super(data);
    Object.assign(this, { fault, reads: [] });
  }

  async read(offset, length, options) {
    this.reads.push([offset, length]);
    const error = this.fault(offset);
    if (error) throw error;
    return super.read(offset, length, options);
  }
}

const digests = (tensors) => Promise.all([...tensors.values()].map((tensor) => sha256(tensor.dequantise())));

test("a clip describes cameras, time, segments and groups", async () => {
  const clip = await open("two_segments.dnv");
  assert.equal(clip.cameras.length, 2);
  assert.equal(clip.cameras[1].role, "held_out");
  assert.deepEqual([clip.frameCount, clip.frameRate, clip.duration], [8, { num: 30, den: 1 }, 8 / 30]);
  assert.deepEqual(
    clip.segments.map(({ start, end, layers, depth }) => [start, end, layers, depth]),
    [[0, 5, 1, 0], [5, 8, 1, 0]],
  );
  assert.deepEqual(
    clip.groups.map(({ segment, start, end }) => [segment, start, end]),
    [[0, 0, 2], [0, 2, 4], [0, 4, 5], [1, 5, 7], [1, 7, 8]],
  );
  assert.equal(clip.size, vector("two_segments.dnv").length);
});

test("a moment lies between two frames of a segment, or at the nearer frame at a segment's border", async () => {
  const clip = await open("two_segments.dnv");
  assert.deepEqual(clip.moment(1.25), { frame: 1, weight: 0.25 });
  assert.deepEqual([4.4, 4.5, 4.6].map((frame) => clip.moment(frame).frame), [4, 4, 5]);
  assert.equal(clip.moment(4.4).weight, 0);
  assert.equal(clip.segmentAt(5), 1);
  assert.throws(() => clip.moment(7.5), ViewError);
  assert.throws(() => clip.moment(NaN), ViewError);
  assert.throws(() => clip.segmentAt(8), ViewError);
});

test("layers refine the same canvases in place, and a lower layer that is loaded again is decoded anew", async () => {
  const clip = await open("layered.dnv");
  const coarse = await clip.loadLayer(0, 0);
  const before = await digests(coarse.tensors);
  const canvas = coarse.tensors.get("planes.0").canvas;
  const coded = coarse.tensors.get("planes.1").canvas;
  assert.deepEqual(coarse.changed, ["planes.0", "head.weight", "head.bias", "planes.1"]);
  const finer = await clip.loadLayer(0, 1);
  assert.equal(finer.tensors.get("planes.0").canvas, canvas);
  assert.deepEqual(finer.changed, ["planes.0", "head.weight", "planes.1"]);
  assert.notEqual(finer.tensors.get("planes.1").canvas, coded); // coded anew
  assert.deepEqual((await clip.loadLayer(0, 2)).changed, ["planes.0"]);
  const again = await clip.loadLayer(0, 0);
  assert.notEqual(again.tensors.get("planes.0").canvas, canvas);
  assert.deepEqual(await digests(again.tensors), before);
});

test("a layer loads what it builds on: lower layers, and the segments before it", async () => {
  const straight = await open("continued.dnv");
  const jumping = await open("continued.dnv");
  for (const segment of [0, 1, 2, 3]) {
    for (const layer of [0, 1, 2]) await straight.loadLayer(segment, layer);
    const { tensors } = await jumping.loadLayer(2, 2);
    if (segment === 2) assert.deepEqual(await digests(tensors), await digests((await straight.loadLayer(2, 2)).tensors));
  }
});

test("layers of a continued segment can be loaded in any order", async () => {
  const clip = await open("continued.dnv");
  const found = new Map();
  for (const [segment, layer] of [[2, 0], [0, 2], [1, 1], [2, 2], [1, 0], [0, 0], [2, 1], [1, 2], [1, 1], [3, 2], [2, 0]]) {
    const hashes = String(await digests((await clip.loadLayer(segment, layer)).tensors));
    const key = `${segment} ${layer}`;
    assert.equal(hashes, found.get(key) ?? hashes);
    found.set(key, hashes);
  }
  assert.equal(new Set(found.values()).size, found.size);
});

test("loads at once take turns and give the same", async () => {
  const [clip, other] = [await open("layered.dnv"), await open("layered.dnv")];
  const symbols = ({ tensors }) => tensors.get("planes.0").symbols; // taken at once, before the next layer refines them
  const found = await Promise.all([0, 1, 2].map((layer) => clip.loadLayer(0, layer).then(symbols)));
  for (const layer of [0, 1, 2]) assert.deepEqual(found[layer], symbols(await other.loadLayer(0, layer)));
});

test("loads of many segments at once do not take each other's layers", { skip: !FOLDER }, async () => {
  const data = new Uint8Array(fromPytest("key_segments.dnv"));
  const [clip, other] = [await dnv.openClip(new BytesSource(data)), await dnv.openClip(new BytesSource(data))];
  assert.ok(clip.segments.length >= 4);
  const all = [...clip.segments.keys()];
  await Promise.all(all.map((segment) => clip.loadLayer(segment, 0)));
  const pairs = [0, 1, 2].flatMap((layer) => all.map((segment) => [segment, layer]));
  const loaded = await Promise.all(
    pairs.map(async ([segment, layer]) => String(await digests((await clip.loadLayer(segment, layer)).tensors))),
  );
  const lasts = loaded.slice(-all.length);
  for (const segment of all) {
    assert.equal(lasts[segment], String(await digests((await other.loadLayer(segment, 2)).tensors)));
  }
});

test("after a failed load the segment is decoded from its first layer", async () => {
  const data = vector("layered.dnv");
  const reader = (await open("layered.dnv")).reader;
  const last = reader.directory.find(({ layer }) => layer === 2);
  const source = new Recorded(data);
  const clip = await dnv.openClip(source);
  await clip.loadLayer(0, 1);
  source.fault = (offset) => (offset === last.offset ? new Error("no network") : null);
  await assert.rejects(clip.loadLayer(0, 2), /no network/);
  source.fault = () => null;
  const expected = await (await open("layered.dnv")).loadLayer(0, 2);
  assert.deepEqual(await digests((await clip.loadLayer(0, 2)).tensors), await digests(expected.tensors));
});

/** Makes every slice of decoding one wave long: performance.now() grows by a second per call. */
function slowClock(context) {
  let now = 0;
  context.mock.method(performance, "now", () => (now += 1000));
}

test("a load that is aborted while it decodes leaves nothing half refined", async (context) => {
  slowClock(context);
  const clip = await open("cut_waves.dnv");
  await clip.loadLayer(0, 0);
  let calls = 0;
  const signal = {
    throwIfAborted() {
      calls += 1;
      if (calls > 5) throw new Error("the viewer seeks");
    },
  };
  await assert.rejects(clip.loadLayer(0, 1, { signal }), /the viewer seeks/);
  await assert.rejects(clip.loadLayer(0, 1, { signal: AbortSignal.abort(new Error("before")) }), /before/);
  const expected = await (await open("cut_waves.dnv")).loadLayer(0, 1);
  assert.deepEqual(await digests((await clip.loadLayer(0, 1)).tensors), await digests(expected.tensors));
});

test("decoding gives other tasks a turn, also inside of a tensor", async (context) => {
  slowClock(context);
  const clip = await open("cut_waves.dnv");
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 0);
  await clip.loadLayer(0, 0);
  clearInterval(counting);
  assert.ok(turns > 2, `${turns} turns`);
});

test("a group of latents is read once for its frames, also by several callers at once", async () => {
  const source = new Recorded(vector("two_segments.dnv"));
  const clip = await dnv.openClip(source);
  source.reads.length = 0;
  const aborted = clip.latents(0, { signal: AbortSignal.abort(new Error("late")) });
  await assert.rejects(aborted, /late/);
  const rows = await Promise.all([0, 1, 0, 1].map((frame) => clip.latents(frame)));
  assert.equal(source.reads.length, 1);
  assert.deepEqual(rows[0], rows[2]);
  assert.notDeepEqual(rows[0], rows[1]);
  assert.ok(rows[0] instanceof Float64Array);
});

test("a group that failed to load is read again", async () => {
  const source = new Recorded(vector("smallest.dnv"));
  const clip = await dnv.openClip(source);
  source.fault = () => new Error("no network");
  await assert.rejects(clip.latents(0), /no network/);
  source.fault = () => null;
  assert.deepEqual([...(await clip.latents(0))], [0.125, -0.25]);
});

test("what a clip does not have is a ViewError", async () => {
  const clip = await open("layered.dnv");
  for (const [segment, layer] of [[1, 0], [-1, 0], [0, 3], [0, -1], [0, 0.5], [0.5, 0]]) {
    await assert.rejects(clip.loadLayer(segment, layer), ViewError);
  }
  for (const frame of [-1, 9, 0.5, NaN]) await assert.rejects(clip.latents(frame), ViewError);
});

test("grids hold for their number of layers only", async () => {
  const clip = await open("occupancy.dnv");
  assert.equal(await clip.grids(0, 2), null);
  const { coarse, fine } = await clip.grids(0, 1);
  assert.deepEqual([coarse.size, fine.size], [2, 3]);
  assert.equal(fine.cells.length, 27);
  assert.equal(await (await open("smallest.dnv")).grids(0, 1), null);
});

test("canvases have the narrowest type, and texels side by side", async () => {
  const clip = await open("wide_symbols.dnv");
  const types = [];
  for (const layer of [0, 1, 2]) {
    const { canvas, symbols, shape } = (await clip.loadLayer(0, layer)).tensors.get("planes");
    types.push(canvas.data.constructor.name);
    assert.deepEqual([canvas.planes, canvas.height, canvas.width, ...shape], [12, 20, 20, 3, 2, 2, 20, 20]);
    const [plane, row, column] = [7, 3, 11];
    assert.equal(
      canvas.data[canvas.offset + (row * canvas.width + column) * canvas.planes + plane],
      symbols[(plane * canvas.height + row) * canvas.width + column],
    );
  }
  assert.deepEqual(types, ["Int8Array", "Int16Array", "Int32Array"]);
});

test("limits are compared before anything is allocated, and name what was found", async () => {
  const clip = await open("cut_waves.dnv", { limits: { elements: 400_000 } });
  await assert.rejects(clip.loadLayer(0, 0), /LimitError: cut_waves.dnv: .*432000 elements, at most 400000/);
  const kept = await open("cut_waves.dnv", { limits: { elements: 800_000 } });
  await assert.rejects(kept.loadLayer(0, 1), dnv.LimitError); // two layers of a segment that the next continues
  await assert.rejects(open("cut_waves.dnv", { limits: { chunkBytes: 1000 } }), dnv.LimitError);
  await assert.rejects(open("cut_waves.dnv", { limits: { headerBytes: 100 } }), dnv.LimitError);
  await assert.rejects(open("cut_waves.dnv", { limits: { directoryBytes: 80 } }), dnv.LimitError);
  await assert.rejects(open("continued.dnv", { limits: { chain: 1 } }), dnv.LimitError);
});
