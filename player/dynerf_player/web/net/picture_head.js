/** The head of a binary message: 32 bytes, little-endian, followed by the coded picture. See PROTOCOL.md. */
const LENGTH = 32;
const VERSION = 1;
export const AVC = 1;

/** The head as an object, or null when the message is not a picture of a known version. */
export function readHead(buffer) {
  if (buffer.byteLength < LENGTH) return null;
  const data = new DataView(buffer);
  if (data.getUint8(0) !== VERSION) return null;
  const flags = data.getUint8(2);
  return {
    length: LENGTH,
    codec: data.getUint8(1),
    key: (flags & 1) !== 0,
    final: (flags & 2) !== 0,
    layers: data.getUint8(3),
    id: data.getUint32(4, true),
    frame: data.getFloat32(8, true),
    width: data.getUint16(12, true),
    height: data.getUint16(14, true),
    renderMs: data.getFloat32(16, true),
    codingMs: data.getFloat32(20, true),
    fetched: Number(data.getBigUint64(24, true)),
  };
}
