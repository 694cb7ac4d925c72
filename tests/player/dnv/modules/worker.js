/** Jobs of the browser's test, in a module worker. */
import * as dnv from "/web/dnv/index.js";

import { checkGood, refusal } from "./check_vectors.js";

const QUICK = { attempts: 3, pause: 1, longest: 2, stall: 5000 };

const jobs = {
  /** What differs from `vectors.json`, by file, and how many files and comparisons there were. */
  async vectors() {
    const expected = await (await fetch("/vectors/vectors.json")).json();
    const [wrong, counts] = [{}, { good: 0, bad: 0, compared: 0 }];
    for (const [name, entry] of Object.entries(expected.good)) {
      const found = await checkGood(dnv, await bytes(name), entry);
      if (found.wrong.length > 0) wrong[name] = found.wrong;
      counts.good += 1;
      counts.compared += found.compared;
    }
    for (const [name, { error }] of Object.entries(expected.bad)) {
      const found = await refusal(dnv, await bytes(name));
      if (found !== error) wrong[name] = found;
      counts.bad += 1;
    }
    return { wrong, counts };
  },

  /** Open a clip and load what the first picture needs. */
  async firstPicture(address) {
    const source = new dnv.HttpSource(address, { policy: QUICK });
    const clip = await dnv.openClip(source);
    await Promise.all([clip.loadLayer(0, 0), clip.latents(0)]);
    return { ...source.transfer, version: clip.version, size: clip.size };
  },

  /** The error of opening a clip, and after `replaced` of reading its next layer. */
  async failure(address, replaced = null) {
    try {
      const clip = await dnv.openClip(new dnv.HttpSource(address, { policy: QUICK }));
      if (replaced !== null) await fetch(replaced);
      await clip.loadLayer(1, 1);
    } catch (error) {
      return `${error.name}: ${error.message}`;
    }
    return "none";
  },
};

async function bytes(name) {
  return new Uint8Array(await (await fetch(`/vectors/${name}`)).arrayBuffer());
}

onmessage = async ({ data: { job, values } }) => postMessage(await jobs[job](...values));
