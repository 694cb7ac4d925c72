/** Constants of the file layout; `format/SPEC.md` defines each field. All integers are little-endian and unsigned. */
export const MAGIC = Uint8Array.of(0x89, 0x44, 0x4e, 0x56, 0x0d, 0x0a, 0x1a, 0x0a);
export const MAJOR = 1;
export const MINOR = 0;
export const FIRST_READ = 16 * 1024; // bytes; head, header and directory normally fit
export const FLAG_ZSTD_HEADER = 1;
export const FLAGS_KNOWN = FLAG_ZSTD_HEADER;

export const HEAD_BYTES = 40;
export const ENTRY_BYTES = 40;
export const CHUNK_HEAD_BYTES = 32;
export const TRAILER_BYTES = 36;
export const TRAILER_TAG = Uint8Array.of(0x00, 0x45, 0x4e, 0x44);

export const U32_MAX = 2 ** 32 - 1;
export const SYMBOL_MAX = 2 ** 23; // largest magnitude of a symbol
