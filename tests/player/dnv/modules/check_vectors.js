/**
 * Decodes the sample files of `format/vectors` and compares them with `vectors.json`; runs under Node.js and in a
 * browser's worker. `dnv` is the decoder's module.
 */

/** What differs from the entry of a good file: a list of texts; `compared` counts the comparisons. */
export async function checkGood(dnv, bytes, expected) {
  const wrong = [];
  let compared = 0;
  const check = (what, equal) => {
    compared += 1;
    if (!equal) wrong.push(what);
  };
  const clip = await dnv.openClip(new dnv.BytesSource(bytes));
  check("sha256", (await sha256(bytes)) === expected.sha256);
  check("digest", (await dnv.verify(clip.reader)) === hex(bytes.subarray(-32)));
  check("latents", (await sha256(await allLatents(clip))) === expected.latents.sha256);
  for (const [segment, { layers }] of clip.segments.entries()) {
    for (let layer = 0; layer < layers; layer += 1) {
      const last = layer === layers - 1;
      const tensors = last ? expected.weights[segment] : expected.coarser_weights[segment][layer];
      const found = (await clip.loadLayer(segment, layer)).tensors;
      check(`names in layer ${layer} of segment ${segment}`, String([...found.keys()]) === String(Object.keys(tensors)));
      for (const [name, { shape, sha256: digest }] of Object.entries(tensors)) {
        const tensor = found.get(name);
        const equal = String(tensor?.shape) === String(shape) && (await sha256(tensor.dequantise())) === digest;
        check(`${name} in layer ${layer} of segment ${segment}`, equal);
      }
    }
  }
  if (expected.occupancy) check("occupancy", equalGrids(await grids(clip, expected.occupancy), expected.occupancy));
  if (expected.sound) check("sound", JSON.stringify(await sounds(clip)) === JSON.stringify(expected.sound));
  return { wrong, compared };
}

/** The name of the error that a file is refused with, or "accepted". */
export async function refusal(dnv, bytes) {
  try {
    const clip = await dnv.openClip(new dnv.BytesSource(bytes));
    await dnv.verify(clip.reader);
  } catch (error) {
    return error instanceof dnv.FormatError ? error.name : String(error.stack);
  }
  return "accepted";
}

async function allLatents(clip) {
  const rows = [];
  for (let frame = 0; frame < clip.frameCount; frame += 1) rows.push(...(await clip.latents(frame)));
  return Float32Array.from(rows);
}

async function grids(clip, { layers }) {
  const found = await clip.grids(0, layers);
  const describe = (grid) => grid && { size: grid.size, occupied: [...grid.cells.keys()].filter((i) => grid.cells[i]) };
  return { layers, coarse: describe(found.coarse), fine: describe(found.fine) };
}

async function sounds(clip) {
  const described = clip.sounds.map(async ({ start, end }, number) => {
    const found = { first: start, count: end - start };
    const sound = await clip.sound(number);
    if (!sound) return found;
    const { channels, trim, samples, packets } = sound;
    const sizes = packets.map(({ length }) => length);
    return { ...found, channels, trim, samples, sizes, sha256: await sha256(joined(packets)) };
  });
  return Promise.all(described);
}

function joined(parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function equalGrids(found, expected) {
  return JSON.stringify(found) === JSON.stringify(expected);
}

/** The SHA-256 of an array's bytes (little-endian on all machines that run browsers), in hex. */
export async function sha256(array) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", array)));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
