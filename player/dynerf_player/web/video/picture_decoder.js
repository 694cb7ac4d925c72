/**
 * Decodes pictures: H.264 through WebCodecs, which only secure contexts have (https, or this machine), else JPEG.
 * `onpicture(head, image)` gets each image to show and must not keep it; `ondone(head)` is called once for every
 * received picture, shown or not, so that the server never waits for one; `onfailure()` is called once when H.264
 * turns out not to work.
 */
import { AVC } from "../net/picture_head.js";

const BASELINE = "avc1.42E01F";
const FIRST_OUTPUT_MS = 5000; // without a first image of a stream, after which the decoder counts as failed

/** The codecs this page can decode, best first. */
export async function supportedCodecs() {
  if (!("VideoDecoder" in self)) return ["jpeg"];
  const support = await VideoDecoder.isConfigSupported({ codec: BASELINE }).catch(() => null);
  return support?.supported ? ["avc", "jpeg"] : ["jpeg"];
}

export class PictureDecoder {
  constructor(handlers) {
    this.handlers = handlers;
    this.codecString = BASELINE;
    this.reset();
  }

  /** Drop the stream and all pictures being decoded. Called for each new connection. */
  reset() {
    this.closeAvc();
    this.shown = 0;
    this.received = 0;
    this.epoch = (this.epoch ?? 0) + 1;
  }

  decode(head, bytes) {
    this.received += 1;
    if (head.codec === AVC) this.decodeAvc(head, bytes);
    else this.decodeJpeg(head, bytes, this.received, this.epoch);
  }

  async decodeJpeg(head, bytes, number, epoch) {
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })).catch(() => null);
    if (epoch !== this.epoch) return image?.close();
    // Images may be ready in another order than received: an older one is not shown after a newer one.
    if (image && number > this.shown) {
      this.shown = number;
      this.handlers.onpicture(head, image);
    }
    image?.close();
    return this.handlers.ondone(head);
  }

  decodeAvc(head, bytes) {
    const starts = !this.avc || head.width !== this.size.width || head.height !== this.size.height;
    if (starts && !head.key) {
      this.handlers.ondone(head);
      return;
    }
    const type = head.key ? "key" : "delta";
    try {
      if (starts) this.startAvc(head);
      this.pending.set(this.received, head);
      this.avc.decode(new EncodedVideoChunk({ type, timestamp: this.received, data: bytes }));
    } catch {
      this.fail();
    }
  }

  startAvc({ width, height }) {
    this.closeAvc();
    this.size = { width, height };
    this.hasOutput = false;
    const avc = new VideoDecoder({
      output: (image) => (this.avc === avc ? this.showAvc(image) : image.close()),
      error: () => this.avc === avc && this.fail(),
    });
    setTimeout(() => this.avc === avc && !this.hasOutput && this.fail(), FIRST_OUTPUT_MS);
    avc.configure({ codec: this.codecString, codedWidth: width, codedHeight: height, optimizeForLatency: true });
    this.avc = avc;
  }

  /** Show a decoded image; earlier pictures that are still pending were dropped by the decoder. */
  showAvc(image) {
    this.hasOutput = true;
    for (const [number, head] of this.pending) {
      if (number > image.timestamp) break;
      this.pending.delete(number);
      if (number === image.timestamp) this.handlers.onpicture(head, image);
      this.handlers.ondone(head);
    }
    image.close();
  }

  closeAvc() {
    if (this.avc && this.avc.state !== "closed") this.avc.close();
    this.avc = null;
    for (const head of this.pending?.values() ?? []) this.handlers.ondone(head);
    this.pending = new Map(); // number -> head of the pictures being decoded, in order
  }

  fail() {
    this.closeAvc();
    this.handlers.onfailure();
  }
}
