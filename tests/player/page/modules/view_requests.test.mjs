import assert from "node:assert/strict";
import { test } from "node:test";

import { ViewRequests } from "../../../../player/dynerf_player/web/net/view_requests.js";

/** Requests, and shorthands: a view is a frame number; `sent()` lists [id, frame, moving]. */
function setUp() {
  const messages = [];
  const requests = new ViewRequests((message) => messages.push(message));
  return {
    requests,
    update: (frame, now, playing = false) => requests.update({ frame }, playing, now),
    answer: (id, now) => requests.answer({ id, renderMs: 10, codingMs: 1 }, now),
    sent: () => messages.map(({ id, frame, moving }) => [id, frame, moving]),
  };
}

test("a still view is requested once", () => {
  const { update, sent } = setUp();
  for (const now of [0, 16, 500, 900]) update(3, now);
  assert.deepEqual(sent(), [[1, 3, false]]);
});

test("while moving, the newest view is requested when the last answer was received", () => {
  const { update, answer, sent } = setUp();
  update(0, 0);
  assert.equal(answer(1, 20), 20);
  update(1, 100);
  update(2, 116); // never requested
  update(3, 132);
  answer(2, 140);
  update(3, 148);
  answer(3, 160);
  update(3, 200);
  update(3, 400);
  assert.deepEqual(sent(), [[1, 0, false], [2, 1, true], [3, 3, true], [4, 3, false]]);
});

test("a newer view does not wait for the answer to a still one", () => {
  const { requests, update, sent } = setUp();
  update(0, 0);
  update(1, 50);
  update(2, 60);
  assert.deepEqual(sent(), [[1, 0, false], [2, 1, true]]);
  assert.equal(requests.pendingSince(), 0);
});

test("with a long round trip two requests are in flight, and lost ones are repeated", () => {
  const { update, answer, sent } = setUp();
  update(0, 0);
  answer(1, 200);
  for (let frame = 1; frame < 6; frame += 1) update(frame, 300 + frame, true);
  assert.equal(sent().length, 3);
  update(9, 9000, true);
  assert.equal(sent().length, 4);
});
