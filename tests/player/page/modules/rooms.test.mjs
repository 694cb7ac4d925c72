import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const WEB = new URL("../../../../player/dynerf_player/web/", import.meta.url);
const ALLOWED = {
  net: [], view: [], sound: ["dnv", "worker"], video: ["net"], render: ["dnv"], worker: ["dnv", "render"],
  backend: ["dnv", "net", "render", "video", "view", "worker"], element: ["backend", "net", "sound", "video", "view"],
  ui: ["net", "view", "video"],
};

/** The source of every module of a room, by name. */
function sources(room) {
  const folder = new URL(`${room}/`, WEB);
  const names = readdirSync(folder).filter((name) => name.endsWith(".js"));
  assert.ok(names.length > 0);
  return names.map((name) => [name, readFileSync(new URL(name, folder), "utf8")]);
}

for (const [room, allowed] of Object.entries(ALLOWED)) {
  test(`${room} imports only ${allowed.join(", ") || "its own modules"}`, () => {
    for (const [name, source] of sources(room)) {
      for (const [, path] of source.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
        const [parent, target] = path.split("/");
        assert.ok(parent === "." || allowed.includes(target), `${room}/${name} imports ${path}`);
      }
    }
  });
}

test("net and view do not use the document", () => {
  for (const [name, source] of ["net", "view"].flatMap(sources)) {
    assert.doesNotMatch(source, /\b(document|window|navigator|HTML\w+)\b\.?/, name);
  }
});
