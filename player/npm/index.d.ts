/** The custom element `<dynerf-player>`. Importing the package defines it. */

export interface CaptureCamera {
  readonly name: string;
  readonly role: "training" | "held_out";
  /** Vertical field of view in degrees. */
  readonly fov: number;
  readonly position: readonly [number, number, number];
  /** Unit quaternion [x, y, z, w]; camera axes as in OpenGL. */
  readonly rotation: readonly [number, number, number, number];
}

/** Radians, and the radius in world units. `toString()` is a value of `camera-orbit`. */
export interface CameraOrbit {
  readonly theta: number;
  readonly phi: number;
  readonly radius: number;
  toString(): string;
}

/** World units. `toString()` is a value of `camera-target`. */
export interface CameraTarget {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  toString(): string;
}

export interface CameraPose {
  /** Twelve numbers, [R | o] row by row; camera axes as in OpenGL. */
  cameraToWorld: number[];
  /** Vertical, in degrees; by default it is kept. */
  fieldOfView?: number;
}

export interface SoundStats {
  readonly codec: string;
  readonly channels: number | null;
  readonly decoder: "WebCodecs" | "decodeAudioData" | "";
  readonly state: "playing" | "silent" | "muted" | "failed";
  /** Why there is no sound. */
  readonly why: string;
  readonly fetched: number;
  readonly requests: number;
  /** Chunks that are damaged or could not be fetched. */
  readonly silentChunks: number;
  /** Milliseconds by which pictures are early; a median. */
  readonly driftMs: number | null;
}

export interface PlayerStats {
  readonly renderer: "browser" | "server" | "";
  /** Why this side renders. */
  readonly why: string;
  readonly width: number;
  readonly height: number;
  readonly final?: boolean;
  readonly frame?: number | null;
  readonly layers?: number;
  readonly picturesPerSecond?: number;
  readonly drawMs?: number | null;
  readonly foldMs?: number | null;
  /** Bytes of the file that were fetched, and its size. */
  readonly fetched?: number | null;
  readonly total?: number | null;
  readonly requests?: number | null;
  /** Bytes of graphics memory, and how much the element may use. */
  readonly memory?: number | null;
  readonly budget?: number | null;
  readonly device?: string;
  /** null for a clip without sound. */
  readonly sound?: SoundStats | null;
}

export interface PlayerError {
  /** As of MediaError: 2 network, 3 decoding, 4 source not supported. */
  readonly code: number;
  readonly message: string;
  readonly name: string;
}

export interface PlayerEventMap extends HTMLElementEventMap {
  "camera-change": CustomEvent<{ source: "user-interaction" | "automatic" | "none" }>;
  "renderer-change": CustomEvent<{ renderer: "browser" | "server"; why: string }>;
  picture: CustomEvent<{ frame: number; final: boolean; width: number; height: number; drawMs: number }>;
  "poster-dismissed": Event;
}

export declare class DynerfPlayer extends HTMLElement {
  // Source and loading
  src: string;
  readonly currentSrc: string;
  /** Root of a `dynerf serve` that can render, or an empty string. */
  server: string;
  renderMode: "auto" | "browser" | "server";
  preload: "none" | "metadata" | "auto";
  loading: "auto" | "lazy" | "eager";
  reveal: "auto" | "interaction" | "manual";
  poster: string;
  crossOrigin: string | null;
  readonly loaded: boolean;
  readonly modelIsVisible: boolean;
  load(): void;
  dismissPoster(): void;
  showPoster(): void;

  // Media
  autoplay: boolean;
  loop: boolean;
  controls: boolean;
  muted: boolean;
  defaultMuted: boolean;
  volume: number;
  readonly hasSound: boolean;
  /** Mute, and show the button that unmutes. */
  startMuted(): void;
  playsInline: boolean;
  currentTime: number;
  playbackRate: number;
  defaultPlaybackRate: number;
  readonly duration: number;
  readonly paused: boolean;
  readonly ended: boolean;
  readonly seeking: boolean;
  readonly readyState: 0 | 1 | 2 | 3 | 4;
  readonly networkState: 0 | 1 | 2 | 3;
  readonly buffered: TimeRanges;
  readonly seekable: TimeRanges;
  readonly error: PlayerError | null;
  readonly videoWidth: number;
  readonly videoHeight: number;
  play(): Promise<void>;
  pause(): void;
  fastSeek(time: number): void;
  canPlayType(type: string): "" | "probably";

  // Camera
  cameraControls: boolean;
  disableZoom: boolean;
  autoRotate: boolean;
  cameraOrbit: string;
  cameraTarget: string;
  fieldOfView: string;
  /** Name of a capture camera. */
  view: string;
  readonly captureCameras: readonly CaptureCamera[];
  setCamera(pose: CameraPose): void;
  jumpCameraToGoal(): void;
  getCameraOrbit(): CameraOrbit | null;
  getCameraTarget(): CameraTarget | null;
  getFieldOfView(): number | null;

  // Picture
  depth: boolean;
  /** Time stands still; the camera moves. */
  frozen: boolean;
  /** At most so many quality layers; 0: all. */
  layers: number;
  resolution: "auto" | number;
  /** The shown moment in frames, fractional. */
  readonly frame: number;
  readonly renderer: "browser" | "server" | "";
  step(direction: 1 | -1): void;
  toBlob(): Promise<Blob>;
  getStats(): Promise<PlayerStats>;

  addEventListener<K extends keyof PlayerEventMap>(
    type: K, listener: (this: DynerfPlayer, event: PlayerEventMap[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "dynerf-player": DynerfPlayer;
  }
}
