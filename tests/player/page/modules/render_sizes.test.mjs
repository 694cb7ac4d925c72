/** Sizes of a clip's field, what devices can do with them, and how much memory they take. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { sampleCost } from "../../../../player/dynerf_player/web/render/ray_cost.js";
import { planFor } from "../../../../player/dynerf_player/web/render/device.js";
import { layoutOf } from "../../../../player/dynerf_player/web/render/field_layout.js";
import { affordable, footprint, memoryBudget } from "../../../../player/dynerf_player/web/render/graphics_memory.js";
import { blockLayouts } from "../../../../player/dynerf_player/web/render/network_blocks.js";
import { header, smallLayout } from "./render_support.mjs";

const PREVIEW = {
  latent: 32,
  scales: [48, 96, 192],
  basis: [8, 8, 0],
  channels: 8,
  hidden: 32,
  view_features: 4,
  view_hidden: 32,
  coarse_scale: 64,
  coarse_basis: 8,
  coarse_channels: 4,
  coarse_hidden: 16,
};
const BALANCED = { ...PREVIEW, scales: [64, 128, 256], basis: [8, 4, 0], hidden: 64, view_features: 8 };
const FAST = {
  ...PREVIEW,
  hidden: 64,
  view_features: 6,
  scales: [64, 128, 256, 512],
  basis: [16, 16, 16, 0],
  channels: 12,
  coarse_scale: 96,
  coarse_basis: 16,
};
/** What every WebGL 2 device has at least. */
const LEAST = { textureSize: 2048, arrayLayers: 256, blockBytes: 16384, textureUnits: 16, uniformVectors: 224 };

test("the presets fit what every WebGL 2 device guarantees", () => {
  for (const settings of [PREVIEW, BALANCED, FAST]) {
    assert.deepEqual(planFor(smallLayout(settings), { limits: LEAST, halfTarget: true }), { fold: "gpu", why: "" });
  }
  const { fine, view } = blockLayouts(smallLayout(FAST));
  assert.equal(fine.bytes, 15664);
  assert.equal(view.bytes, 4240);
});

test("small networks halve the multiplications of a ray", () => {
  const wide = { ...PREVIEW, hidden: 64, view_features: 6 };
  const costs = [wide, PREVIEW, FAST].map((settings) => sampleCost(smallLayout(settings)));
  assert.deepEqual(costs.map(({ coarse }) => coarse), Array(3).fill({ fetches: 3, macs: 80 }));
  assert.deepEqual(costs.map(({ fine }) => fine), [{ fetches: 18, macs: 2304 }, { fetches: 18, macs: 1024 }, { fetches: 36, macs: 3840 }]);
  assert.deepEqual(costs.map(({ shade }) => shade.macs), [1024, 896, 1024]);
  // Of 24 coarse and 12 fine samples rays evaluate about 10 and 8.
  const [large, small] = costs.map(({ coarse, fine, shade }) => 10 * coarse.macs + 8 * fine.macs + shade.macs);
  assert.ok(small <= large / 2);
});

test("what a device lacks leads to folding on the CPU", () => {
  const layout = smallLayout(FAST);
  const plan = (limits, halfTarget = true) => planFor(layout, { limits: { ...LEAST, ...limits }, halfTarget });
  assert.match(plan({}, false).why, /half-float/);
  assert.match(plan({ arrayLayers: 143 }).why, /144 layers .* 143/);
  assert.match(plan({ uniformVectors: 18 }).why, /20 uniform vectors/);
  assert.ok([plan({}, false), plan({ arrayLayers: 143 })].every(({ fold }) => fold === "cpu"));
});

test("what folding on the CPU does not help is unsupported, with what was needed and offered", () => {
  const refused = (limits) => () => planFor(smallLayout(FAST), { limits: { ...LEAST, ...limits }, halfTarget: true });
  assert.throws(refused({ blockBytes: 15663 }), { name: "Unsupported", message: /15664 bytes of a network.* 15663/ });
  assert.throws(refused({ textureSize: 511 }), { name: "Unsupported", message: /512 texels/ });
  assert.throws(refused({ arrayLayers: 8 }), { name: "Unsupported", message: /9 layers of folded planes/ });
  assert.throws(refused({ textureUnits: 6 }), { name: "Unsupported", message: /7 textures/ });
});

test("fields and samplings that only the server renders are unsupported", () => {
  assert.throws(() => layoutOf(header({}, { kind: "mlp" })), { name: "Unsupported", message: /"mlp"/ });
  assert.throws(() => layoutOf(header({}, { sampling: { union: true } })), { name: "Unsupported" });
});

test("invalid settings are a damaged file", () => {
  const bad = [
    { hidden: 0 },
    { hidden: 1.5 },
    { hidden: 16385 },
    { scales: [] },
    { scales: [4] },
    { channels: "8" },
    { basis: [-1, 2] },
    { basis: [0, 0] },
    { coarse_basis: 0 },
    { scales: Array(17).fill(4), basis: Array(17).fill(1) },
    { latent: undefined },
  ];
  for (const changes of bad)
    assert.throws(() => smallLayout(changes), { name: "FormatError" }, JSON.stringify(changes));
  for (const sampling of [{ coarse: 1 }, { fine: 4097 }, { fine: null }]) {
    assert.throws(() => layoutOf(header({}, { sampling })), { name: "FormatError" });
  }
});

test("a budget decides what is held", () => {
  const size = footprint(smallLayout(FAST));
  assert.ok(size.symbols > 63e6 && size.symbols < 66e6, `${size.symbols}`);
  assert.ok(size.folded > 24e6 && size.folded < 27e6, `${size.folded}`);
  assert.deepEqual(affordable(size, 250e6), { show: true, refine: true, ahead: true });
  assert.deepEqual(affordable(size, 160e6), { show: true, refine: true, ahead: false });
  assert.deepEqual(affordable(size, 100e6), { show: true, refine: false, ahead: false });
  assert.deepEqual(affordable(size, 80e6), { show: false, refine: false, ahead: false });
});

test("phones get a smaller budget than desktops", () => {
  const phone = memoryBudget({ userAgent: "Mozilla/5.0 (Linux; Android 15) Mobile" });
  const small = memoryBudget({ userAgent: "X11", deviceMemory: 4 });
  const desktop = memoryBudget({ userAgent: "X11" });
  assert.ok(phone < small && small < desktop);
  assert.equal(memoryBudget({ userAgent: "X11", userAgentData: { mobile: true } }), phone);
});
