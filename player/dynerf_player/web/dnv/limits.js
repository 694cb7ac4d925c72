/**
 * Maximum sizes, compared with declared sizes before anything is allocated. `elements` bounds the symbols of one
 * chunk's tensors and those kept of a segment for the next, 1 to 4 bytes each; `chain` is the largest number of
 * segments that one may build on. Directory, chunks and number of elements are smaller than in Python: a browser's tab
 * has less memory, and an entry of the directory takes ten times its bytes.
 */
export const DEFAULT_LIMITS = Object.freeze({
  headerBytes: 1 << 20,
  directoryBytes: 1 << 22,
  chunkBytes: 1 << 28,
  elements: 1 << 27,
  chain: 63,
});

export const TENSORS_MAX = 2 ** 12; // of a chunk
