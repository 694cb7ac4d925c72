/**
 * Where in time a clip's sound is, in samples at 48 kHz (SPEC 6.2). Positions run from the clip's start; those
 * of a clip that loops go on growing: pass k of the clip starts at `passStart(k)`.
 */
import { SAMPLE_RATE as RATE, soundPosition } from "../dnv/sound/sound_position.js";

const PIECE_MAX = RATE / 2; // samples of silence at once

export class Timeline {
  /** `entries` of the directory with `first` and `count`; `frames` and `frameRate` {num, den} of the clip. */
  constructor(entries, frames, frameRate) {
    this.length = soundPosition(frames, frameRate);
    this.exactLength = (frames * RATE * frameRate.den) / frameRate.num;
    this.chunks = entries
      .map(({ first, count }, index) => ({
        index,
        start: soundPosition(first, frameRate),
        stop: Math.min(soundPosition(first + count, frameRate), this.length),
      }))
      .filter(({ start, stop }) => stop > start)
      .sort((a, b) => a.start - b.start);
  }

  /** The first sample of pass k. A pass may be a sample longer than the clip's whole samples. */
  passStart(pass) {
    return Math.round(pass * this.exactLength);
  }

  /** The chunk that sounds at a sample of the clip, or the next one; null after the last. */
  chunkAt(sample) {
    return this.chunks.find(({ stop }) => stop > sample) ?? null;
  }

  /** The chunks that sound between two seconds of the clip. */
  between(from, to) {
    return this.chunks.filter(({ start, stop }) => stop > from * RATE && start < to * RATE);
  }

  /**
   * The pieces of sound from a sample of the first pass on, without gaps: {chunk, offset, samples}, where `chunk` is null
   * for silence. They end with the clip unless it loops.
   */
  *pieces(from, loop) {
    let sample = from;
    for (let pass = 0; ; pass += 1) {
      const end = loop ? this.passStart(pass + 1) - this.passStart(pass) : this.length;
      while (sample < end) {
        const piece = this.piece(sample, end);
        yield piece;
        sample += piece.samples;
      }
      if (!loop) return;
      sample = 0;
    }
  }

  piece(sample, end) {
    const chunk = this.chunkAt(sample);
    if (chunk && chunk.start <= sample) {
      return { chunk: chunk.index, offset: sample - chunk.start, samples: chunk.stop - sample };
    }
    const silence = Math.min(chunk ? chunk.start : end, end) - sample;
    return { chunk: null, offset: 0, samples: Math.min(silence, PIECE_MAX) };
  }
}
