/**
 * What a ray costs: filtered fetches of four channels, and multiplications with additions, padding included, of one
 * coarse sample, one fine sample and the shading of a ray. The shader's `count` output gives the samples of each ray.
 */
import { groupsOf } from "./field_layout.js";

const macs = ({ inputs, hiddenGroups, outputs }) =>
  hiddenGroups * (16 * inputs + (outputs === 1 ? 4 : 16 * groupsOf(outputs)));

/** {coarse: {fetches, macs}, fine: {fetches, macs}, shade: {fetches, macs}} of a layout. */
export function sampleCost({ coarse, fine, view }) {
  return {
    coarse: { fetches: 3 * coarse.inputs, macs: macs(coarse) },
    fine: { fetches: 3 * fine.inputs, macs: macs(fine) },
    shade: { fetches: 0, macs: macs({ ...view, outputs: 3 }) },
  };
}

/**
 * Means over the rays that hit: {rays, coarse, fine, fetches, macs}, from the RGBA of a picture drawn with the output
 * `count`; zeros where no ray hits.
 */
export function rayCost(layout, pixels) {
  let [rays, coarse, fine] = [0, 0, 0];
  for (let i = 0; i < pixels.length; i += 4) {
    if (pixels[i + 2] === 0) continue;
    rays += 1;
    coarse += pixels[i];
    fine += pixels[i + 1];
  }
  const mean = (sum) => (rays > 0 ? sum / rays : 0);
  const cost = sampleCost(layout);
  const total = (what) => mean(coarse * cost.coarse[what] + fine * cost.fine[what] + rays * cost.shade[what]);
  return { rays, coarse: mean(coarse), fine: mean(fine), fetches: total("fetches"), macs: total("macs") };
}
