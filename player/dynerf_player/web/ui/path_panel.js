/** The panel of the camera path: record keys, preview, load, export, and render to a movie. */
import { timeText } from "../net/clock.js";
import { setIcon } from "./icons.js";
import { renderMovie } from "./movies.js";
import { fromNerfstudio, toNerfstudio } from "../view/nerfstudio.js";
import { CameraPath } from "../view/path.js";
import { download } from "../video/canvas.js";

export class PathPanel {
  constructor(player, find) {
    Object.assign(this, { player, find, path: new CameraPath(player.description), work: null });
    find("path").addEventListener("click", () => this.toggle());
    find("path-close").addEventListener("click", () => this.toggle());
    find("keyframe").addEventListener("click", () => this.record());
    find("preview").addEventListener("click", () => this.preview());
    find("path-seconds").addEventListener("change", () => this.read());
    find("path-timing").addEventListener("change", () => this.read());
    find("path-load").addEventListener("click", () => find("path-file").click());
    find("path-file").addEventListener("change", () => this.load());
    find("path-export").addEventListener("click", () => this.export());
    find("render").addEventListener("click", () => this.render());
    find("render-cancel").addEventListener("click", () => this.work?.abort());
    this.fill();
  }

  /** The movie's sizes; again when the clip's file changed. */
  fill() {
    const { width, height } = this.player.description;
    const even = (value) => 2 * Math.max(8, Math.round(value / 2));
    const sizes = [1, 2, 0.5].map((share) => `${even(width * share)} × ${even(height * share)}`);
    this.find("path-size").replaceChildren(...sizes.map((text) => new Option(text)));
    this.path.clip = this.player.description;
    this.draw();
  }

  toggle() {
    const panel = this.find("path-panel");
    panel.hidden = !panel.hidden;
    this.find("path").setAttribute("aria-pressed", String(!panel.hidden));
  }

  record() {
    if (this.find("path-panel").hidden) this.toggle();
    this.path.add(this.player.cameras.camera, this.player.clock.frame / this.player.clock.fps);
    this.draw();
  }

  draw() {
    const { path, find } = this;
    find("keyframes").replaceChildren(...path.keys.map((key, index) => this.row(key, index)));
    find("path-empty").hidden = path.isWhole;
    for (const id of ["preview", "path-export", "render"]) find(id).disabled = !path.isWhole;
    if (this.work) find("render").disabled = true;
    find("path-seconds").value = String(path.seconds);
    find("path-timing").value = path.timing;
  }

  row(key, index) {
    const [item, words] = [document.createElement("li"), document.createElement("span")];
    words.textContent = `${index + 1} · ${timeText(key.time)}`;
    const go = button("go", `Go to keyframe ${index + 1}`, () => {
      this.player.travel.stop();
      this.player.clock.seek(key.time);
      this.player.travel.flyTo(key);
    });
    const remove = button("close", `Remove keyframe ${index + 1}`, () => {
      this.path.remove(index);
      this.draw();
    });
    item.append(words, go, remove);
    return item;
  }

  /** Take over the fields: seconds within limits, and what content does along the path. */
  read() {
    const seconds = Number(this.find("path-seconds").value);
    const most = Math.min(120, 3600 / this.path.clip.fps);
    if (seconds > 0) this.path.seconds = Math.min(Math.max(seconds, 0.5), most);
    this.path.timing = this.find("path-timing").value;
    this.path.heldAt = this.player.clock.frame / this.player.clock.fps;
    this.draw();
  }

  preview() {
    const { travel } = this.player;
    if (travel.isPreview) return travel.stop();
    this.read();
    this.showPreview("Stop", "pause");
    return travel.preview(this.path, () => this.showPreview("Preview", "play"));
  }

  showPreview(word, icon) {
    this.find("preview").lastChild.textContent = word;
    setIcon(this.find("preview"), icon);
  }

  file() {
    this.read();
    const [width, height] = this.find("path-size").value.split(" × ").map(Number);
    return toNerfstudio(this.path, { width, height });
  }

  export() {
    const text = JSON.stringify(this.file(), null, 1);
    download(new Blob([text], { type: "application/json" }), `${this.player.name}_path.json`);
  }

  async load() {
    const [file] = this.find("path-file").files;
    this.find("path-file").value = "";
    if (!file) return;
    await this.trying(async () => {
      Object.assign(this.path, fromNerfstudio(await file.text(), this.path.clip), { timing: "keys" });
      this.draw();
    });
  }

  async render() {
    const { find } = this;
    this.work = new AbortController();
    find("movie").hidden = true;
    find("rendering").hidden = false;
    this.progress(0, 0);
    await this.trying(async () => {
      const news = (done, total) => this.progress(done, total);
      find("movie").href = await renderMovie(this.player.name, this.file(), news, this.work.signal);
      find("movie").download = `${this.player.name}.mp4`;
      find("movie").hidden = false;
    });
    find("rendering").hidden = true;
    this.work = null;
    this.draw();
  }

  progress(done, total) {
    const bar = this.find("render-progress");
    bar.max = total || 1;
    if (total) bar.value = done;
    else bar.removeAttribute("value");
    this.find("render-text").textContent = total ? `${done} of ${total} pictures` : "Waiting for the server";
    this.find("render").disabled = true;
  }

  /** Do something that may fail; say in the panel why it did. Giving up is no failure. */
  async trying(what) {
    this.find("path-error").hidden = true;
    try {
      await what();
    } catch (error) {
      if (error.name === "AbortError") return;
      const broken = error instanceof TypeError; // what fetch throws when the network fails
      this.find("path-error").textContent = broken ? "The connection to the server broke." : error.message;
      this.find("path-error").hidden = false;
    }
  }
}

function button(icon, label, onclick) {
  const element = document.createElement("button");
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", onclick);
  setIcon(element, icon);
  return element;
}
