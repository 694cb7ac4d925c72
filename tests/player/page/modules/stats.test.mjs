import assert from "node:assert/strict";
import { test } from "node:test";

import { statsRows } from "../../../../player/dynerf_player/web/video/stats.js";

const COMMON = { width: 64, height: 48, frame: 1.5, layers: 2, fetched: 1500, total: 4000, picturesPerSecond: 3, final: false };

test("statistics say which side renders, and why", () => {
  const rows = (stats) => Object.fromEntries(statsRows(stats));
  assert.deepEqual(rows({ renderer: "", why: "", width: 0 }), { "Rendered by": "nothing yet", Pictures: "none yet" });
  const local = rows({
    ...COMMON, renderer: "browser", why: "selected", drawMs: 12.4, foldMs: 1, fold: "cpu", foldWhy: "no float targets",
    memory: 2e6, device: "SwiftShader", requests: 3,
  });
  assert.equal(local["Rendered by"], "this browser: selected");
  assert.equal(local["Draw, fold"], "12 ms, 1.0 ms on the CPU");
  assert.equal(local["Folded there because"], "no float targets");
  assert.equal(local["File fetched"], "1.5 kB of 4.0 kB, 3 requests");
  const once = rows({ ...COMMON, renderer: "browser", why: "", drawMs: 1, memory: null, requests: 1 });
  assert.equal(once["File fetched"], "1.5 kB of 4.0 kB, 1 request");
  const remote = rows({
    ...COMMON, renderer: "server", why: "slow", latencyMs: null, drawMs: 5, codingMs: 1, codec: "JPEG", kbitPerSecond: 80,
  });
  assert.equal(remote["Rendered by"], "the server: slow");
  assert.equal(remote.Latency, "idle");
  assert.equal(remote.Picture, "64 × 48, coarse");
});
