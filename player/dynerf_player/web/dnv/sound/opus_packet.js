/** The duration of an Opus packet, from its table-of-contents byte (RFC 6716, sections 3.1 and 3.2). */
export const PACKET_BYTES_MAX = 1275; // of a packet of one frame (RFC 6716, section 3.2.1)

const FRAMES_MASK = 63; // in the second byte of a packet of code 3

/** Samples per channel at 48 kHz that a packet decodes to; 0 when its beginning is invalid. */
export function packetSamples(packet) {
  if (packet.length === 0) return 0;
  const [configuration, code] = [packet[0] >> 3, packet[0] & 3];
  if (code === 3 && packet.length < 2) return 0;
  const frames = code === 3 ? packet[1] & FRAMES_MASK : 1 + (code > 0);
  return frames * frameSamples(configuration);
}

/** SILK: 10, 20, 40 or 60 ms; hybrid: 10 or 20 ms; CELT: 2.5, 5, 10 or 20 ms. */
function frameSamples(configuration) {
  if (configuration < 12) return [480, 960, 1920, 2880][configuration & 3];
  if (configuration < 16) return [480, 960][configuration & 1];
  return 120 << (configuration & 3);
}
