/**
 * Run by `browser.py` under Node.js: decodes a clip several times and prints CPU seconds as JSON.
 *
 *     node browser_decoder.mjs clip.dnv rounds
 *
 * `seconds` has, for each round, the time after each quality layer of all segments; the process's threads that compile
 * and collect garbage are counted as well. `firstPicture` are requests and bytes from a host with ranges.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { BytesSource, HttpSource, openClip } from "../player/dynerf_player/web/dnv/index.js";

const [path, rounds] = process.argv.slice(2);
const data = new Uint8Array(readFileSync(path));

/** CPU seconds after each layer. */
async function decode() {
  const start = process.cpuUsage();
  const clip = await openClip(new BytesSource(data));
  const found = [];
  for (let layer = 0; layer < Math.max(...clip.segments.map(({ layers }) => layers)); layer += 1) {
    for (const [segment, { layers }] of clip.segments.entries()) {
      if (layer < layers) await clip.loadLayer(segment, layer);
    }
    const { user, system } = process.cpuUsage(start);
    found.push((user + system) / 1e6);
  }
  return found;
}

/** Requests and bytes until the first picture can be rendered. */
async function firstPicture() {
  const server = createServer((request, response) => {
    const [first, last] = request.headers.range.slice(6).split("-").map(Number);
    const stop = Math.min(last + 1, data.length);
    response.writeHead(206, { "Content-Range": `bytes ${first}-${stop - 1}/${data.length}` });
    response.end(data.subarray(first, stop));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const source = new HttpSource(`http://127.0.0.1:${server.address().port}/clip.dnv`);
  const clip = await openClip(source);
  await Promise.all([clip.loadLayer(0, 0), clip.latents(0)]);
  server.closeAllConnections();
  server.close();
  return { ...source.transfer, layer0: clip.segments[0].bytes[0], group: clip.groups[0].bytes };
}

const seconds = [];
for (let round = 0; round < Number(rounds); round += 1) seconds.push(await decode());
console.log(JSON.stringify({ seconds, firstPicture: await firstPicture() }));
