import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { checkGood, refusal } from "./check_vectors.js";
import { VECTORS, dnv, names, vector } from "./support.mjs";

const EXPECTED = JSON.parse(readFileSync(new URL("vectors.json", VECTORS), "utf8"));

test("all sample files are listed", () => {
  const listed = [...Object.keys(EXPECTED.good), ...Object.keys(EXPECTED.bad)];
  assert.deepEqual(names().sort(), listed.sort());
});

for (const [name, expected] of Object.entries(EXPECTED.good)) {
  test(`${name}: tensors, latents and grids are equal to the bit, in every layer`, async () => {
    const { wrong, compared } = await checkGood(dnv, vector(name), expected);
    assert.deepEqual(wrong, []);
    assert.ok(compared >= 4);
  });
}

for (const [name, { error }] of Object.entries(EXPECTED.bad)) {
  test(`${name} is refused with ${error}`, async () => {
    assert.equal(await refusal(dnv, vector(name)), error);
  });
}
