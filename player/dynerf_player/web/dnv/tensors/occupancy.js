/** The payload of an `occu` chunk (SPEC 6.1): where a segment's fields are empty at all frames. */
import { FormatError, LimitError, TruncatedError } from "../errors.js";

const CELLS_MAX = 256;
const LAYERS_MAX = 16;
const HEAD_BYTES = 5;
export const OCCUPANCY_BYTES_MAX = HEAD_BYTES + (2 * CELLS_MAX ** 3) / 8;

/**
 * `{layers, coarse, fine}`; a grid is null or `{size, cells}`: size^3 bytes, 1 where the cell is occupied, x fastest,
 * then y, then z. They hold for weights of exactly that many layers.
 */
export function unpackOccupancy(payload) {
  if (payload.length < HEAD_BYTES) {
    throw new TruncatedError(`occupancy: ${payload.length} bytes, expected at least ${HEAD_BYTES}`);
  }
  const layers = payload[0];
  const sizes = [payload[1] | (payload[2] << 8), payload[3] | (payload[4] << 8)];
  if (layers < 1 || layers > LAYERS_MAX) {
    throw new FormatError(`occupancy: for ${layers} layers, expected 1 to ${LAYERS_MAX}`);
  }
  if (Math.max(...sizes) > CELLS_MAX) {
    throw new LimitError(`occupancy: ${Math.max(...sizes)} cells per side, ${CELLS_MAX} allowed`);
  }
  if (Math.max(...sizes) === 0) throw new FormatError("occupancy: no cells");
  const [middle, end] = [HEAD_BYTES + bytesOf(sizes[0]), HEAD_BYTES + bytesOf(sizes[0]) + bytesOf(sizes[1])];
  if (payload.length < end) {
    throw new TruncatedError(`occupancy: ${payload.length} bytes, grids of ${sizes} cells need ${end}`);
  }
  if (payload.length > end) {
    throw new FormatError(`occupancy: ${payload.length - end} bytes left over after grids of ${sizes} cells`);
  }
  return {
    layers,
    coarse: grid(sizes[0], payload.subarray(HEAD_BYTES, middle)),
    fine: grid(sizes[1], payload.subarray(middle)),
  };
}

function grid(size, bits) {
  if (size === 0) return null;
  const count = size ** 3;
  if (count % 8 > 0 && bits.at(-1) >> count % 8) {
    throw new FormatError(`occupancy: bits are set beyond the last of ${count} cells`);
  }
  return { size, cells: Uint8Array.from({ length: count }, (_, cell) => (bits[cell >> 3] >> (cell & 7)) & 1) };
}

function bytesOf(size) {
  return Math.ceil(size ** 3 / 8);
}
