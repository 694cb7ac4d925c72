/**
 * Coded pictures to images: H.264 through WebCodecs, which only secure pages have (https, or this machine), else JPEG.
 * `onpicture(head, image)` gets each picture that may be shown and must not keep the image; `ondone(head)` is told once
 * for every picture taken in, shown or not, so that the server never waits for one; `onfailure()` is told once when
 * H.264 does not work after all.
 */
import { AVC } from "../net/picture_head.js";

const BASELINE = "avc1.42E01F";
const MUTE_MS = 5000; // for the first image of a stream; a decoder that gives none counts as failed

/** The codecs this page can decode, best first. */
export async function supportedCodecs() {
  if (!("VideoDecoder" in self)) return ["jpeg"];
  const answer = await VideoDecoder.isConfigSupported({ codec: BASELINE }).catch(() => null);
  return answer?.supported ? ["avc", "jpeg"] : ["jpeg"];
}

export class PictureDecoder {
  constructor(handlers) {
    this.handlers = handlers;
    this.codecString = BASELINE;
    this.reset();
  }

  /** Forget the stream: pictures under way are dropped. Called for each new connection. */
  reset() {
    this.dropAvc();
    this.shown = 0;
    this.taken = 0;
    this.epoch = (this.epoch ?? 0) + 1;
  }

  take(head, bytes) {
    this.taken += 1;
    if (head.codec === AVC) this.takeAvc(head, bytes);
    else this.takeJpeg(head, bytes, this.taken, this.epoch);
  }

  async takeJpeg(head, bytes, number, epoch) {
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })).catch(() => null);
    if (epoch !== this.epoch) return image?.close();
    // Images may be ready in another order than they came: an older one is not shown after a newer one.
    if (image && number > this.shown) {
      this.shown = number;
      this.handlers.onpicture(head, image);
    }
    image?.close();
    return this.handlers.ondone(head);
  }

  takeAvc(head, bytes) {
    const starts = !this.avc || head.width !== this.size.width || head.height !== this.size.height;
    if (starts && !head.key) {
      this.handlers.ondone(head);
      return;
    }
    const type = head.key ? "key" : "delta";
    try {
      if (starts) this.startAvc(head);
      this.waiting.set(this.taken, head);
      this.avc.decode(new EncodedVideoChunk({ type, timestamp: this.taken, data: bytes }));
    } catch {
      this.fail();
    }
  }

  startAvc({ width, height }) {
    this.dropAvc();
    this.size = { width, height };
    this.speaks = false;
    const avc = new VideoDecoder({
      output: (image) => (this.avc === avc ? this.showAvc(image) : image.close()),
      error: () => this.avc === avc && this.fail(),
    });
    setTimeout(() => this.avc === avc && !this.speaks && this.fail(), MUTE_MS);
    avc.configure({ codec: this.codecString, codedWidth: width, codedHeight: height, optimizeForLatency: true });
    this.avc = avc;
  }

  /** An image came out; what went in before it and did not come out was lost. */
  showAvc(image) {
    this.speaks = true;
    for (const [number, head] of this.waiting) {
      if (number > image.timestamp) break;
      this.waiting.delete(number);
      if (number === image.timestamp) this.handlers.onpicture(head, image);
      this.handlers.ondone(head);
    }
    image.close();
  }

  dropAvc() {
    if (this.avc && this.avc.state !== "closed") this.avc.close();
    this.avc = null;
    for (const head of this.waiting?.values() ?? []) this.handlers.ondone(head);
    this.waiting = new Map(); // number -> head of what is being decoded, in order
  }

  fail() {
    this.dropAvc();
    this.handlers.onfailure();
  }
}
