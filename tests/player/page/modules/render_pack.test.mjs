/** Tensors as textures and uniform blocks, and folding in JavaScript, against loops over the format's definitions. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { foldLayer } from "../../../../player/dynerf_player/web/render/fold.js";
import { blockLayouts, foldNetwork, packBlocks } from "../../../../player/dynerf_player/web/render/network_blocks.js";
import { packTensors } from "../../../../player/dynerf_player/web/render/tensor_packing.js";
import { SETTINGS, smallLayout, tensorsOf } from "./render_support.mjs";
import { assertClose } from "./support.mjs";

const layout = smallLayout();
const tensors = tensorsOf(layout);
const packed = new Map(
  [...packTensors(layout, tensors)].map(({ name, ...entry }) => [name, entry.planes ?? entry.values]),
);
const LATENT = [0.5, -1, 2];

/** The value of an element of a tensor. */
function value(name, ...index) {
  const { shape, symbols, steps } = tensors.get(name);
  const flat = index.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
  return symbols[flat] * steps[steps.length === 1 ? 0 : index[0]];
}

test("planes become layers of four channels, padded with zeros", () => {
  const { size, layers, texels } = packed.get("fine.basis.0");
  const { shape, symbols } = tensors.get("fine.basis.0");
  assert.deepEqual([size, layers, texels.constructor], [4, 2 * 3 * 2, Int8Array]);
  for (let layer = 0; layer < layers; layer += 1) {
    for (let texel = 0; texel < 16; texel += 1) {
      for (let c = 0; c < 4; c += 1) {
        const channel = (layer % 2) * 4 + c;
        const plane = Math.floor(layer / 2) * shape[2] + channel;
        assert.equal(texels[(layer * 16 + texel) * 4 + c], channel < 6 ? symbols[plane * 16 + texel] : 0);
      }
    }
  }
});

test("tensors that do not fit the header are refused", () => {
  const pack = (change) => {
    const copy = new Map(tensors);
    change(copy);
    return () => [...packTensors(layout, copy)];
  };
  assert.throws(
    pack((map) => map.delete("view.2.bias")),
    { name: "FormatError", message: /view.2.bias is missing/ },
  );
  assert.throws(
    pack((map) => map.set("other", map.get("view.2.bias"))),
    { name: "FormatError", message: /other does not/ },
  );
  const wrong = { ...tensors.get("fine.static.0"), shape: [3, 5, 4, 4] };
  assert.throws(
    pack((map) => map.set("fine.static.0", wrong)),
    { name: "FormatError", message: /shape 3,5,4,4.* 3,6,4,4/ },
  );
});

test("only the tensors that changed are packed again", () => {
  assert.deepEqual(
    [...packTensors(layout, tensors, ["fine.static.1"])].map(({ name }) => name),
    ["fine.static.1"],
  );
});

test("folded planes are static plus the sum of the basis, weighted by the latent", () => {
  const { amounts } = foldNetwork(layout.fine, packed, LATENT);
  const folded = foldLayer(3, 2, 64, packed.get("fine.static.0"), packed.get("fine.basis.0"), amounts[0]);
  const blend = [0, 1].map(
    (k) => value("fine.mix.bias", k) + LATENT.reduce((sum, z, i) => sum + z * value("fine.mix.weight", k, i), 0),
  );
  for (let texel = 0; texel < 16; texel += 1) {
    const [row, column] = [Math.floor(texel / 4), texel % 4];
    for (const c of [0, 1]) {
      // of plane 1, group 1: channels 4 and 5
      const basis = blend.reduce((sum, a, k) => sum + a * value("fine.basis.0", k, 1, 4 + c, row, column), 0);
      assertClose(folded[4 * texel + c], value("fine.static.0", 1, 4 + c, row, column) + basis, 1e-6);
    }
    assert.deepEqual([...folded.subarray(4 * texel + 2, 4 * texel + 4)], [0, 0]);
  }
  assert.equal(amounts[1].length, 0, "the second scale is static");
});

/** relu(W x + b) of padded groups, then the outputs, as the shader computes them from a block. */
function evaluate(block, { hiddenGroups, inputs, outputs }, places, input) {
  const out = Array.from({ length: places.outputGroups * 4 }, (_, o) => block[places.outBias + o]);
  for (let unit = 0; unit < hiddenGroups * 4; unit += 1) {
    const [group, r] = [unit >> 2, unit & 3];
    let h = block[unit];
    for (let i = 0; i < inputs * 4; i += 1) {
      h += block[places.hidden + (group * inputs + (i >> 2)) * 16 + (i & 3) * 4 + r] * input[i];
    }
    h = Math.max(h, 0);
    if (outputs === 1) out[0] += block[places.out + unit] * h;
    else
      out.forEach((_, o) => {
        out[o] += block[places.out + (group * places.outputGroups + (o >> 2)) * 16 + r * 4 + (o & 3)] * h;
      });
  }
  return out;
}

/** The same from the file's tensors. */
function reference(prefix, hidden, outputs, input, bias = (unit) => value(`${prefix[0]}.bias`, unit)) {
  const units = Array.from({ length: hidden }, (_, unit) =>
    Math.max(0, bias(unit) + input.reduce((sum, x, i) => sum + x * value(`${prefix[0]}.weight`, unit, i), 0)),
  );
  return Array.from(
    { length: outputs },
    (_, o) =>
      value(`${prefix[1]}.bias`, o) +
      units.reduce((sum, h, unit) => sum + h * value(`${prefix[1]}.weight`, o, unit), 0),
  );
}

test("blocks hold the networks, padding without effect", () => {
  const blocks = packBlocks(layout, packed);
  const places = blockLayouts(layout);
  const numbers = (count) => Array.from({ length: count }, (_, i) => Math.sin(i + 1));
  const pad = (values, channels) =>
    values.flatMap((v, i) => (i % channels === channels - 1 ? [v, ...Array((4 - (channels % 4)) % 4).fill(7)] : [v]));

  const features = numbers(12);
  const fine = evaluate(blocks.fine, layout.fine, places.fine, pad(features, 6));
  const [density, ...colours] = reference(["fine.hidden", "fine.out"], SETTINGS.hidden, 6, features);
  assertClose(fine.slice(0, 6), [...colours, density], 1e-5);

  const coarse = evaluate(blocks.coarse, layout.coarse, places.coarse, pad(numbers(3), 3));
  assertClose(coarse[0], reference(["coarse.hidden", "coarse.out"], SETTINGS.coarse_hidden, 1, numbers(3))[0], 1e-5);

  const [accumulated, direction] = [numbers(5), numbers(15)];
  const view = evaluate(blocks.view, { ...layout.view, outputs: 3 }, places.view, [
    ...accumulated,
    9,
    9,
    9,
    ...direction,
    9,
  ]);
  assertClose(
    view.slice(0, 3),
    reference(["view.0", "view.2"], SETTINGS.view_hidden, 3, [...accumulated, ...direction]),
    1e-5,
  );
});

test("a latent shifts the hidden biases", () => {
  const { hiddenBias } = foldNetwork(layout.coarse, packed, LATENT);
  const expected = Array.from(
    { length: SETTINGS.coarse_hidden },
    (_, unit) =>
      value("coarse.hidden.bias", unit) +
      LATENT.reduce((sum, z, i) => sum + z * value("coarse.hidden_latent.weight", unit, i), 0),
  );
  assertClose([...hiddenBias], expected, 1e-6);
});
