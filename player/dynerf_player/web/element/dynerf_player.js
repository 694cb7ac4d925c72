/**
 * The custom element `<dynerf-player>`: a free-viewpoint video that behaves as a media element. Importing this module
 * defines it. Each feature is a class of its own, see `player_base.js`.
 */
import { cameraFeature } from "./camera_feature.js";
import { controlsFeature } from "./controls_feature.js";
import { loadingFeature } from "./loading_feature.js";
import { mediaFeature } from "./media_feature.js";
import { pictureFeature } from "./picture_feature.js";
import { PlayerBase } from "./player_base.js";
import { soundFeature } from "./sound_feature.js";

const Features = controlsFeature(pictureFeature(cameraFeature(soundFeature(loadingFeature(mediaFeature(PlayerBase))))));

export class DynerfPlayer extends Features {}

if (!customElements.get("dynerf-player")) customElements.define("dynerf-player", DynerfPlayer);
