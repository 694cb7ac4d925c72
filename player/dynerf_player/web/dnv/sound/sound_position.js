/** Frames and samples: sound has 48 kHz, and frame f begins at a whole sample. */
export const SAMPLE_RATE = 48_000;

/** The sample with which a frame begins, counted from frame 0: floor(frame * 48000 / fps), exactly. */
export function soundPosition(frame, { num, den }) {
  return Number((BigInt(frame) * BigInt(SAMPLE_RATE) * BigInt(den)) / BigInt(num));
}
