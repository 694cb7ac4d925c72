/**
 * Renders a clip's `planes` field with WebGL2: symbols are uploaded by segment and quality layer, folded for a moment,
 * and drawn by one ray per pixel, in strips. Works on any canvas, in a page or in a worker.
 *
 *     const renderer = await Renderer.create(gl, header);
 *     const update = renderer.update(segment, layer);
 *     for (const entry of packTensors(renderer.layout, tensors)) await update.add(entry);
 *     renderer.finish(segment, update, grids);
 *     renderer.setMoment({ segment, latent });
 *     await renderer.draw({ camera, width, height });
 *     renderer.present();
 */
import { ViewError } from "../dnv/errors.js";
import { rayUniforms, depthRange, withSize } from "./camera_rays.js";
import { capabilities, planFor } from "./device.js";
import { layoutOf } from "./field_layout.js";
import { CpuFold, GpuFold } from "./fold.js";
import { FoldedField } from "./folded_field.js";
import { checkMemory, compile } from "./glsl.js";
import { footprint } from "./graphics_memory.js";
import { Present } from "./present.js";
import { sampleCost } from "./ray_cost.js";
import { raySource } from "./ray_shader.js";
import { SegmentUpdate, cellsTexture, releaseGrids, releaseSources } from "./segment_model.js";
import { Strips, drawInStrips, turn } from "./strips.js";
import { Target } from "./target.js";

export const MIN_TRANSMITTANCE = 0.02; // what is behind changes a pixel by at most this fraction

const FIRST_MACS = 1e8; // multiplications of the first strip, whose speed is unknown

export class Renderer {
  /**
   * Compile what the clip needs. Options: `budget` of graphics memory in bytes; `device`, what the context can do, as
   * from `capabilities`; `minTransmittance`, 0 for every sample of every ray; `precise`: float32 planes; `prelude` of
   * the ray shader. Throws `Unsupported` with a reason, `FormatError` for an invalid header.
   */
  static async create(gl, header, { budget, device = capabilities(gl), ...options } = {}) {
    const layout = layoutOf(header);
    const plan = planFor(layout, device, budget);
    const folding = plan.fold === "gpu" ? new GpuFold(gl, options.precise) : new CpuFold(gl);
    const [present, program] = await Promise.all([
      Present.create(gl),
      compile(gl, raySource(layout, { prelude: options.prelude })),
      folding.prepare(layout),
    ]);
    return new Renderer(gl, header, { device, layout, plan, folding, present, program, options });
  }

  constructor(gl, header, { device, layout, plan, folding, present, program, options }) {
    Object.assign(this, { gl, header, device, layout, plan, folding, present_: present, options });
    this.programs = new Map([["colour", program]]);
    this.field = new FoldedField(gl, layout, { precise: options.precise });
    this.target = new Target(gl);
    this.strips = new Strips(firstStrip(layout));
    this.everywhere = cellsTexture(gl, null);
    this.models = new Map(); // by segment
    this.replaced = []; // models whose grids the moment may still use
    this.moment = null;
    this.depths = depthRange(header.space, header.cameras);
    gl.disable(gl.DITHER);
    checkMemory(gl);
  }

  /** The quality layer that is loaded of a segment; -1: none. */
  layerOf(segment) {
    return this.models.get(segment)?.layer ?? -1;
  }

  /** Start to load a layer of a segment; the other layers stay as they are until `finish`. */
  update(segment, layer) {
    const { gl, layout, folding } = this;
    return new SegmentUpdate({ gl, layout, folding, pause: turn }, this.models.get(segment), layer);
  }

  /** Use a loaded layer from the next `setMoment` on. `grids`: null, or {coarse, fine}, each null or {size, cells}. */
  finish(segment, update, grids) {
    this.dropLater(this.models.get(segment));
    this.models.set(segment, update.finish(grids));
  }

  /** Free the segments for which `keep(segment)` is false. */
  retain(keep) {
    for (const [segment, model] of this.models) {
      if (keep(segment)) continue;
      releaseSources(this.folding, model);
      this.dropLater(model);
      this.models.delete(segment);
    }
  }

