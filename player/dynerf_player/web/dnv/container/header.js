/**
 * The header (SPEC 4): MessagePack bytes -> a plain object with camelCase keys. Keys inside of `field.settings`,
 * `sampling`, `config` and `quality` are those of the file. Unknown keys are ignored.
 */
import { FormatError, ViewError } from "../errors.js";
import { U32_MAX } from "../layout.js";
import { rank } from "./matrix_rank.js";
import { MsgpackNode, unpack } from "./msgpack_values.js";

const COLOUR = { matrix: "bt709", primaries: "bt709", range: "full", transfer: "bt709" };
const PICTURE_SIZE_MAX = 16384;
const FPS_MAX = 1000;
const NAME_MAX = 64;
const GENERATOR_MAX = 200;
const CORNERS_MAX = 4096;
const ROOT = "header";

/** The header in `bytes`; FormatError with the path of an invalid value. */
export function decodeHeader(bytes) {
  const root = new MsgpackNode(unpack(bytes, ROOT), ROOT);
  const header = {
    generator: root.field("generator").text(GENERATOR_MAX),
    fpsNumerator: root.field("fps_numerator").integer(1, U32_MAX),
    fpsDenominator: root.field("fps_denominator").integer(1, U32_MAX),
    frames: root.field("frames").integer(1, U32_MAX),
    firstSourceFrame: root.field("first_source_frame").integer(0, U32_MAX),
    cameras: root.field("cameras").items().map(camera),
    space: space(root.field("space")),
    field: field(root.field("field")),
    sampling: root.field("sampling").mapping((node) => node.scalar()),
    segments: root.field("segments").items().map(segment),
    colour: colour(root.field("colour")),
    config: root.field("config").mapping((node) => node.plain()),
    quality: root.field("quality").mapping((node) => node.scalar()),
    viewingVolume: viewingVolume(root),
  };
  if (header.fpsNumerator > FPS_MAX * header.fpsDenominator) {
    throw new FormatError(`${ROOT}: more than ${FPS_MAX} frames per second`);
  }
  checkCameras(header.cameras);
  checkSegments(header.segments, header.frames);
  return header;
}

function camera(node) {
  return {
    name: node.field("name").text(NAME_MAX),
    width: node.field("width").integer(1, PICTURE_SIZE_MAX),
    height: node.field("height").integer(1, PICTURE_SIZE_MAX),
    focalX: node.field("focal_x").positive(),
    focalY: node.field("focal_y").positive(),
    centreX: node.field("centre_x").number(),
    centreY: node.field("centre_y").number(),
    cameraToWorld: node.field("camera_to_world").numbers(12),
    role: node.field("role").choice(["training", "held_out"]),
  };
}

function space(node) {
  const near = node.field("near").number();
  if (near < 0) throw new FormatError(`${node.path}.near: found ${near}, expected at least 0`);
  const matrix = node.field("matrix").numbers(16);
  if (rank(matrix) < 4) {
    throw new FormatError(`${node.path}.matrix: is singular, so it does not map a volume to the cube`);
  }
  return { kind: node.field("kind").choice(["perspective", "box"]), matrix, near };
}

function field(node) {
  const settings = node.field("settings").mapping((item) => (Array.isArray(item.value) ? item.plain() : item.scalar()));
  return { kind: node.field("kind").text(NAME_MAX), settings };
}

function colour(node) {
  return Object.fromEntries(Object.entries(COLOUR).map(([key, value]) => [key, node.field(key).choice([value])]));
}

function viewingVolume(root) {
  const node = root.optional("viewing_volume");
  if (node === null) return [];
  const corners = node.items();
  if (corners.length < 1 || corners.length > CORNERS_MAX) {
    throw new FormatError(`${node.path}: found ${corners.length} corners, expected 1 to ${CORNERS_MAX}`);
  }
  return corners.map((corner) => corner.numbers(3));
}

function segment(node) {
  return {
    firstFrame: node.field("first_frame").integer(0, U32_MAX),
    frames: node.field("frames").integer(1, U32_MAX),
  };
}

function checkCameras(cameras) {
  if (cameras.length === 0) throw new FormatError(`${ROOT}.cameras: is empty, expected at least one camera`);
  const seen = new Set();
  cameras.forEach(({ name }, index) => {
    if (seen.has(name)) throw new FormatError(`${ROOT}.cameras[${index}].name: "${name}" occurs twice`);
    seen.add(name);
  });
}

function checkSegments(segments, frames) {
  let expected = 0;
  segments.forEach(({ firstFrame, frames: count }, index) => {
    if (firstFrame !== expected) {
      throw new FormatError(`${ROOT}.segments[${index}].first_frame: found ${firstFrame}, expected ${expected}`);
    }
    expected += count;
  });
  if (expected !== frames) {
    throw new FormatError(`${ROOT}.segments: cover ${expected} frames, expected ${frames}`);
  }
}

/** The number of the segment that holds a frame; ViewError when the clip has no such frame. */
export function segmentAt(header, frame) {
  const found = header.segments.findIndex(
    ({ firstFrame, frames }) => frame >= firstFrame && frame < firstFrame + frames,
  );
  if (found < 0) throw new ViewError(`frame ${frame} requested, the clip has 0 to ${header.frames - 1}`);
  return found;
}

/**
 * The frame at or before a fractional frame number, and the weight of the next frame's latents. Between the last frame
 * of a segment and the first of the next the nearer one is used, at the middle the even one (SPEC 14.1).
 */
export function moment(header, frame) {
  if (!(frame >= 0 && frame <= header.frames - 1)) {
    throw new ViewError(`frame ${frame} requested, the clip has frames 0 to ${header.frames - 1}`);
  }
  const before = Math.floor(frame);
  const weight = frame - before;
  if (weight === 0 || segmentAt(header, before) === segmentAt(header, before + 1)) return { frame: before, weight };
  const nearer = weight === 0.5 ? before + (before % 2) : Math.round(frame);
  return { frame: nearer, weight: 0 };
}
