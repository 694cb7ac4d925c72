/**
 * The networks as std140 blocks of float32. A block holds, H hidden groups, I input groups and O output groups of four:
 *
 *     vec4 HiddenBias[H]; vec4 OutBias[O]; mat4 Hidden[H x I]; mat4 Out[H x O];
 *
 * and with a single output `vec4 Out[H]` at the end, for a dot product. A mat4 is stored column by column, so that
 * number 4 c + r of it takes input c to output r. Inputs and outputs are placed by lists of slots: `slots[i]` is the
 * file's column (row) at place i, undefined where padding is.
 */

/** Where the parts of a block lie, in floats, and its length. */
export function blockLayout({ hiddenGroups, inputs, outputs }) {
  const outputGroups = Math.ceil(outputs / 4);
  const outBias = hiddenGroups * 4;
  const hidden = outBias + outputGroups * 4;
  const out = hidden + hiddenGroups * inputs * 16;
  const length = out + hiddenGroups * (outputs === 1 ? 4 : outputGroups * 16);
  return { outBias, hidden, out, length, outputGroups, bytes: length * 4 };
}

/** The three blocks of a layout by name: {coarse, fine, view}, as `blockLayout` gives them. */
export function blockLayouts({ coarse, fine, view }) {
  return {
    coarse: blockLayout(coarse),
    fine: blockLayout(fine),
    view: blockLayout({ ...view, outputs: 3 }),
  };
}

/** The contents of the three blocks for a segment's values by name; hidden biases are those without latent. */
export function packBlocks(layout, values) {
  const get = (name) => values.get(name);
  return {
    coarse: packBlock(layout.coarse, stackSlots(layout.coarse), [0], {
      weight: get("coarse.hidden.weight"),
      bias: get("coarse.hidden.bias"),
      outWeight: get("coarse.out.weight"),
      outBias: get("coarse.out.bias"),
    }),
    fine: packBlock(layout.fine, stackSlots(layout.fine), fineOutputs(layout.fine), {
      weight: get("fine.hidden.weight"),
      bias: get("fine.hidden.bias"),
      outWeight: get("fine.out.weight"),
      outBias: get("fine.out.bias"),
    }),
    view: packBlock({ ...layout.view, outputs: 3 }, viewSlots(layout.view), [0, 1, 2], {
      weight: get("view.0.weight"),
      bias: get("view.0.bias"),
      outWeight: get("view.2.weight"),
      outBias: get("view.2.bias"),
    }),
  };
}

/** Slots of looked-up features: the channels of each scale start a group of four. */
function stackSlots({ scales, channels, groups }) {
  return scales.flatMap((_, scale) =>
    Array.from({ length: groups * 4 }, (__, channel) => (channel < channels ? scale * channels + channel : undefined)),
  );
}

/** The fine field's outputs: colour and view features first, so that they can be accumulated, density behind them. */
function fineOutputs({ outputs }) {
  return [...Array.from({ length: outputs - 1 }, (_, i) => i + 1), 0];
}

function viewSlots({ features, featureGroups, directionNumbers }) {
  const slots = Array.from({ length: featureGroups * 4 }, (_, i) => (i < 3 + features ? i : undefined));
  return [...slots, ...Array.from({ length: directionNumbers }, (_, i) => 3 + features + i)];
}

function packBlock(sizes, inputSlots, outputSlots, { weight, bias, outWeight, outBias }) {
  const places = blockLayout(sizes);
  const block = new Float32Array(places.length);
  const { hidden, inputs, outputs } = sizes;
  const columns = weight.length / hidden;
  block.set(bias, 0);
  outputSlots.forEach((row, place) => {
    block[places.outBias + place] = outBias[row];
  });
  for (let unit = 0; unit < hidden; unit += 1) {
    inputSlots.forEach((column, place) => {
      if (column === undefined) return;
      const matrix = (unit >> 2) * inputs + (place >> 2);
      block[places.hidden + matrix * 16 + (place & 3) * 4 + (unit & 3)] = weight[unit * columns + column];
    });
    outputSlots.forEach((row, place) => {
      const matrix = (unit >> 2) * places.outputGroups + (place >> 2);
      const index = outputs === 1 ? unit : matrix * 16 + (unit & 3) * 4 + (place & 3);
      block[places.out + index] = outWeight[row * hidden + unit];
    });
  }
  return block;
}

/** W z + b in float64. */
export function affine(weight, bias, latent) {
  const rows = weight.length / latent.length;
  return Float64Array.from({ length: rows }, (_, row) => {
    let sum = bias[row];
    for (let i = 0; i < latent.length; i += 1) sum += weight[row * latent.length + i] * latent[i];
    return sum;
  });
}

/** What a latent changes in a stack: hidden biases (float32) and the amounts of the basis planes, scale by scale. */
export function foldNetwork(stack, values, latent) {
  const hidden = affine(
    values.get(`${stack.name}.hidden_latent.weight`),
    values.get(`${stack.name}.hidden.bias`),
    latent,
  );
  const amounts = affine(values.get(`${stack.name}.mix.weight`), values.get(`${stack.name}.mix.bias`), latent);
  let start = 0;
  return {
    hiddenBias: Float32Array.from(hidden),
    amounts: stack.scales.map(({ basis }) => amounts.subarray(start, (start += basis))),
  };
}