  /** A replaced model is still drawn until another moment is folded. */
  dropLater(model) {
    if (model && model === this.moment?.model) this.replaced.push(model);
    else if (model) releaseGrids(this.gl, model);
  }

  /** Fold a moment; nothing is done when it is folded already. Returns false when its segment is not loaded. */
  setMoment({ segment, latent }) {
    const model = this.models.get(segment);
    if (!model) return false;
    const { moment } = this;
    const same = moment?.model === model && moment.latent.every((value, i) => value === latent[i]);
    if (same) return true;
    this.field.fold(this.folding, model, latent);
    this.moment = { model, latent: Float64Array.from(latent) };
    this.replaced.splice(0).forEach((each) => releaseGrids(this.gl, each));
    return true;
  }

  /**
   * Draw a camera's view (a record as in the header, of any size) of the moment. `output` is "colour", "depth" or
   * "count", the samples of a ray; `stop()` ends it between two strips. Resolves to whether the picture is complete.
   */
  async draw({ camera, width, height, output = "colour" }, stop = () => false) {
    if (output === "depth" && this.depths === null)
      throw new ViewError("no camera sees the scene, so there is no depth to show");
    const program = await this.programOf(output);
    const uniforms = rayUniforms(this.header.space, withSize(camera, width, height));
    this.target.resize(width, height);
    return drawInStrips(
      this.gl,
      this.strips,
      width,
      height,
      (...rectangle) => {
        this.bind(program, uniforms);
        this.gl.scissor(...rectangle);
        program.draw();
        this.gl.disable(this.gl.SCISSOR_TEST);
      },
      stop,
    );
  }

  async programOf(output) {
    if (!this.programs.has(output)) {
      this.programs.set(
        output,
        await compile(this.gl, raySource(this.layout, { output, prelude: this.options.prelude })),
      );
    }
    return this.programs.get(output);
  }

  /** All state of a draw; uploads may have changed it since the last strip. */
  bind(program, uniforms) {
    const { gl } = this;
    program.use();
    this.target.bind();
    gl.enable(gl.SCISSOR_TEST);
    const unit = this.field.bind(program);
    const { grids } = this.moment.model;
    program.bindTexture("coarseCells", unit, gl.TEXTURE_3D, grids?.coarse ?? this.everywhere);
    program.bindTexture("fineCells", unit + 1, gl.TEXTURE_3D, grids?.fine ?? this.everywhere);
    gl.uniform4fv(program.at("base"), uniforms.base);
    gl.uniformMatrix3x4fv(program.at("slope"), false, uniforms.slope);
    gl.uniformMatrix3fv(program.at("direction"), false, uniforms.direction);
    for (const side of ["lower", "upper"]) {
      gl.uniform3fv(program.at(`${side}Base`), uniforms[side].base);
      gl.uniformMatrix3fv(program.at(`${side}Slope`), false, uniforms[side].slope);
    }
    gl.uniform1f(program.at("near"), uniforms.near);
    gl.uniform1f(program.at("minTransmittance"), this.options.minTransmittance ?? MIN_TRANSMITTANCE);
    gl.uniform2fv(program.at("depthRange"), this.depths ?? [1, 2]);
  }

  /** Show the drawn picture on the canvas, scaled to its size. */
  present() {
    this.present_.show(this.target.texture);
  }

  /** RGBA of the drawn picture, the top row first. */
  read() {
    return this.target.read();
  }

  /** Bytes of textures. */
  get bytes() {
    const symbols = [...this.models.values()].reduce((sum, model) => sum + model.bytes, 0);
    return symbols + footprint(this.layout).folded + this.target.bytes;
  }

  dispose() {
    this.moment = null;
    this.retain(() => false);
    this.replaced.forEach((model) => releaseGrids(this.gl, model));
    this.field.dispose();
    this.target.dispose();
    this.folding.dispose();
    this.present_.dispose();
    this.programs.forEach((program) => program.delete());
    this.gl.deleteTexture(this.everywhere);
  }
}

/** Pixels of the first strip: few where a ray may be long. */
function firstStrip(layout) {
  const { coarse, fine } = sampleCost(layout);
  return FIRST_MACS / (layout.samples.coarse * coarse.macs + layout.samples.fine * fine.macs);
}
