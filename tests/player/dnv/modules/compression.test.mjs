import assert from "node:assert/strict";
import { test } from "node:test";

import { ZSTD, decompress, frameLength } from "../../../../player/dynerf_player/web/dnv/container/compression.js";
import { FOLDER, dnv, fromPytest } from "./support.mjs";

const { FormatError } = dnv;
const hex = (text) => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const MAGIC = "28b52ffd ";
/** The head of a block: 3 bytes, lowest first. */
const block = (type, size, last = 1) => Buffer.from([0, 8, 16].map((bit) => (((size << 3) | (type << 1) | last) >> bit) & 255)).toString("hex");

/** A frame of one segment with these blocks, in hex, which states `length` bytes. */
function frame(length, ...blocks) {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(length);
  return hex(`${MAGIC} a0 ${size.toString("hex")} ${blocks.join("")}`);
}

const refused = (bytes, length, pattern) =>
  assert.throws(() => decompress(ZSTD, bytes, length), (error) => error instanceof FormatError && pattern.test(error.message));

test("frames of the reference library at all levels and of many contents", { skip: !FOLDER }, () => {
  const frames = JSON.parse(fromPytest("frames.json"));
  assert.ok(frames.length > 100);
  for (const { stored, content } of frames) {
    const [bytes, expected] = [Buffer.from(stored, "base64"), Buffer.from(content, "base64")];
    assert.equal(frameLength(bytes), expected.length);
    assert.ok(Buffer.from(decompress(ZSTD, bytes, expected.length)).equals(expected));
    refused(bytes.subarray(0, -1), expected.length, /zstd/);
    refused(Buffer.concat([bytes, Buffer.alloc(1)]), expected.length, /ends at byte/);
    refused(Buffer.concat([bytes, bytes]), expected.length, /ends at byte/);
    refused(bytes, expected.length + 1, /declared/);
  }
});

test("the frame's head: magic number, stated size, window, dictionary, reserved bit", () => {
  const raw = `${block(0, 4)} 01020304`;
  assert.deepEqual([...decompress(ZSTD, frame(4, raw), 4)], [1, 2, 3, 4]);
  refused(hex(`502a4d18 04000000 00000000`), 4, /does not start with a frame/);
  refused(hex(`${MAGIC} 00 58 ${raw}`), 4, /unstated/);
  assert.throws(() => frameLength(hex(`${MAGIC} 00 58 ${raw}`)), /does not state its content size/);
  refused(hex(`${MAGIC} 80 70 04000000 ${raw}`), 4, /window of 16777216 bytes/);
  refused(hex(`${MAGIC} 81 58 07 04000000 ${raw}`), 4, /needs dictionary 7/);
  refused(hex(`${MAGIC} a8 04000000 ${raw}`), 4, /reserved/);
  refused(hex(`${MAGIC} e0 0400000000000080 ${raw}`), 4, /declared/);
  for (let length = 0; length < 13; length += 1) refused(frame(4, raw).subarray(0, length), 4, /zstd/);
});

test("blocks: of a reserved type, too large, without a last one, or of another length than stated", () => {
  refused(frame(4, `${block(3, 4)} 01020304`), 4, /invalid type or size/);
  refused(frame(4, `${block(1, 5)} 01`), 4, /invalid type or size/);
  refused(frame(4, `${block(0, 4, 0)} 01020304`), 4, /cut off/);
  refused(frame(4, `${block(0, 3)} 010203`), 4, /zstd/);
  refused(frame(4, `${block(1, 3, 0)} 01`, `${block(1, 3)} 01`), 4, /zstd/);
  assert.deepEqual([...decompress(ZSTD, frame(4, `${block(1, 3, 0)} 07`, `${block(0, 1)} 09`), 4)], [7, 7, 7, 9]);
});

test("matches that would fill gigabytes are refused: twenty bytes that the published library decodes for hours", () => {
  // No literals; 0xff and two bytes: 98,047 sequences; each of literal length 0, offset 1, match length 65,539.
  const sequences = "00 ff ff ff 54 00 00 34 80";
  refused(frame(2 ** 20, block(2, 9), sequences), 2 ** 20, /zstd/);
});

test("a match before the frame's beginning is refused", () => {
  const sequences = "00 01 54 00 05 00 ff 80"; // one sequence: offset of at least 29, match length 3
  refused(frame(3, block(2, 8), sequences), 3, /zstd/);
});

test("Huffman weights whose states take no bits are refused: the published library never ends", () => {
  const weights = [0x06, 0xf0, 0x03, 0, 0, 0, 1]; // one symbol of probability 1
  const body = Buffer.from([0x32, 0x40, 0x02, ...weights, 1, 1, 1, 1, 0]);
  refused(frame(64, block(2, body.length), body.toString("hex")), 64, /zstd/);
});
