import assert from "node:assert/strict";
import { test } from "node:test";

import { firstChoice, isAccelerated, Trial } from "../../../../player/dynerf_player/web/backend/choice.js";

test("the browser renders where it can, otherwise a server", () => {
  const side = (mode, hasServer, accelerated) => firstChoice({ mode, hasServer, isAccelerated: accelerated }).kind;
  assert.equal(side("auto", true, true), "browser");
  assert.equal(side("auto", true, false), "server");
  assert.equal(side("auto", false, false), "browser");
  assert.equal(side("browser", true, false), "browser");
  assert.equal(side("server", true, true), "server");
  assert.equal(side("server", false, true), "browser");
  assert.match(firstChoice({ mode: "auto", hasServer: true, isAccelerated: false }).why, /no accelerated WebGL 2/);
});

test("a device is assessed by its first three pictures", () => {
  const assess = (...pictures) => {
    const trial = new Trial();
    return pictures.map((drawMs) => trial.record({ width: 100, height: 100, drawMs }, 640_000));
  };
  assert.deepEqual(assess(90, 90, 24), [null, null, null]); // a quarter of each side in 96 ms
  const [first, second, third] = assess(90, 30, 40);
  assert.deepEqual([first, second], [null, null]);
  assert.match(third, /120 ms/);
  assert.equal(assess(90, 90, 90, 90)[3], null, "assessed once");
});

test("a device without hardware has no context with its performance", () => {
  const canvas = (offers) => ({ getContext: (_, options) => (offers(options) ? { getExtension: () => null } : null) });
  assert.equal(isAccelerated(canvas(() => true)), true);
  assert.equal(isAccelerated(canvas((options) => !options.failIfMajorPerformanceCaveat)), false);
});
