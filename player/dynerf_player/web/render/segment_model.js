/**
 * A segment's weights on the device. A finer quality layer is loaded beside the one that is shown and replaces it at
 * once, so that no picture mixes two layers.
 */
import { setSampling } from "./glsl.js";
import { packBlocks } from "./network_blocks.js";

/** {layer, sources: planes by tensor name, values: other tensors by name, blocks, grids: {coarse, fine} or null}. */
export class SegmentModel {
  constructor(gl, layout, { layer, sources, values, grids }) {
    this.layer = layer;
    this.sources = sources;
    this.values = values;
    this.blocks = packBlocks(layout, values);
    this.grids = grids && { coarse: cellsTexture(gl, grids.coarse), fine: cellsTexture(gl, grids.fine) };
  }

  get bytes() {
    return [...this.sources.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

/** A layer being loaded: `add` what `packTensors` yields, then `finish`; or `cancel`. */
export class SegmentUpdate {
  constructor({ gl, layout, folding, pause }, previous, layer) {
    Object.assign(this, { gl, layout, folding, pause, previous, layer });
    this.sources = new Map();
    this.values = new Map();
    this.cancelled = false;
  }

  async add({ name, planes, values }) {
    if (values) this.values.set(name, values);
    else await this.upload(name, planes);
  }

  async upload(name, planes) {
    const source = await this.folding.upload(planes, this.pause);
    if (this.cancelled) this.folding.release(source);
    else this.sources.set(name, source);
  }

  /** The model with this layer; planes that it replaces are released. `grids` as for `Renderer.finish`. */
  finish(grids) {
    const { gl, layout, layer, previous } = this;
    const merged = (kind) => new Map([...(previous?.[kind] ?? []), ...this[kind]]);
    const model = new SegmentModel(gl, layout, { layer, grids, sources: merged("sources"), values: merged("values") });
    for (const name of this.sources.keys())
      if (previous?.sources.has(name)) this.folding.release(previous.sources.get(name));
    return model;
  }

  cancel() {
    this.cancelled = true;
    for (const source of this.sources.values()) this.folding.release(source);
    this.sources.clear();
  }
}

/** Free a model's planes: what is folded already can still be drawn. */
export function releaseSources(folding, model) {
  for (const source of model.sources.values()) folding.release(source);
}

/** Free what drawing uses of a model. */
export function releaseGrids(gl, { grids }) {
  for (const texture of Object.values(grids ?? {})) gl.deleteTexture(texture);
}

/** Cells as a 3-D texture of bytes, 0: empty; for null a single occupied cell. */
export function cellsTexture(gl, grid) {
  const { size, cells } = grid ?? { size: 1, cells: new Uint8Array([1]) };
  const texture = gl.createTexture();
  gl.activeTexture(gl.TEXTURE0);
  gl.bindTexture(gl.TEXTURE_3D, texture);
  gl.texStorage3D(gl.TEXTURE_3D, 1, gl.R8UI, size, size, size);
  setSampling(gl, gl.TEXTURE_3D, gl.NEAREST);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, size, size, size, gl.RED_INTEGER, gl.UNSIGNED_BYTE, cells);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
  return texture;
}
