/**
 * Cameras and the scene's space in float64, and what the shader needs of them in float32. A camera is a record of the
 * file's header: {width, height, focalX, focalY, centreX, centreY, cameraToWorld}, twelve numbers [R | o] row by
 * row, OpenGL's axes (x right, y up, looking along -z); the first pixel's centre is at (0.5, 0.5), rows run downwards.
 *
 * A ray through the picture position (column, row) has the direction d = R A (column, row, 1), not normalised. In
 * homogeneous coordinates of the cube it is base + t slope, base = M (o, 1) and slope = M R A (column, row, 1); its
 * distances to the six faces are linear in t, too. All these matrices are combined here, where cameras may lie millions
 * of units from the origin.
 */

const MIN_LENGTH = 1e-6; // world units along the ray; a shorter stretch is a miss

/** A camera with a vertical field of view (degrees) for a picture size, from twelve numbers of a pose. */
export function cameraOfView({ cameraToWorld, fieldOfView }, width, height) {
  const focal = height / 2 / Math.tan((fieldOfView * Math.PI) / 360);
  return {
    width,
    height,
    focalX: focal,
    focalY: focal,
    centreX: width / 2,
    centreY: height / 2,
    cameraToWorld,
  };
}

/** The same view at another size: the vertical field of view and the centre are kept, pixels keep their shape. */
export function withSize(camera, width, height) {
  const scale = height / camera.height;
  return {
    ...camera,
    width,
    height,
    focalX: camera.focalX * scale,
    focalY: camera.focalY * scale,
    centreX: width / 2 + (camera.centreX - camera.width / 2) * scale,
    centreY: camera.centreY * scale,
  };
}

/** R A, row by row: from (column, row, 1) to the world direction of the ray, not normalised. */
function directionMatrix({ focalX, focalY, centreX, centreY, cameraToWorld: pose }) {
  return [0, 1, 2].flatMap((i) => {
    const [x, y, z] = [pose[4 * i], pose[4 * i + 1], pose[4 * i + 2]];
    return [x / focalX, -y / focalY, -(x * centreX) / focalX + (y * centreY) / focalY - z];
  });
}

/** Base (4 numbers) and slope (4 x 3, row by row) of a camera's rays in the cube's homogeneous coordinates. */
export function homogeneousRays({ matrix }, camera) {
  const direction = directionMatrix(camera);
  const pose = camera.cameraToWorld;
  const row = (i) => matrix.slice(4 * i, 4 * i + 4);
  const dot = (a, ...b) => b.reduce((sum, value, i) => sum + a[i] * value, 0);
  return {
    direction,
    base: [0, 1, 2, 3].map((i) => dot(row(i), pose[3], pose[7], pose[11], 1)),
    slope: [0, 1, 2, 3].flatMap((i) =>
      [0, 1, 2].map((column) => dot(row(i), direction[column], direction[3 + column], direction[6 + column])),
    ),
  };
}

/** The shader's uniforms, matrices column by column. Faces: w - x, w - y, w - z in `lower`, w + x, ... in `upper`. */
export function rayUniforms(space, camera) {
  const { base, slope, direction } = homogeneousRays(space, camera);
  const face = (sign) => ({
    base: Float32Array.from([0, 1, 2], (i) => base[3] + sign * base[i]),
    slope: columns(
      [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => slope[9 + j] + sign * slope[3 * i + j])),
      3,
    ),
  });
  return {
    base: Float32Array.from(base),
    slope: columns(slope, 4),
    direction: columns(direction, 3),
    lower: face(-1),
    upper: face(1),
    near: space.near,
  };
}

/** A matrix of three columns, given row by row, column by column. */
function columns(matrix, rows) {
  return Float32Array.from({ length: rows * 3 }, (_, i) => matrix[(i % rows) * 3 + Math.floor(i / rows)]);
}

/** The distances (world units) at which the ray through (column, row) enters and leaves the cube, or null. */
export function clipRay(space, camera, column, row) {
  const { base, slope, direction } = homogeneousRays(space, camera);
  const at = (matrix, i) => matrix[3 * i] * column + matrix[3 * i + 1] * row + matrix[3 * i + 2];
  const unit = Math.hypot(...[0, 1, 2].map((i) => at(direction, i)));
  let [enter, leave] = [space.near / unit, Infinity];
  for (const sign of [-1, 1]) {
    for (const i of [0, 1, 2]) {
      const margin = base[3] + sign * base[i];
      const change = at(slope, 3) + sign * at(slope, i);
      if (change > 0) enter = Math.max(enter, -margin / change);
      else if (change < 0) leave = Math.min(leave, -margin / change);
      else if (margin < 0) return null;
    }
  }
  const hit = Number.isFinite(leave) && (leave - enter) * unit > MIN_LENGTH;
  return hit ? [enter * unit, leave * unit] : null;
}

/** The least and greatest distance of the space in the views of cameras, as the decoder's depth pictures use them. */
export function depthRange(space, cameras) {
  const hits = cameras
    .map((camera) => withSize(camera, 8, 8))
    .flatMap((camera) =>
      Array.from({ length: 64 }, (_, i) => clipRay(space, camera, (i % 8) + 0.5, Math.floor(i / 8) + 0.5)),
    )
    .filter((hit) => hit !== null);
  if (hits.length === 0) return null;
  const farthest = Math.max(...hits.map(([, far]) => far));
  return [Math.max(Math.min(...hits.map(([near]) => near)), 1e-3 * farthest), farthest];
}
