/**
 * The weights of segments, layer by layer (SPEC 8 and 11).
 *
 * A segment's canvases are refined in place, unless the next segment continues them layer by layer: then those of each
 * layer are kept. Kept are the segments of the two chains that were used last, as far as they fit the limit.
 */
import { namingSource } from "../errors.js";
import { finish, nextTask } from "../pause.js";
import { usableWeights } from "./chunk_lookup.js";
import { WEIGHTS, unpackWeights } from "./chunks.js";

const FETCHED_AHEAD = 4;
const CHAINS_KEPT = 2;

/**
 * The weights after one more layer than `found`, the Maps of the layers below (the last of which is refined); a
 * generator. `previous` are those of the previous segment's layers. With `keep` the layers below stay as they are.
 */
export function* addLayer(entry, payload, limits, { found, previous, keep }) {
  const kept = new Set(found.flatMap((tensors) => [...tensors.values()]));
  const elements = [...kept].reduce((rest, { canvas }) => rest - canvas.elements, limits.elements);
  const coarser = entry.layer > 0 ? found.at(-1) : null;
  const { layer } = entry;
  const options = { elements, layer, coarser, previous: entry.first > 0 ? previous[layer] : null, keep };
  const added = yield* unpackWeights(payload, entry.count, options);
  return new Map([...(coarser ?? []), ...added]);
}

/** The segments that the next one continues. */
export function continuedSegments(directory) {
  return new Set(directory.filter(({ kind, first }) => kind === WEIGHTS && first > 0).map((entry) => entry.segment - 1));
}

/** Loads and keeps the weights of a clip's segments. */
export class WeightsLoader {
  constructor(reader) {
    this.reader = reader;
    this.usable = usableWeights(reader.directory, reader.header.segments.length);
    this.continued = continuedSegments(reader.directory);
    this.states = new Map(); // by segment: {layers, found}, `found` the Maps after each layer that are kept
    this.chains = []; // key segments, the one used last in front
    this.turns = new Map(); // by key segment, while loads of its chain are pending: settles when it is free
  }

  /** The key segment of the chain that a segment belongs to. */
  keyOf(segment) {
    return segment - this.usable[segment][0].first;
  }

  /** The tensors of a segment after a layer, a Map by name. */
  async load(segment, layer, options = {}) {
    const key = this.keyOf(segment);
    const before = this.turns.get(key) ?? Promise.resolve();
    const loading = before.then(() => this.loadChain(key, segment, layer + 1, options));
    // A task in between: the caller takes what it needs from the canvases before the next load refines them.
    const turn = loading.then(nextTask, nextTask).then(() => {
      if (this.turns.get(key) === turn) this.turns.delete(key);
    });
    this.turns.set(key, turn);
    return loading;
  }

  async loadChain(key, segment, layers, { signal }) {
    signal?.throwIfAborted();
    this.use(key);
    if (this.states.get(segment)?.layers > layers && !this.continued.has(segment)) {
      this.states.delete(segment); // refined in place since
    }
    const missing = [];
    for (let number = key; number <= segment; number += 1) {
      missing.push(...this.usable[number].slice(this.states.get(number)?.layers ?? 0, layers));
    }
    for await (const [entry, payload] of this.fetched(missing, signal)) await this.add(entry, payload, signal);
    const { found } = this.states.get(segment);
    this.evict(key, segment);
    return this.continued.has(segment) ? found[layers - 1] : found[0];
  }

  /** Payloads of chunks in order, some of them fetched ahead. */
  async *fetched(entries, signal) {
    const waiting = [];
    for (let next = 0; next < entries.length || waiting.length > 0; ) {
      while (next < entries.length && waiting.length < FETCHED_AHEAD) {
        const fetching = this.reader.readChunk(entries[next], { signal });
        fetching.catch(() => {}); // reported when it is its turn, if at all
        waiting.push([entries[next], fetching]);
        next += 1;
      }
      const [entry, fetching] = waiting.shift();
      yield [entry, await fetching];
    }
  }

  /** Decode one layer. A failure leaves canvases half refined, so the segment is forgotten. */
  async add(entry, payload, signal) {
    const { segment } = entry;
    const keep = this.continued.has(segment);
    const { layers, found } = this.states.get(segment) ?? { layers: 0, found: [] };
    const previous = this.states.get(segment - 1)?.found;
    if (!keep) this.states.delete(segment);
    const decoding = addLayer(entry, payload, this.reader.limits, { found, previous, keep });
    const tensors = await namingSource(this.reader.source.name, () => finish(decoding, { signal }));
    this.states.set(segment, { layers: layers + 1, found: keep ? [...found, tensors] : [tensors] });
  }

  use(key) {
    this.chains = [key, ...this.chains.filter((chain) => chain !== key)].slice(0, CHAINS_KEPT);
    for (const segment of this.states.keys()) {
      const chain = this.keyOf(segment);
      if (!this.chains.includes(chain) && !this.turns.has(chain)) this.states.delete(segment);
    }
  }

  /** Drop what no layer or segment builds on, and the front of the chain when it is too large. */
  evict(key, segment) {
    const complete = this.states.get(segment).layers === this.usable[segment].length;
    if (complete && !this.continued.has(segment)) this.states.delete(segment);
    let elements = 0;
    for (let number = segment; number >= key; number -= 1) {
      elements += elementsOf(this.states.get(number)?.found ?? []);
      if (elements > this.reader.limits.elements && number < segment - 1) this.states.delete(number);
    }
  }
}

function elementsOf(found) {
  const canvases = new Set(found.flatMap((tensors) => [...tensors.values()].map(({ canvas }) => canvas)));
  return [...canvases].reduce((sum, { elements }) => sum + elements, 0);
}
