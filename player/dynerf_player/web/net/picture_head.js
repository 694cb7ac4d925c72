/** The head of a binary message: 32 bytes, little-endian, then the coded picture. See PROTOCOL.md. */
const LENGTH = 32;
const VERSION = 1;
export const AVC = 1;

/** The head as an object, or null when the message is no picture that this page understands. */
export function readHead(buffer) {
  if (buffer.byteLength < LENGTH) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== VERSION) return null;
  const flags = view.getUint8(2);
  return {
    length: LENGTH,
    codec: view.getUint8(1),
    key: (flags & 1) !== 0,
    final: (flags & 2) !== 0,
    layers: view.getUint8(3),
    id: view.getUint32(4, true),
    frame: view.getFloat32(8, true),
    width: view.getUint16(12, true),
    height: view.getUint16(14, true),
    renderMs: view.getFloat32(16, true),
    codingMs: view.getFloat32(20, true),
    fetched: Number(view.getBigUint64(24, true)),
  };
}
