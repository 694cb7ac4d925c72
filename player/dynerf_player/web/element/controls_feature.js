/** The attribute `controls`: the element's own control bar, which is loaded only where it is used. */

/** Adds the built-in controls to a class. */
export function controlsFeature(Base) {
  return class ControlsFeature extends Base {
    static observedAttributes = [...Base.observedAttributes, "controls"];

    attributeChanged(name, value) {
      super.attributeChanged(name, value);
      if (name !== "controls") return;
      this.find("controls").hidden = !this.controls;
      if (this.controls) this.bar ??= this.loadBar();
    }

    async loadBar() {
      const room = await import("./control_bar.js").catch(() => null);
      if (room) return new room.ControlBar(this, this.find("controls"));
      this.notify("No controls: a module of the player cannot be fetched.");
      return null;
    }
  };
}
