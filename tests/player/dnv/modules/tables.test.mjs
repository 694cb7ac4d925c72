import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { smoothFrequencies } from "../../../../player/dynerf_player/web/dnv/coding/parametric_tables.js";
import { FOLDER, fromPytest } from "./support.mjs";

test("the smooth table of the specification's example", () => {
  const found = [...smoothFrequencies({ shape: 8, scale: 80, tokens: 12 })];
  assert.deepEqual(found, [2192, 1845, 1845, 1549, 1549, 1298, 1298, 1093, 1093, 925, 925, 772]);
});

test("smooth tables of every shape and scale are those of the decoder in Python", { skip: !FOLDER }, () => {
  for (const [tokens, expected] of Object.entries(JSON.parse(fromPytest("smooth.json")))) {
    const hash = createHash("sha256");
    for (let shape = 1; shape <= 32; shape += 1) {
      for (let scale = 0; scale < 256; scale += 1) {
        hash.update(smoothFrequencies({ shape, scale, tokens: Number(tokens) }));
      }
    }
    assert.equal(hash.digest("hex"), expected, `${tokens} tokens`);
  }
});
