/** The panel of the camera path: record keyframes, preview, load, export, and render to a movie. */
import { formatTime } from "../net/time_text.js";
import { CameraPath } from "../view/camera_path.js";
import { fromNerfstudio, toNerfstudio } from "../view/nerfstudio.js";
import { download } from "./download.js";
import { setIcon } from "./icons.js";
import { renderMovie } from "./movies.js";

export class PathPanel {
  constructor(player, find) {
    Object.assign(this, { player, find, path: new CameraPath(player.description), rendering: null });
    find("path").addEventListener("click", () => this.toggle());
    find("path-close").addEventListener("click", () => this.toggle());
    find("keyframe").addEventListener("click", () => this.record());
    find("preview").addEventListener("click", () => this.preview());
    find("path-seconds").addEventListener("change", () => this.readFields());
    find("path-timing").addEventListener("change", () => this.readFields());
    find("path-load").addEventListener("click", () => find("path-file").click());
    find("path-file").addEventListener("change", () => this.load());
    find("path-export").addEventListener("click", () => this.export());
    find("render").addEventListener("click", () => this.render());
    find("render-cancel").addEventListener("click", () => this.rendering?.abort());
    this.setClip();
  }

  /** Take over the clip's description and offer its sizes; called again when the file changed. */
  setClip() {
    const { width, height } = this.player.description;
    const even = (value) => 2 * Math.max(8, Math.round(value / 2));
    const sizes = [1, 2, 0.5].map((scale) => `${even(width * scale)} × ${even(height * scale)}`);
    this.find("path-size").replaceChildren(...sizes.map((text) => new Option(text)));
    this.path.clip = this.player.description;
    this.find("render").hidden = !this.player.server;
    this.find("render-nowhere").hidden = Boolean(this.player.server);
    this.draw();
  }

  /** The shown moment in seconds. */
  get time() {
    return this.player.frame / this.player.description.fps;
  }

  toggle() {
    const panel = this.find("path-panel");
    panel.hidden = !panel.hidden;
    this.find("path").setAttribute("aria-pressed", String(!panel.hidden));
  }

  record() {
    if (this.find("path-panel").hidden) this.toggle();
    this.path.add(this.player.cameras.camera, this.time);
    this.draw();
  }

  draw() {
    const { path, find } = this;
    find("keyframes").replaceChildren(...path.keys.map((key, index) => this.row(key, index)));
    find("path-empty").hidden = path.isComplete;
    for (const id of ["preview", "path-export", "render"]) find(id).disabled = !path.isComplete;
    if (this.rendering) find("render").disabled = true;
    find("path-seconds").value = String(path.seconds);
    find("path-timing").value = path.timing;
  }

  row(key, index) {
    const [item, label] = [document.createElement("li"), document.createElement("span")];
    label.textContent = `${index + 1} · ${formatTime(key.time)}`;
    const go = iconButton("go", `Go to keyframe ${index + 1}`, () => {
      this.player.currentTime = key.time;
      this.player.goTo(key, { animated: true });
    });
    const remove = iconButton("close", `Remove keyframe ${index + 1}`, () => {
      this.path.remove(index);
      this.draw();
    });
    item.append(label, go, remove);
    return item;
  }

  /** Read the form: duration in seconds, clamped to the limits, and content time along the path. */
  readFields() {
    const seconds = Number(this.find("path-seconds").value);
    const limit = Math.min(120, 3600 / this.path.clip.fps);
    if (seconds > 0) this.path.seconds = Math.min(Math.max(seconds, 0.5), limit);
    this.path.timing = this.find("path-timing").value;
    this.path.heldAt = this.time;
    this.draw();
  }

  preview() {
    if (this.player.isPreviewing) {
      this.player.stopCamera();
      return;
    }
    this.readFields();
    this.setPreviewButton("Stop", "pause");
    this.player.preview(this.path, () => this.setPreviewButton("Preview", "play"));
  }

  setPreviewButton(label, icon) {
    this.find("preview").lastChild.textContent = label;
    setIcon(this.find("preview"), icon);
  }

  nerfstudioFile() {
    this.readFields();
    const [width, height] = this.find("path-size").value.split(" × ").map(Number);
    return toNerfstudio(this.path, { width, height });
  }

  export() {
    const text = JSON.stringify(this.nerfstudioFile(), null, 1);
    download(new Blob([text], { type: "application/json" }), `${this.player.description.name}_path.json`);
  }

  async load() {
    const [file] = this.find("path-file").files;
    this.find("path-file").value = "";
    if (!file) return;
    await this.showingErrors(async () => {
      Object.assign(this.path, fromNerfstudio(await file.text(), this.path.clip), { timing: "keys" });
      this.draw();
    });
  }

  async render() {
    const { find } = this;
    this.rendering = new AbortController();
    find("movie").hidden = true;
    find("rendering").hidden = false;
    this.showProgress(0, 0);
    await this.showingErrors(async () => {
      const onprogress = (done, total) => this.showProgress(done, total);
      const { signal } = this.rendering;
      const { server, description: { name } } = this.player;
      find("movie").href = await renderMovie(server, name, this.nerfstudioFile(), onprogress, signal);
      find("movie").download = `${name}.mp4`;
      find("movie").hidden = false;
    });
    find("rendering").hidden = true;
    this.rendering = null;
    this.draw();
  }

  showProgress(done, total) {
    const bar = this.find("render-progress");
    bar.max = total || 1;
    if (total) bar.value = done;
    else bar.removeAttribute("value");
    this.find("render-text").textContent = total ? `${done} of ${total} pictures` : "Waiting for the server";
    this.find("render").disabled = true;
  }

  /** Run an action that may fail, and show its error in the panel. An aborted request is not an error. */
  async showingErrors(action) {
    this.find("path-error").hidden = true;
    try {
      await action();
    } catch (error) {
      if (error.name === "AbortError") return;
      const disconnected = error instanceof TypeError; // thrown by fetch when the network fails
      this.find("path-error").textContent = disconnected ? "The connection to the server was lost." : error.message;
      this.find("path-error").hidden = false;
    }
  }
}

function iconButton(icon, label, onclick) {
  const element = document.createElement("button");
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", onclick);
  setIcon(element, icon);
  return element;
}
