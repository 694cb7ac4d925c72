import assert from "node:assert/strict";
import { test } from "node:test";

import { oggCrc, oggOpus } from "../../../../player/dynerf_player/web/sound/ogg.js";

/** The pages of an Ogg stream, checked: {flags, granule, number, packets}, whose packets end within their page. */
function pagesOf(bytes) {
  const pages = [];
  for (let at = 0; at < bytes.length;) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    assert.equal(String.fromCharCode(...bytes.subarray(at, at + 4)), "OggS");
    const segments = bytes.subarray(at + 27, at + 27 + bytes[at + 26]);
    const body = at + 27 + segments.length;
    const end = body + segments.reduce((sum, length) => sum + length, 0);
    const copy = bytes.slice(at, end);
    copy.fill(0, 22, 26);
    assert.equal(view.getUint32(22, true), oggCrc(copy));
    pages.push({
      flags: bytes[at + 5], granule: view.getUint32(6, true), number: view.getUint32(18, true),
      packets: packetsOf(bytes.subarray(body, end), segments),
    });
    at = end;
  }
  return pages;
}

function packetsOf(body, segments) {
  const packets = [];
  let [start, length] = [0, 0];
  for (const segment of segments) {
    length += segment;
    if (segment === 255) continue;
    packets.push(body.subarray(start, start + length));
    [start, length] = [start + length, 0];
  }
  assert.equal(length, 0); // no packet continues in the next page
  return packets;
}

test("the checksum is that of Ogg", () => {
  assert.equal(oggCrc(new TextEncoder().encode("123456789")), 0x89a1897f); // CRC-32 with this polynomial, not reflected
});

test("a stream has a head, tags and all packets, and declares their samples", () => {
  const sizes = [1, 254, 255, 256, 510, 1275, ...Array(300).fill(700)];
  const packets = sizes.map((size, index) => new Uint8Array(size).fill(index));
  const [head, tags, ...pages] = pagesOf(oggOpus(packets, 2));
  assert.equal(head.flags, 2);
  assert.equal(String.fromCharCode(...head.packets[0].subarray(0, 8)), "OpusHead");
  assert.deepEqual([...head.packets[0].subarray(8, 12)], [1, 2, 0, 0]); // version, channels, pre-skip
  assert.equal(String.fromCharCode(...tags.packets[0].subarray(0, 8)), "OpusTags");
  assert.deepEqual(pages.flatMap(({ packets: found }) => found), packets);
  assert.ok(pages.length > 1);
  let samples = 0;
  pages.forEach(({ granule, flags, number, packets: found }, index) => {
    samples += 960 * found.length;
    assert.deepEqual([granule, number, flags], [samples, index + 2, index === pages.length - 1 ? 4 : 0]);
  });
});
