/** The shadow tree of the element. Its style is a constructed sheet, which policies such as `style-src 'self'` admit. */
import { STYLE } from "./style.js";
import { addStyle } from "./style_sheets.js";

const TREE = `
  <div id="frame" part="frame">
    <div id="sizer"></div>
    <div id="stage" part="stage" role="img" aria-label="The scene; drag to rotate the camera"></div>
    <div id="poster-layer" part="poster" hidden><slot name="poster"><img id="poster" alt="" hidden></slot></div>
    <slot id="overlay"></slot>
    <div class="state" id="state" role="status" part="status" hidden>
      <span class="spinner" id="spinner" part="spinner"></span>
      <strong id="state-title"></strong>
      <span id="state-detail"></span>
      <button class="text-button" id="retry" type="button" hidden>Try again</button>
    </div>
    <p class="notice" id="notice" role="status" part="notice"></p>
    <button class="text-button" id="unmute" type="button" part="unmute" hidden></button>
    <div id="controls" part="controls" hidden></div>
  </div>`;

/** Attach the tree to a host; returns its root. */
export function createTree(host) {
  const root = host.attachShadow({ mode: "open" });
  addStyle(root, STYLE);
  root.innerHTML = TREE;
  return root;
}
