/**
 * Camera paths as files: the JSON of nerfstudio's viewer, which `dynerf decode --view` reads too. A path is written as
 * all its pictures (`camera_path`, for rendering) and its keyframes (`keyframes`, for editing). When reading, keyframes
 * are used if all of them are valid; else every picture becomes a keyframe. Files are not trusted: every number is
 * checked.
 */
import { matrixFromPose, poseFromMatrix } from "./vector.js";

const MAX_PICTURES = 3600;
const MAX_BYTES = 2 ** 24;

const squareMatrix = (camera) => [...matrixFromPose(camera), 0, 0, 0, 1];

/** The file of a path; `size` is {width, height} in pixels. */
export function toNerfstudio(path, size) {
  const { clip } = path;
  const aspect = size.width / size.height;
  const last = (clip.frames - 1) / clip.fps;
  const renderTime = (time) => (last > 0 ? Math.min(Math.max(time / last, 0), 1) : 0);
  const entry = (camera) => ({ fov: camera.fov, aspect, render_time: renderTime(camera.time) });
  return {
    camera_type: "perspective",
    render_width: size.width,
    render_height: size.height,
    fps: clip.fps,
    seconds: path.seconds,
    smoothness_value: 0.5,
    is_cycle: false,
    crop: null,
    keyframes: path.keys.map((key) => ({ matrix: squareMatrix(key), ...entry(key) })),
    camera_path: path.pictures().map((camera) => ({ camera_to_world: squareMatrix(camera), ...entry(camera) })),
  };
}

/** Keyframes and seconds of a file's text; `clip` {frames, fps}. Throws an Error whose message the page shows. */
export function fromNerfstudio(text, clip) {
  if (text.length > MAX_BYTES) throw new Error("This file is too large for a camera path.");
  const record = parse(text);
  const pictures = Array.isArray(record.camera_path) ? record.camera_path : [];
  if (!pictures.length || pictures.length > MAX_PICTURES) {
    throw new Error(`This file has ${pictures.length} cameras in camera_path; expected 1 to ${MAX_PICTURES}.`);
  }
  const last = (clip.frames - 1) / clip.fps;
  const keyframes = Array.isArray(record.keyframes) && record.keyframes.length > 1 ? record.keyframes : [];
  const editable = keyframes.length > 0 && keyframes.every((entry) => isPose(entry?.matrix));
  const keys = editable
    ? keyframes.map((entry, index) => keyOf(entry.matrix, entry, last, `keyframes[${index}]`))
    : pictures.map((entry, index) => keyOf(entry?.camera_to_world, entry, last, `camera_path[${index}]`));
  const fps = inRange(record.fps, 0.001, 1000) ? record.fps : clip.fps;
  const seconds = inRange(record.seconds, 0.1, 600) ? record.seconds : pictures.length / fps;
  return { keys, seconds };
}

function parse(text) {
  try {
    const record = JSON.parse(text);
    if (record !== null && typeof record === "object") return record;
  } catch { /* reported below */ }
  throw new Error("This file is not a JSON object, so it is not a camera path.");
}

function keyOf(matrix, entry, last, where) {
  if (!isPose(matrix)) throw new Error(`${where}: expected a camera pose of 16 numbers.`);
  if (!inRange(entry.fov, 0.001, 179)) throw new Error(`${where}: fov is not an angle between 0 and 179 degrees.`);
  const renderTime = inRange(entry.render_time, 0, 1) ? entry.render_time : 0;
  return { ...poseFromMatrix(matrix), fov: entry.fov, time: renderTime * last };
}

const inRange = (value, low, high) => Number.isFinite(value) && value >= low && value <= high;

/** Whether a value is a pose: 16 numbers of at most 10^9, row by row, whose axes have length one. */
function isPose(matrix) {
  if (!Array.isArray(matrix) || matrix.length !== 16) return false;
  if (!matrix.every((value) => inRange(value, -1e9, 1e9))) return false;
  const columns = [0, 1, 2].map((column) => [matrix[column], matrix[4 + column], matrix[8 + column]]);
  return columns.every((axis) => Math.abs(Math.hypot(...axis) - 1) < 0.01);
}
