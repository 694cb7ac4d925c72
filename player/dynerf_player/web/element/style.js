/** The style of the shadow tree. Pages override the custom properties, and parts by `::part(...)`. */
export const STYLE = `
:host {
  --dynerf-background: #000;
  --dynerf-text: #e9ebf0;
  --dynerf-muted: #9aa3b5;
  --dynerf-accent: #f0b45e;
  --dynerf-box: #0b0d12d9;
  display: block;
  position: relative;
  overflow: hidden;
  background: var(--dynerf-background);
  color: var(--dynerf-text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
#frame { position: relative; width: 100%; height: 100%; aspect-ratio: 4 / 3; overflow: hidden; }
#sizer { width: 300px; max-width: 100%; height: 0; }
#stage, #stage canvas, #poster-layer, #poster-layer img, ::slotted([slot="poster"]) {
  position: absolute;
  inset: 0;
  width: 100%;
  height: 100%;
  object-fit: contain;
  display: block;
}
#stage canvas { user-select: none; -webkit-user-select: none; }
:host([camera-controls]) #stage { cursor: grab; touch-action: none; }
:host([camera-controls]) #stage:active { cursor: grabbing; }
#poster-layer { background: var(--dynerf-poster-color, var(--dynerf-background)); pointer-events: none; transition: opacity 0.3s; }
#poster-layer.leaving { opacity: 0; }
.state {
  position: absolute;
  top: 50%;
  left: 50%;
  translate: -50% -50%;
  display: flex;
  flex-direction: column;
  align-items: center;
  gap: 8px;
  width: max-content;
  max-width: min(88%, 380px);
  padding: 20px 28px;
  border-radius: 16px;
  background: var(--dynerf-box);
  text-align: center;
  overflow-wrap: anywhere;
}
.state span:not(.spinner) { color: var(--dynerf-muted); font-size: 14px; }
.state span:empty:not(.spinner) { display: none; }
.state.overlay { pointer-events: none; }
.state.overlay button { pointer-events: auto; }
.spinner {
  width: 30px;
  height: 30px;
  margin-bottom: 6px;
  border: 3px solid #ffffff26;
  border-top-color: var(--dynerf-accent);
  border-radius: 50%;
  animation: spin 0.9s linear infinite;
}
@keyframes spin { to { rotate: 1turn; } }
.notice {
  position: absolute;
  left: 50%;
  bottom: 16px;
  transform: translateX(-50%);
  max-width: 92%;
  margin: 0;
  padding: 7px 16px;
  border-radius: 999px;
  background: var(--dynerf-box);
  font-size: 14px;
  white-space: nowrap;
  overflow: hidden;
  text-overflow: ellipsis;
  pointer-events: none;
  opacity: 0;
  transition: opacity 0.2s;
}
.notice.visible { opacity: 1; }
button {
  border: 0;
  border-radius: 10px;
  background: #ffffff12;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
button:hover { background: #ffffff24; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--dynerf-accent); outline-offset: 1px; }
.text-button { min-height: 38px; padding: 6px 14px; font-size: 14px; }
#unmute {
  position: absolute;
  top: 12px;
  left: 12px;
  display: inline-flex;
  align-items: center;
  gap: 6px;
  background: var(--dynerf-box);
}
#unmute svg { width: 18px; height: 18px; fill: currentColor; }
@media (prefers-reduced-motion: reduce) { * { transition: none !important; } }
`;
