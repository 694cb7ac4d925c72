import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { test } from "node:test";

const WEB = new URL("../../../../player/dynerf_player/web/", import.meta.url);
const MODULES = readdirSync(WEB, { recursive: true }).filter((path) => path.endsWith(".js")); // paths below `web/`
const LOADED_LATER = "worker/modules.js"; // names what starts in workers, or is loaded later; that may import it
const IMPORT = /(?:from|import)\s*\(?\s*"([^"]+)"|new URL\("([^"]+\.js)"/g; // workers, too

const source = (path) => readFileSync(new URL(path, WEB), "utf8");

/** [user, used] of all imports. */
const IMPORTS = MODULES.flatMap((user) =>
  [...source(user).matchAll(IMPORT)].map(([, module, worker]) => [user, posix.join(posix.dirname(user), module ?? worker)]),
);

/** The rooms that each room imports, by the table of the README. */
function stated() {
  const rows = source("README.md").matchAll(/^\| `(\w+)` \|.*\| ([^|]+) \|$/gm);
  return Object.fromEntries([...rows].map(([, room, cell]) => [room, cell === "nothing" ? [] : cell.match(/\w+/g).sort()]));
}

test("each room imports those that the README states, and no others", () => {
  const rooms = readdirSync(WEB, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const roomOf = (path) => path.split("/")[0];
  const used = (room) => IMPORTS.filter(([user]) => user.startsWith(`${room}/`)).map(([, path]) => roomOf(path));
  const found = rooms.map((room) => [room, [...new Set(used(room))].filter((other) => other !== room).sort()]);
  assert.deepEqual(Object.fromEntries(found), stated());
});

/** The imports between files and rooms of a folder that form circles: what is left without those that lead nowhere. */
function circles(folder) {
  const inside = IMPORTS.filter((paths) => paths[0] !== LOADED_LATER && paths.every((path) => path.startsWith(folder)));
  let left = inside.map((paths) => ({ paths, ends: paths.map((path) => path.slice(folder.length).split("/")[0]) }));
  left = left.filter(({ ends: [one, other] }) => one !== other);
  for (;;) {
    const [users, used] = [0, 1].map((end) => new Set(left.map(({ ends }) => ends[end])));
    const kept = left.filter(({ ends: [one, other] }) => used.has(one) && users.has(other));
    if (kept.length === left.length) return kept.map(({ paths }) => paths.join(" imports "));
    left = kept;
  }
}

test("the files and rooms of a folder form no circle, where a room counts with all that lies below it", () => {
  const folders = new Set(MODULES.filter((path) => path.includes("/")).map((path) => `${posix.dirname(path)}/`));
  assert.ok(folders.size > 10);
  for (const folder of ["", ...folders]) assert.deepEqual(circles(folder), []);
});

test("net and view do not use the document", () => {
  for (const path of MODULES.filter((each) => /^(net|view)\//.test(each))) {
    assert.doesNotMatch(source(path), /\b(document|window|navigator|HTML\w+)\b\.?/, path);
  }
});
