/**
 * Camera paths as files: the JSON of nerfstudio's viewer, which `dynerf decode --view` reads too. A path is written as
 * its pictures (`camera_path`, what renders) and its keys (`keyframes`, what can be edited again). Read are the keys
 * when they are whole, else every picture becomes a key. A file is distrusted: numbers are checked one by one.
 */
import { poseOf, rowsOf } from "./vector.js";

const MOST_PICTURES = 3600;
const MOST_BYTES = 2 ** 24;

const matrixOf = (camera) => [...rowsOf(camera), 0, 0, 0, 1];

/** The file of a path; `size` is {width, height} in pixels. */
export function toNerfstudio(path, size) {
  const { clip } = path;
  const aspect = size.width / size.height;
  const last = (clip.frames - 1) / clip.fps;
  const share = (time) => (last > 0 ? Math.min(Math.max(time / last, 0), 1) : 0);
  const entry = (camera) => ({ fov: camera.fov, aspect, render_time: share(camera.time) });
  return {
    camera_type: "perspective",
    render_width: size.width,
    render_height: size.height,
    fps: clip.fps,
    seconds: path.seconds,
    smoothness_value: 0.5,
    is_cycle: false,
    crop: null,
    keyframes: path.keys.map((key) => ({ matrix: matrixOf(key), ...entry(key) })),
    camera_path: path.pictures().map((camera) => ({ camera_to_world: matrixOf(camera), ...entry(camera) })),
  };
}

/** Keys and seconds of a file's text; `clip` {frames, fps}. Throws an Error whose message the page shows. */
export function fromNerfstudio(text, clip) {
  if (text.length > MOST_BYTES) throw new Error("This file is too large for a camera path.");
  const record = parsed(text);
  const pictures = Array.isArray(record.camera_path) ? record.camera_path : [];
  if (!pictures.length || pictures.length > MOST_PICTURES) {
    throw new Error(`This file has ${pictures.length} cameras in camera_path; expected 1 to ${MOST_PICTURES}.`);
  }
  const last = (clip.frames - 1) / clip.fps;
  const own = Array.isArray(record.keyframes) && record.keyframes.length > 1 ? record.keyframes : [];
  const editable = own.length > 0 && own.every((entry) => isMatrix(entry?.matrix));
  const keys = editable
    ? own.map((entry, index) => keyOf(entry.matrix, entry, last, `keyframes[${index}]`))
    : pictures.map((entry, index) => keyOf(entry?.camera_to_world, entry, last, `camera_path[${index}]`));
  const fps = inside(record.fps, 0.001, 1000) ? record.fps : clip.fps;
  const seconds = inside(record.seconds, 0.1, 600) ? record.seconds : pictures.length / fps;
  return { keys, seconds };
}

function parsed(text) {
  try {
    const record = JSON.parse(text);
    if (record !== null && typeof record === "object") return record;
  } catch { /* said below, for both cases */ }
  throw new Error("This file is no JSON, so no camera path.");
}

function keyOf(matrix, entry, last, where) {
  if (!isMatrix(matrix)) throw new Error(`${where}: no camera pose of 16 numbers.`);
  if (!inside(entry.fov, 0.001, 179)) throw new Error(`${where}: fov is no angle between 0 and 179 degrees.`);
  const share = inside(entry.render_time, 0, 1) ? entry.render_time : 0;
  return { ...poseOf(matrix), fov: entry.fov, time: share * last };
}

const inside = (value, low, high) => Number.isFinite(value) && value >= low && value <= high;

/** A pose: 16 sane numbers, row by row, whose axes are of length one. */
function isMatrix(matrix) {
  if (!Array.isArray(matrix) || matrix.length !== 16) return false;
  if (!matrix.every((value) => inside(value, -1e9, 1e9))) return false;
  const columns = [0, 1, 2].map((column) => [matrix[column], matrix[4 + column], matrix[8 + column]]);
  return columns.every((axis) => Math.abs(Math.hypot(...axis) - 1) < 0.01);
}
