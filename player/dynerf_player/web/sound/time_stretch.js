/**
 * Plays sound faster or slower at its own pitch: WSOLA (Verhelst and Roelands, ICASSP 1993). Output is made of blocks;
 * each blends the continuation of the last excerpt of the input into a new excerpt, which is taken near its due position,
 * where it is most similar to that continuation. Errors of position are at most half a block plus the search range, and
 * do not accumulate.
 */
export const BLOCK = 960; // samples of output, 20 ms at 48 kHz
const RANGE = 720; // samples to either side of the due position
const COARSE = 8; // samples per step of the first search
const FADE_IN = Float32Array.from({ length: BLOCK }, (_, i) => Math.sin((Math.PI / 2) * ((i + 0.5) / BLOCK)) ** 2);

export class TimeStretch {
  /** `speed`: input samples per output sample. */
  constructor(channels, speed) {
    this.speed = speed;
    this.input = Array.from({ length: channels }, () => new Float32Array(0));
    this.dropped = 0; // input samples that are not kept any more
    this.blocks = 0;
    this.continuation = null; // input position at which the last excerpt continues
  }

  /** Append input, one Float32Array for each channel. */
  write(planes) {
    this.input = this.input.map((kept, channel) => {
      const extended = new Float32Array(kept.length + planes[channel].length);
      extended.set(kept);
      extended.set(planes[channel], kept.length);
      return extended;
    });
  }

  /** All output that the input suffices for, one Float32Array for each channel; its sample n is due at input n * speed. */
  read() {
    const blocks = [];
    while (this.end >= this.due + RANGE + 2 * BLOCK) blocks.push(this.block());
    this.drop();
    return this.input.map((_, channel) => joined(blocks.map((block) => block[channel])));
  }

  /** The input position after the last sample. */
  get end() {
    return this.dropped + this.input[0].length;
  }

  /** Where the next excerpt should start, such that the middle of its block is due there. */
  get due() {
    return Math.max(0, Math.round(BLOCK * (this.blocks * this.speed + this.speed - 1)));
  }

  block() {
    const at = this.continuation === null ? this.due : this.search(this.due, this.continuation);
    const before = (this.continuation ?? at) - this.dropped;
    const after = at - this.dropped;
    this.continuation = at + BLOCK;
    this.blocks += 1;
    return this.input.map((samples) => FADE_IN.map((gain, i) => (
      samples[before + i] + gain * (samples[after + i] - samples[before + i])
    )));
  }

  /** The position within `RANGE` of `due` whose excerpt resembles that at `continuation` most: coarsely, then exactly. */
  search(due, continuation) {
    const first = Math.max(due - RANGE, this.dropped);
    const mono = this.mono(first, due + RANGE + BLOCK);
    const target = this.mono(continuation, continuation + BLOCK);
    const [few, fewTarget] = [averages(mono), averages(target)];
    const coarse = COARSE * best(few, fewTarget, 0, few.length - fewTarget.length);
    const last = mono.length - target.length;
    return first + best(mono, target, Math.max(0, coarse - COARSE), Math.min(last, coarse + COARSE));
  }

  /** The sum of all channels from one input position to another. */
  mono(start, stop) {
    const sum = new Float32Array(stop - start);
    for (const samples of this.input) {
      for (let i = 0; i < sum.length; i += 1) sum[i] += samples[start - this.dropped + i];
    }
    return sum;
  }

  /** Forget input that no later block uses. */
  drop() {
    const keep = Math.min(this.due - RANGE, this.continuation ?? 0);
    const count = Math.min(Math.max(0, keep - this.dropped), this.input[0].length);
    this.input = this.input.map((samples) => samples.slice(count));
    this.dropped += count;
  }
}

/** The offset from `first` to `last` at which `samples` correlate best with `target`, normalised. */
function best(samples, target, first, last) {
  let [found, highest] = [first, -Infinity];
  for (let offset = first; offset <= last; offset += 1) {
    let [product, energy] = [0, 1e-9];
    for (let i = 0; i < target.length; i += 1) {
      const value = samples[offset + i];
      product += value * target[i];
      energy += value * value;
    }
    const score = product / Math.sqrt(energy);
    if (score > highest) [found, highest] = [offset, score];
  }
  return found;
}

/** Means of each `COARSE` samples. */
function averages(samples) {
  const count = Math.floor(samples.length / COARSE);
  const found = new Float32Array(count);
  for (let i = 0; i < count * COARSE; i += 1) found[Math.floor(i / COARSE)] += samples[i];
  return found;
}

function joined(parts) {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((position, part) => {
    all.set(part, position);
    return position + part.length;
  }, 0);
  return all;
}
