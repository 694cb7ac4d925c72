import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const DNV = new URL("../../../../player/dynerf_player/web/dnv/", import.meta.url);

/** Path below `dnv/` and source of every module. */
function sources() {
  const names = readdirSync(DNV, { recursive: true }).filter((name) => name.endsWith(".js"));
  assert.ok(names.length > 20);
  return names.map((name) => [name, readFileSync(new URL(name, DNV), "utf8")]);
}

test("the decoder imports only its own modules, by paths that every static host resolves", () => {
  for (const [name, source] of sources()) {
    for (const [, path] of source.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)) {
      const target = new URL(path, new URL(name, DNV));
      assert.ok(/^\.\.?\//.test(path) && target.href.startsWith(DNV.href), `${name} imports ${path}`);
      assert.ok(readFileSync(target).length > 0);
    }
  }
});

test("the decoder uses neither the document nor WebGL, nor what a strict policy forbids", () => {
  for (const [name, source] of sources()) {
    assert.doesNotMatch(source, /\b(document|window|navigator)\.|\b(HTML\w+Element|WebGL2?Rendering\w*)\b/, name);
    assert.doesNotMatch(source, /\beval\(|new Function|WebAssembly|importScripts/, name);
  }
});
