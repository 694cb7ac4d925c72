/**
 * The sizes of a clip's `planes` field, checked, and what follows from them. Textures and uniforms hold four numbers at
 * a time: channels, hidden units and outputs are padded to groups of four with zeros.
 *
 * A stack (the fine or the coarse field) is {name, scales: [{size, basis}], channels, groups, inputs, hidden,
 * hiddenGroups, outputs, outputGroups}: `inputs` counts groups of looked-up features, those of the first scale first.
 */
import { FormatError } from "../dnv/errors.js";
import { Unsupported } from "./unsupported.js";

const MAX_SIZE = 16384; // of a setting, as in the reference decoder
const MAX_SCALES = 16;
const MAX_SAMPLES = 4096;
const DIRECTION_NUMBERS = 15; // v, sin v, cos v, sin 2v, cos 2v

/** How many groups of four hold `count` numbers. */
export const groupsOf = (count) => Math.ceil(count / 4);

/** The layout of a header. Throws `Unsupported` for what only the server renders, `FormatError` for invalid values. */
export function layoutOf(header) {
  const { kind, settings } = header.field;
  if (kind !== "planes") {
    throw new Unsupported(`the clip's field is "${kind}"; only "planes" can be rendered in a browser`);
  }
  const { coarse, fine, union } = header.sampling;
  if (union) throw new Unsupported("the clip samples the union of coarse and fine positions, which needs the server");
  const scales = list(settings, "scales", 1);
  const basis = list(settings, "basis", 0);
  if (scales.length !== basis.length) {
    throw new FormatError(`header.field.settings: ${scales.length} scales and ${basis.length} numbers of basis planes`);
  }
  if (basis.every((count) => count === 0)) {
    throw new FormatError("header.field.settings.basis: no basis planes at any scale");
  }
  const viewFeatures = whole(settings, "view_features", 0);
  const outputs = 4 + viewFeatures;
  return {
    latent: whole(settings, "latent", 1),
    samples: { coarse: whole({ coarse }, "coarse", 2, MAX_SAMPLES), fine: whole({ fine }, "fine", 2, MAX_SAMPLES) },
    fine: stackOf("fine", scales, basis, whole(settings, "channels", 1), whole(settings, "hidden", 1), outputs),
    coarse: stackOf(
      "coarse",
      [whole(settings, "coarse_scale", 1)],
      [whole(settings, "coarse_basis", 1)],
      whole(settings, "coarse_channels", 1),
      whole(settings, "coarse_hidden", 1),
      1,
    ),
    view: viewOf(viewFeatures, groupsOf(outputs), whole(settings, "view_hidden", 1)),
  };
}

function stackOf(name, sizes, basis, channels, hidden, outputs) {
  const groups = groupsOf(channels);
  return {
    name,
    channels,
    groups,
    hidden,
    outputs,
    scales: sizes.map((size, index) => ({ size, basis: basis[index] })),
    inputs: groups * sizes.length,
    hiddenGroups: groupsOf(hidden),
    outputGroups: groupsOf(outputs),
  };
}

/** The view network: its inputs are the accumulated features, in the fine field's groups, and the encoded direction. */
function viewOf(features, featureGroups, hidden) {
  return {
    features,
    featureGroups,
    hidden,
    inputs: featureGroups + groupsOf(DIRECTION_NUMBERS),
    hiddenGroups: groupsOf(hidden),
    directionNumbers: DIRECTION_NUMBERS,
  };
}

/** Name and shape of every tensor of the field, as the file's writer names them. */
export function tensorShapes(layout) {
  const shapes = new Map();
  for (const stack of [layout.fine, layout.coarse]) {
    const { name, channels, hidden, outputs } = stack;
    const blended = stack.scales.reduce((sum, { basis }) => sum + basis, 0);
    stack.scales.forEach(({ size, basis }, scale) => {
      shapes.set(`${name}.static.${scale}`, [3, channels, size, size]);
      if (basis > 0) shapes.set(`${name}.basis.${scale}`, [basis, 3, channels, size, size]);
    });
    shapes.set(`${name}.mix.weight`, [blended, layout.latent]);
    shapes.set(`${name}.mix.bias`, [blended]);
    shapes.set(`${name}.hidden.weight`, [hidden, channels * stack.scales.length]);
    shapes.set(`${name}.hidden.bias`, [hidden]);
    shapes.set(`${name}.hidden_latent.weight`, [hidden, layout.latent]);
    shapes.set(`${name}.out.weight`, [outputs, hidden]);
    shapes.set(`${name}.out.bias`, [outputs]);
  }
  const { features, hidden, directionNumbers } = layout.view;
  shapes.set("view.0.weight", [hidden, 3 + features + directionNumbers]);
  shapes.set("view.0.bias", [hidden]);
  shapes.set("view.2.weight", [3, hidden]);
  shapes.set("view.2.bias", [3]);
  return shapes;
}

/** Whether a tensor holds feature planes, which become textures; the others become uniforms. */
export const isPlanes = (name) => /^(fine|coarse)\.(static|basis)\.\d+$/.test(name);

function list(settings, name, least) {
  const values = settings[name];
  if (!Array.isArray(values) || values.length < 1 || values.length > MAX_SCALES) {
    throw new FormatError(`header.field.settings.${name}: expected a list of 1 to ${MAX_SCALES} whole numbers`);
  }
  return values.map((value) => whole({ [name]: value }, name, least));
}

function whole(settings, name, least, most = MAX_SIZE) {
  const value = settings[name];
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new FormatError(`header, ${name}: found ${value}, expected a whole number from ${least} to ${most}`);
}
