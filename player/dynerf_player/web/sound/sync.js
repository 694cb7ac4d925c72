/** How far pictures are from the sound that is audible when they appear, and how early they have to be requested for it. */
const WINDOW = 120; // pictures of which the distance is reported
const NEWEST = 21; // pictures whose delays are considered
const LONGEST = 0.5; // seconds

export class Sync {
  constructor() {
    this.lead = 0; // seconds of the clip between requesting and showing a picture
    this.delays = []; // those of the newest pictures
    this.errors = []; // seconds by which pictures were early; negative: late
  }

  /** A picture of second `shown` appeared while second `audible` was audible; both within a clip of `seconds` that may loop. */
  record(shown, audible, seconds) {
    let error = shown - audible;
    if (Math.abs(error) > seconds / 2) error -= Math.sign(error) * seconds; // the other side of the loop
    this.errors = [...this.errors.slice(1 - WINDOW), error];
    this.delays = [...this.delays.slice(1 - NEWEST), this.lead - error];
    this.lead = Math.min(Math.max(median(this.delays), 0), Math.min(LONGEST, seconds / 4));
  }

  /** The median over the last pictures in milliseconds, or null. */
  get drift() {
    return this.errors.length ? 1000 * median(this.errors) : null;
  }

  reset() {
    this.errors = [];
  }
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
