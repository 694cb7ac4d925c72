import assert from "node:assert/strict";
import { test } from "node:test";

import { MsgpackNode, unpack } from "../../../../player/dynerf_player/web/dnv/container/msgpack_values.js";
import { rank } from "../../../../player/dynerf_player/web/dnv/container/matrix_rank.js";
import { dnv } from "./support.mjs";

const { FormatError, LimitError } = dnv;
const node = (...bytes) => new MsgpackNode(unpack(Uint8Array.from(bytes), "header"), "header");
const text = (value) => [0xa0 + value.length, ...new TextEncoder().encode(value)];
const refused = (bytes, pattern) => assert.throws(() => node(...bytes), (error) => {
  assert.ok(error instanceof FormatError, String(error));
  assert.match(error.message, pattern);
  return true;
});

test("plain values of every width", () => {
  const values = [
    [[0x00], 0], [[0x7f], 127], [[0xff], -1], [[0xe0], -32], [[0xcc, 200], 200], [[0xcd, 1, 0], 256],
    [[0xce, 0, 1, 0, 0], 65536], [[0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 2 ** 32], [[0xd0, 0x80], -128],
    [[0xd1, 0xff, 0], -256], [[0xd2, 0x80, 0, 0, 0], -(2 ** 31)], [[0xd3, ...Array(8).fill(0xff)], -1],
    [[0xca, 0x3f, 0x80, 0, 0], 1], [[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5], [[0xc0], null], [[0xc2], false],
    [[0xc3], true], [[0xd9, 2, 0xc3, 0xa9], "é"], [[0xda, 0, 1, 0x61], "a"], [[0xdb, 0, 0, 0, 1, 0x61], "a"],
    [[0x92, 1, 0x90], [1, []]], [[0xdc, 0, 1, 5], [5]], [[0xdd, 0, 0, 0, 1, 5], [5]],
    [[0x81, ...text("a"), 1], { a: 1 }], [[0xde, 0, 1, ...text("a"), 1], { a: 1 }],
    [[0xdf, 0, 0, 0, 1, ...text("__proto__"), 1], Object.fromEntries([["__proto__", 1]])],
  ];
  for (const [bytes, value] of values) assert.deepEqual(node(...bytes).plain(), value);
});

test("an int may stand for a number, a float not for an int", () => {
  assert.equal(node(5).number(), 5);
  assert.equal(node(0xca, 0x40, 0xa0, 0, 0).number(), 5);
  assert.equal(node(5).integer(0, 9), 5);
  assert.throws(() => node(0xca, 0x40, 0xa0, 0, 0).integer(0, 9), /found float, expected integer/);
  assert.throws(() => node(0xc3).number(), /found bool, expected number/);
  assert.throws(() => node(0xcf, 0x20, ...Array(7).fill(0)).integer(0, 2 ** 32 - 1), /expected 0 to 4294967295/);
  assert.equal(node(0xcf, ...Array(8).fill(0xff)).number(), 2 ** 64);
});

test("bin, ext, timestamps and reserved bytes are refused", () => {
  const others = [[0xc4, 1, 0], [0xc5, 0, 1, 0], [0xc7, 1, 5, 0], [0xd4, 5, 0], [0xd6, 0xff, 0, 0, 0, 0], [0xc1]];
  for (const bytes of others) refused(bytes, /expected a plain value/);
});

test("keys are text of 1 to 128 printable characters, each once", () => {
  refused([0x82, ...text("a"), 1, ...text("a"), 2], /a key occurs twice/);
  refused([0x81, 1, 1], /a key of type int/);
  refused([0x81, 0xca, 0, 0, 0, 0, 1], /a key of type float/);
  refused([0x81, 0xa0, 1], /1 to 128 printable/);
  refused([0x81, ...text("\n"), 1], /1 to 128 printable/);
  refused([0x81, 0xa3, 0xe2, 0x80, 0xa8, 1], /1 to 128 printable/); // line separator
  refused([0x81, 0xd9, 129, ...Array(129).fill(0x61), 1], /1 to 128 printable/);
});

test("numbers are finite, text is UTF-8", () => {
  refused([0xca, 0x7f, 0x80, 0, 0], /Infinity/);
  refused([0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0], /NaN/);
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]]) {
    refused([0xa0 + bytes.length, ...bytes], /not UTF-8/);
  }
  assert.equal(node(0xa4, 0xef, 0xbb, 0xbf, 0x61).plain(), "\ufeffa"); // a byte order mark is a character
});

test("cut values, bytes after the value, depth and number of containers", () => {
  for (const bytes of [[], [0xcd, 1], [0xa2, 0x61], [0x91], [0x81, 0xa1, 0x61], [0xdd, 0xff, 0xff, 0xff, 0xff]]) {
    refused(bytes, /cut off/);
  }
  refused([0xc0, 0xc0], /1 bytes follow/);
  assert.deepEqual(node(...Array(11).fill(0x91), 0x91, 0xc0).path, "header");
  refused([...Array(13).fill(0x91), 0xc0], /nested deeper than 12/);
  const many = [0xdd, 0, 1, 0, 0, ...Array(65536).fill(0x90)];
  assert.throws(() => unpack(Uint8Array.from(many), "header"), LimitError);
  unpack(Uint8Array.from([0xdd, 0, 0, 0xff, 0xff, ...Array(65535).fill(0x90)]), "header");
});

test("errors of typed access give the path", () => {
  const cameras = node(0x81, ...text("cameras"), 0x91, 0x81, ...text("focal_x"), ...text("wide"));
  const [camera] = cameras.field("cameras").items();
  assert.throws(() => camera.field("focal_x").number(), /^FormatError: header.cameras\[0\].focal_x: found str, expected number/);
  assert.throws(() => camera.field("focal_y"), /header.cameras\[0\].focal_y: is missing/);
});

test("the rank of a matrix, by columns of length one", () => {
  const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  assert.equal(rank(identity), 4);
  assert.equal(rank(identity.map((value, i) => value * [1e-9, 1e9, 1, 1e-300][i % 4])), 4);
  assert.equal(rank(identity.map((value, i) => (i % 4 === 2 ? 0 : value))), 3);
  assert.equal(rank(identity.map((value, i) => (i % 4 === 2 ? value * 1e200 : value))), 3); // its length overflows
  assert.equal(rank([1, 2, 3, 4, 2, 4, 6, 8, 1, 0, 0, 1, 0, 1, 1, 0]), 3);
  const far = [1, 0, 0, 4e6, 0, 1, 0, -7e6, 0, 0, 1, 2e6, 0, 0, 0, 1];
  assert.equal(rank(far), 4);
});
