/** Opus packets as an Ogg stream (RFC 3533, RFC 7845), for browsers that decode only whole files. */
import { PACKET_SAMPLES } from "../dnv/sound/sound_payload.js";

const SERIAL = 1;
const FIRST = 2; // flags of a page
const LAST = 4;
const SEGMENTS_MAX = 255; // of a page
const POLYNOMIAL = 0x04c11db7;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) value = (value << 1) ^ (value < 0 ? POLYNOMIAL : 0);
  return value >>> 0;
});

/** An Ogg Opus file that decodes to all samples of the packets: nothing is skipped at its start. */
export function oggOpus(packets, channels) {
  const pages = [page([head(channels)], 0, 0, FIRST), page([tags()], 1, 0, 0)];
  let samples = 0;
  const groups = groupsOf(packets);
  groups.forEach((group, index) => {
    samples += group.length * PACKET_SAMPLES;
    pages.push(page(group, index + 2, samples, index === groups.length - 1 ? LAST : 0));
  });
  return joined(pages);
}

/** CRC-32 of Ogg: not reflected, starting from 0. */
export function oggCrc(bytes) {
  let value = 0;
  for (const byte of bytes) value = ((value << 8) ^ TABLE[(value >>> 24) ^ byte]) >>> 0;
  return value;
}

/** Packets page by page: each ends within its page. */
function groupsOf(packets) {
  const groups = [[]];
  let used = 0;
  for (const packet of packets) {
    const segments = lacing(packet).length;
    if (used + segments > SEGMENTS_MAX) {
      groups.push([]);
      used = 0;
    }
    groups.at(-1).push(packet);
    used += segments;
  }
  return groups;
}

/** The lengths of a packet's segments: 255 as often as it fits, then the rest. */
function lacing({ length }) {
  return [...Array(Math.floor(length / 255)).fill(255), length % 255];
}

function page(packets, number, granule, flags) {
  const lengths = packets.flatMap(lacing);
  const start = new Uint8Array(27 + lengths.length);
  const view = new DataView(start.buffer);
  start.set(ascii("OggS"));
  start[5] = flags;
  view.setUint32(6, granule, true); // the upper half stays 0: a chunk has fewer than 2^32 samples
  view.setUint32(14, SERIAL, true);
  view.setUint32(18, number, true);
  start[26] = lengths.length;
  start.set(lengths, 27);
  const bytes = joined([start, ...packets]);
  new DataView(bytes.buffer).setUint32(22, oggCrc(bytes), true);
  return bytes;
}

function head(channels) {
  const bytes = new Uint8Array(19);
  bytes.set(ascii("OpusHead"));
  bytes[8] = 1; // version
  bytes[9] = channels;
  new DataView(bytes.buffer).setUint32(12, 48_000, true);
  return bytes; // pre-skip, gain and mapping family are 0
}

function tags() {
  const vendor = ascii("dynerf");
  const bytes = new Uint8Array(8 + 4 + vendor.length + 4);
  bytes.set(ascii("OpusTags"));
  bytes[8] = vendor.length;
  bytes.set(vendor, 12);
  return bytes;
}

function ascii(text) {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((position, part) => {
    bytes.set(part, position);
    return position + part.length;
  }, 0);
  return bytes;
}
