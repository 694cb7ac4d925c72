/**
 * Why a clip is not rendered here. `Unsupported`: this device, or this kind of clip, needs the server; the message is a
 * reason for the viewer. `WeightsError`: the file's tensors do not fit its header.
 */
export class Unsupported extends Error {
  name = "Unsupported";
}

export class WeightsError extends Error {
  name = "FormatError";
}
