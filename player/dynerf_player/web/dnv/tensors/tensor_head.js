/**
 * The head of a tensor's record (SPEC 8): its name and shape, or which tensor it refines, and its steps.
 */
import { SideInformation } from "../coding/side_information.js";
import { elementsOf } from "../coding/symbol_canvas.js";
import { FormatError, LimitError } from "../errors.js";
import { SYMBOL_MAX } from "../layout.js";

export const CODED = 0;
export const REFINED_MAX = 2 * SYMBOL_MAX; // of factor times coarser symbol

const PLAIN = [1, 2, 4];
const [CONTINUED, STEP_PER_CHANNEL] = [8, 16];
const FACTOR_MIN = 2;
const ANEW = 0; // in place of a factor: coded without the layers below
const RANK_MAX = 8;
const NAME_LENGTH_MAX = 128;
const NAME = /^[A-Za-z0-9_./-]+$/;

/**
 * Read a head; LimitError for more than `budget` elements. `coarser` is the list of the tensors of the layers below, or
 * null; `previous` is as for `unpackTensors`.
 * `coding` is 0, or the number of bytes of a plain symbol; `below` is the tensor that this one refines, or null.
 */
export function readHead(reader, budget, lastName, coarser, previous) {
  const kind = reader.u8();
  const coding = kind & ~(CONTINUED | STEP_PER_CHANNEL);
  if (coding !== CODED && !PLAIN.includes(coding)) {
    throw new FormatError(`tensors: coding ${kind}, expected 0, 1, 2 or 4, optionally plus 8 and 16`);
  }
  const { name, shape, below, factor } = coarser === null ? readNamed(reader, lastName) : readRefined(reader, coarser);
  const elements = elementsOf(shape);
  if (elements > budget) {
    throw new LimitError(
      `tensor "${name}": shape (${shape.join(", ")}) has ${elements} elements, at most ${budget} allowed here`,
    );
  }
  const steps = readSteps(reader, kind & STEP_PER_CHANNEL ? shape[0] : 1);
  const earlier = kind & CONTINUED ? previousCanvas(name, shape, previous) : null;
  return { name, shape, elements, steps, coding, below, sideInformation: new SideInformation(factor, earlier) };
}

function readNamed(reader, lastName) {
  const [shared, length] = reader.take(2);
  if (shared > lastName.length) {
    throw new FormatError(
      `tensors: a name shares ${shared} characters with "${lastName}", which has ${lastName.length}`,
    );
  }
  const name = lastName.slice(0, shared) + String.fromCharCode(...reader.take(length));
  if (name.length > NAME_LENGTH_MAX || !NAME.test(name)) {
    throw new FormatError(
      `tensor name ${JSON.stringify(name.slice(0, NAME_LENGTH_MAX))}: expected 1 to ${NAME_LENGTH_MAX} letters, digits, _./-`,
    );
  }
  return { name, shape: readShape(reader, name), below: null, factor: 0 };
}

function readShape(reader, name) {
  const rank = reader.u8();
  if (rank > RANK_MAX) throw new FormatError(`tensor "${name}": ${rank} axes, expected at most ${RANK_MAX}`);
  const shape = Array.from({ length: rank }, () => reader.varint());
  if (rank === 0 || shape.includes(0)) {
    throw new FormatError(
      `tensor "${name}": shape (${shape.join(", ")}), expected 1 to ${RANK_MAX} axes, none of them empty`,
    );
  }
  return shape;
}

function readRefined(reader, coarser) {
  const [index, factor] = [reader.varint(), reader.u8()];
  if (index >= coarser.length) {
    throw new FormatError(`tensors: refines tensor ${index}, but the layers below have ${coarser.length}`);
  }
  const below = coarser[index];
  if (factor === ANEW) return { name: below.name, shape: below.shape, below: null, factor };
  if (factor < FACTOR_MIN || factor * below.canvas.largest() > REFINED_MAX) {
    throw new FormatError(
      `tensor "${below.name}": factor ${factor}, expected 0 or 2 to 255, not too large for the symbols below`,
    );
  }
  return { name: below.name, shape: below.shape, below, factor };
}

function readSteps(reader, count) {
  const view = reader.view(4 * count);
  return Float64Array.from({ length: count }, (_, i) => view.getFloat32(4 * i, true));
}

/** The symbols that a tensor continues; FormatError when there are none. */
function previousCanvas(name, shape, previous) {
  const tensor = previous?.get(name);
  if (!tensor || tensor.shape.join() !== shape.join()) {
    throw new FormatError(
      `tensor "${name}": the previous segment has no tensor of this name and shape to continue`,
    );
  }
  return tensor.canvas;
}
