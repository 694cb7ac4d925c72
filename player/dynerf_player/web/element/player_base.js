/**
 * The base of the element: its shadow tree, the engine, and when a clip is opened and closed. Features are classes
 * that extend each other (`cameraFeature(Base)`); each may override the hooks `attributeChanged`, `engineReported` and
 * `connected`, and calls the one before.
 */
import { Engine } from "./engine.js";
import { createTree } from "./shadow_tree.js";
import { Status } from "./status.js";

export class PlayerBase extends HTMLElement {
  static observedAttributes = ["src", "server", "render-mode"];

  constructor() {
    super();
    const root = createTree(this);
    this.find = (id) => root.getElementById(id);
    this.engine = new Engine({
      stage: this.find("stage"), status: new Status(this.find), report: (kind, detail) => this.engineReported(kind, detail),
    });
    for (const id of ["state", "controls"]) this.find(id).addEventListener("click", (event) => event.stopPropagation());
    Object.assign(this, { isOpen: false, loadQueued: false });
  }

  connectedCallback() {
    this.connected();
  }

  /** The element is in a document. */
  connected() {
    this.loadSoon();
  }

  /** An element that is only moved keeps its clip. */
  disconnectedCallback() {
    queueMicrotask(() => !this.isConnected && this.unload());
  }

  attributeChangedCallback(name, before, value) {
    if (before !== value) this.attributeChanged(name, value);
  }

  attributeChanged(name, value) {
    if (name === "src" || name === "server") this.load();
    if (name === "render-mode") this.engine.setMode(this.renderMode);
  }

  engineReported() {}

  /** Open the clip when this task has ended: several attributes may change in it. */
  loadSoon() {
    if (this.isOpen || this.loadQueued) return;
    this.loadQueued = true;
    queueMicrotask(() => {
      this.loadQueued = false;
      if (this.isConnected && !this.isOpen && this.src && this.mayLoad()) this.openClip();
    });
  }

  /** Whether the clip may be fetched now. */
  mayLoad() {
    return true;
  }

  openClip() {
    const { src, server, renderMode: mode } = this;
    this.isOpen = true;
    this.engine.open({ src, server, mode, name: nameOf(src), options: this.rendererOptions });
  }

  unload() {
    this.isOpen = false;
    this.engine.close();
  }

  /** Close the clip, and open the one that the attributes name. */
  load() {
    this.unload();
    this.loadSoon();
  }

  /** The clip's absolute address, or an empty string. */
  get src() {
    return this.addressIn("src");
  }

  set src(value) {
    this.setAttribute("src", value);
  }

  get currentSrc() {
    return this.isOpen ? this.src : "";
  }

  /** The root of the server that can render, with a slash at the end, or an empty string. */
  get server() {
    const address = this.addressIn("server");
    return address && !address.endsWith("/") ? `${address}/` : address;
  }

  set server(value) {
    this.setAttribute("server", value);
  }

  get renderMode() {
    const mode = this.getAttribute("render-mode");
    return mode === "browser" || mode === "server" ? mode : "auto";
  }

  set renderMode(value) {
    this.setAttribute("render-mode", value);
  }

  addressIn(attribute) {
    if (!this.hasAttribute(attribute)) return "";
    try {
      const { href, protocol } = new URL(this.getAttribute(attribute), document.baseURI);
      return protocol === "http:" || protocol === "https:" || protocol === "blob:" ? href : "";
    } catch {
      return "";
    }
  }
}

/** The clip's name in an address: that of the file without its suffix. */
function nameOf(address) {
  const file = new URL(address).pathname.split("/").at(-1);
  try {
    return decodeURIComponent(file).replace(/\.dnv$/i, "");
  } catch {
    return file; // not percent-encoded text
  }
}

/** Define properties that reflect attributes of the same name. */
export function reflectBooleans(prototype, names) {
  for (const [property, attribute] of Object.entries(names)) {
    Object.defineProperty(prototype, property, {
      configurable: true,
      enumerable: true,
      get() { return this.hasAttribute(attribute); },
      set(value) { this.toggleAttribute(attribute, Boolean(value)); },
    });
  }
}

/**
 * Define properties that reflect attributes holding one of some words, or any text: {property: [attribute, default,
 * ...other words]}. Without other words, all text is valid.
 */
export function reflectTexts(prototype, names) {
  for (const [property, [attribute, fallback, ...words]] of Object.entries(names)) {
    Object.defineProperty(prototype, property, {
      configurable: true,
      enumerable: true,
      get() {
        const value = this.getAttribute(attribute) ?? fallback;
        return words.length === 0 || words.includes(value) ? value : fallback;
      },
      set(value) { this.setAttribute(attribute, value); },
    });
  }
}
