/** Why a clip is not rendered here, as a reason for the viewer: the device, or the kind of clip, needs the server. */
export class Unsupported extends Error {
  name = "Unsupported";
}
