/** The parts of a session that need no canvas: calls, order of loading, latents. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { ChangeSignal } from "../../../../player/dynerf_player/web/worker/change_signal.js";
import { Latents } from "../../../../player/dynerf_player/web/worker/latents.js";
import { Failures, nextJob } from "../../../../player/dynerf_player/web/worker/loader.js";
import { Caller, serve } from "../../../../player/dynerf_player/web/worker/rpc.js";
import { View } from "../../../../player/dynerf_player/web/worker/view.js";
import { camera } from "./render_support.mjs";

const clip = { segments: [{ layers: 3 }, { layers: 2 }, { layers: 3 }] };
const ROOM = { refine: true, ahead: true };

/** The order in which a clip is loaded while nothing changes. */
function order(options) {
  const layers = [-1, -1, -1];
  const jobs = [];
  for (;;) {
    const job = nextJob(clip, {
      current: 0,
      remaining: Infinity,
      layers: Infinity,
      room: ROOM,
      loaded: (s) => layers[s],
      ...options,
    });
    if (!job) return jobs.join(" ");
    layers[job.segment] = job.layer;
    jobs.push(`${job.segment}.${job.layer}`);
  }
}

test("the shown segment is loaded first, then the next one ahead", () => {
  assert.equal(order({}), "0.0 0.1 0.2 1.0 1.1");
  assert.equal(order({ current: 2 }), "2.0 2.1 2.2 0.0 0.1 0.2");
});

test("shortly before playback leaves a segment the next one's first layer comes before finer ones", () => {
  assert.equal(order({ remaining: 2 }), "0.0 1.0 0.1 0.2 1.1");
});

test("what does not fit the budget is not loaded", () => {
  assert.equal(order({ room: { refine: true, ahead: false } }), "0.0 0.1 0.2");
  assert.equal(order({ room: { refine: false, ahead: false } }), "0.0");
  assert.equal(order({ layers: 1 }), "0.0 1.0");
});

test("a clip of one segment has nothing ahead", () => {
  const single = { segments: [{ layers: 1 }] };
  assert.equal(nextJob(single, { current: 0, remaining: 1, layers: 9, room: ROOM, loaded: () => 0 }), null);
});

test("invalid files are not tried again, unreachable ones after a while", () => {
  let now = 0;
  const failures = new Failures(() => now);
  const [damaged, dropped] = [
    { segment: 0, layer: 1 },
    { segment: 1, layer: 0 },
  ];
  failures.add(damaged, { name: "ChecksumError" });
  failures.add(dropped, { name: "RemoteError" });
  assert.equal(failures.delay(damaged), Infinity);
  assert.ok(failures.delay(dropped) > 1000);
  now = 10_000;
  assert.equal(failures.delay(dropped), 0);
  failures.clear();
  assert.equal(failures.delay(damaged), 0);
});

/** A caller connected to methods. */
function connected(methods) {
  const { port1, port2 } = new MessageChannel();
  serve(port2, methods);
  return { caller: new Caller(port1), close: () => port1.close() };
}

test("calls return results, parts in order, and errors with their names", async () => {
  const { caller, close } = connected({
    async count({ to }, { part }) {
      for (let i = 0; i < to; i += 1) part(i);
      return "done";
    },
    async fail() {
      throw Object.assign(new Error("bytes are missing"), { name: "TruncatedError" });
    },
  });
  const seen = [];
  const onPart = async (value) => {
    await new Promise((resolve) => {
      setTimeout(resolve, 3 - value);
    });
    seen.push(value);
  };
  assert.equal(await caller.call("count", { to: 3 }, { onPart }), "done");
  assert.deepEqual(seen, [0, 1, 2]);
  await assert.rejects(caller.call("fail", {}), { name: "TruncatedError", message: "bytes are missing" });
  close();
});

test("an aborted call ends on both sides, and an error in a part ends it, too", async () => {
  const ended = [];
  const { caller, close } = connected({
    async endless({ name }, { signal, part }) {
      part(1);
      await new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      });
      ended.push(name);
    },
  });
  const abort = new AbortController();
  const call = caller.call("endless", { name: "aborted" }, { signal: abort.signal });
  abort.abort(new Error("seeked away"));
  await assert.rejects(call, /seeked away/);
  const failing = caller.call(
    "endless",
    { name: "failed" },
    {
      onPart: () => {
        throw new Error("no memory");
      },
    },
  );
  await assert.rejects(failing, /no memory/);
  while (ended.length < 2)
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  assert.deepEqual(ended, ["aborted", "failed"]);
  close();
});

test("latents are mixed, requested once, and those that follow with them", async () => {
  const requests = [];
  const latents = new Latents(async (first, last) => {
    requests.push([first, last]);
    return Array.from({ length: Math.min(4, last - first + 1) }, (_, i) => Float64Array.of(first + i));
  });
  assert.equal(latents.at({ frame: 1, weight: 0.25 }), null);
  await Promise.all([latents.fetch({ frame: 1, weight: 0.25 }, 9), latents.fetch({ frame: 1, weight: 0 }, 9)]);
  assert.deepEqual([...latents.at({ frame: 1, weight: 0.25 })], [1.25]);
  await latents.fetch({ frame: 4, weight: 0.5 }, 9);
  assert.deepEqual([...latents.at({ frame: 4, weight: 0.5 })], [4.5]);
  assert.deepEqual(requests, [
    [1, 9],
    [5, 9],
  ]);
});

test("a signal of a change ends all waits, once", async () => {
  const changes = new ChangeSignal();
  let woken = 0;
  const waits = [changes.wait(), changes.wait(60_000)].map((wait) =>
    wait.then(() => {
      woken += 1;
    }),
  );
  changes.notify();
  await Promise.all(waits);
  assert.equal(woken, 2);
  await changes.wait(1);
});

test("a view is moving while it changes or plays; setting what it is already changes nothing", () => {
  const view = new View(64, 48);
  const header = {
    cameras: [camera()],
    frames: 4,
    segments: [
      { firstFrame: 0, frames: 2 },
      { firstFrame: 2, frames: 2 },
    ],
  };
  view.change({ frame: 9 });
  view.start({ header, frameCount: 4 });
  assert.deepEqual([view.frame, view.moving], [3, false]);
  const { version } = view;
  view.change({ frame: 3 });
  assert.equal(view.version, version);
  view.change({ frame: 1.25 });
  assert.ok(view.moving);
  assert.deepEqual(view.placeIn({ header, frameCount: 4 }), { segment: 0, moment: { frame: 1, weight: 0 } });
});

test("when the other side has failed, open and later calls are rejected", async () => {
  const { caller, close } = connected({ endless: () => new Promise(() => {}) });
  const open = caller.call("endless", {});
  caller.fail(new Error("the worker cannot be loaded"));
  await assert.rejects(open, /cannot be loaded/);
  await assert.rejects(caller.call("endless", {}), /cannot be loaded/);
  close();
});
