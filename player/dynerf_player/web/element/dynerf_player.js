/**
 * The custom element `<dynerf-player>`: a free-viewpoint video that behaves as a media element. Importing this module
 * defines it. Each feature is a class of its own.
 */
import { PlayerBase } from "./base.js";
import { camera } from "./camera.js";
import { controls } from "./controls.js";
import { loading } from "./loading.js";
import { media } from "./media.js";
import { picture } from "./picture.js";
import { sound } from "./sound.js";

export class DynerfPlayer extends controls(picture(camera(sound(loading(media(PlayerBase)))))) {}

if (!customElements.get("dynerf-player")) customElements.define("dynerf-player", DynerfPlayer);
