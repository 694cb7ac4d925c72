/** The payload of a `soun` chunk (SPEC 6.2): Opus packets of a group of frames, and the samples of theirs that are kept. */
import { FormatError, LimitError, TruncatedError } from "../errors.js";
import { PACKET_BYTES_MAX, packetSamples } from "./opus_packet.js";

export const SOUND = "soun";
export const PACKET_SAMPLES = 960; // per channel: all packets last 20 ms
const OPUS = 1;
const PACKETS_MAX = 4096;
const HEAD_BYTES = 12;
const SIZE_BYTES = 2;
export const SOUND_BYTES_MAX = HEAD_BYTES + PACKETS_MAX * (SIZE_BYTES + PACKET_BYTES_MAX);

/**
 * `{channels, trim, samples, packets}`: of what a freshly reset decoder makes of all packets (each a Uint8Array, not
 * copied), drop `trim` samples per channel and keep the next `samples`. null when they are in another coding than Opus.
 */
export function unpackSound(payload) {
  if (payload.length > 0 && payload[0] !== OPUS) return null;
  if (payload.length < HEAD_BYTES) {
    throw new TruncatedError(`sound: ${payload.length} bytes, expected at least ${HEAD_BYTES}`);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const [channels, count] = [view.getUint8(1), view.getUint16(2, true)];
  const [trim, samples] = [view.getUint32(4, true), view.getUint32(8, true)];
  if (channels !== 1 && channels !== 2) throw new FormatError(`sound: ${channels} channels, expected 1 or 2`);
  if (count > PACKETS_MAX) throw new LimitError(`sound: ${count} packets, ${PACKETS_MAX} allowed`);
  if (count === 0 || samples === 0 || trim + samples > count * PACKET_SAMPLES) {
    throw new FormatError(
      `sound: ${count} packets for ${trim} samples to drop and ${samples} to keep, expected at least one sample to ` +
        `keep and packets of ${PACKET_SAMPLES} samples for all`,
    );
  }
  return { channels, trim, samples, packets: unpackPackets(payload, view, count) };
}

function unpackPackets(payload, view, count) {
  let position = HEAD_BYTES + count * SIZE_BYTES;
  if (payload.length < position) {
    throw new TruncatedError(`sound: ${payload.length} bytes, the sizes of ${count} packets need ${position}`);
  }
  const sizes = Array.from({ length: count }, (_, i) => view.getUint16(HEAD_BYTES + i * SIZE_BYTES, true));
  checkSizes(sizes, payload.length - position);
  return sizes.map((size, number) => {
    const packet = payload.subarray(position, position + size);
    position += size;
    if (packetSamples(packet) !== PACKET_SAMPLES) {
      throw new FormatError(
        `sound: packet ${number} lasts ${packetSamples(packet)} samples, expected ${PACKET_SAMPLES}`,
      );
    }
    return packet;
  });
}

function checkSizes(sizes, remaining) {
  const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)];
  if (smallest < 1 || largest > PACKET_BYTES_MAX) {
    throw new FormatError(`sound: packets of ${smallest} to ${largest} bytes, expected 1 to ${PACKET_BYTES_MAX}`);
  }
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (remaining < total) {
    throw new TruncatedError(`sound: ${remaining} bytes of packets, ${sizes.length} packets need ${total}`);
  }
  if (remaining > total) throw new FormatError(`sound: ${remaining - total} bytes left over after the packets`);
}
