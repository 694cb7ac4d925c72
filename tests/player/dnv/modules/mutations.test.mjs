/** Damaged files: each gives the same symbols and steps as in Python, or the same error, within its limits. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { FOLDER, dnv, fromPytest } from "./support.mjs";

const MEMORY_MAX = 256 * 2 ** 20; // bytes, besides what the process has before

/** The SHA-256 of all symbols and steps of a file in every layer, and its latents; or the name of its error. */
async function outcome(data, limits) {
  try {
    const clip = await dnv.openClip(new dnv.BytesSource(data), { limits });
    await dnv.verify(clip.reader);
    const hash = createHash("sha256");
    for (const [segment, { layers }] of clip.segments.entries()) {
      for (let layer = 0; layer < layers; layer += 1) {
        for (const tensor of (await clip.loadLayer(segment, layer)).tensors.values()) addTensor(hash, tensor);
      }
    }
    for (let frame = 0; frame < clip.frameCount; frame += 1) hash.update(Float32Array.from(await clip.latents(frame)));
    return hash.digest("hex");
  } catch (error) {
    return error instanceof dnv.FormatError ? error.name : String(error.stack);
  }
}

function addTensor(hash, { name, shape, symbols, steps }) {
  hash.update(`${name} ${shape.join(" ")};`);
  hash.update(Int32Array.from(symbols));
  hash.update(Float32Array.from(steps));
}

test("damaged files give what they give in Python", { skip: !FOLDER }, async () => {
  const [{ limits, files }, bytes] = [JSON.parse(fromPytest("mutations.json")), fromPytest("mutations.bin")];
  const before = process.memoryUsage().rss;
  let [position, largest] = [0, 0];
  const wrong = [];
  for (const [index, { length, expected, category }] of files.entries()) {
    const data = Uint8Array.from(bytes.subarray(position, position + length));
    position += length;
    const found = await outcome(data, limits);
    const typed = found in dnv || /^[0-9a-f]{64}$/.test(found);
    if (expected === null ? !typed : found !== expected) wrong.push({ index, category, expected, found });
    largest = Math.max(largest, process.memoryUsage().rss);
  }
  assert.equal(position, bytes.length);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(largest - before < MEMORY_MAX, `memory grew by ${largest - before} bytes`);
});
