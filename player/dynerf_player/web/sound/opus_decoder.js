/**
 * Decodes chunks of Opus packets: by WebCodecs, which only secure contexts have, else as a whole Ogg file by the
 * browser's media decoder. A decoder has a `name` and `decode(chunk)`, which resolves to one Float32Array for each channel.
 */
import { FormatError } from "../dnv/errors.js";
import { PACKET_SAMPLES } from "../dnv/sound/sound_payload.js";
import { SAMPLE_RATE as RATE } from "../dnv/sound/sound_position.js";
import { oggOpus } from "./ogg.js";

const PACKET_US = 20_000;

/** This browser cannot play the sound; the message is a sentence for the statistics. */
export class UnsupportedSound extends Error {
  name = "UnsupportedSound";
}

/** The best decoder of this browser. Throws UnsupportedSound when there is none. */
export async function createDecoder(scope = globalThis) {
  if (await decodesPackets(scope)) return { name: "WebCodecs", decode: (chunk) => decodePackets(chunk, scope) };
  if (!scope.OfflineAudioContext) throw new UnsupportedSound("this browser has no Web Audio");
  return new FileDecoder(scope);
}

async function decodesPackets({ AudioDecoder }) {
  if (!AudioDecoder) return false;
  const support = await AudioDecoder.isConfigSupported(configOf(2)).catch(() => null);
  return support?.supported ?? false;
}

function configOf(channels) {
  return { codec: "opus", sampleRate: RATE, numberOfChannels: channels };
}

/** A decoder of its own for each chunk: none starts with the state that another chunk left. */
async function decodePackets(chunk, { AudioDecoder, EncodedAudioChunk }) {
  const parts = [];
  let decoder;
  await new Promise((resolve, reject) => {
    const fail = ({ message }) => reject(new FormatError(`sound: a packet cannot be decoded (${message})`));
    decoder = new AudioDecoder({
      output: (data) => parts.push(takePlanes(data)),
      error: fail,
    });
    decoder.configure(configOf(chunk.channels));
    chunk.packets.forEach((data, index) => {
      const time = { timestamp: index * PACKET_US, duration: PACKET_US };
      decoder.decode(new EncodedAudioChunk({ type: "key", data, ...time }));
    });
    decoder.flush().then(resolve, fail);
  });
  decoder.close();
  return kept(chunk, Array.from({ length: chunk.channels }, (_, channel) => joined(parts, channel)));
}

function takePlanes(data) {
  const planes = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
    const samples = new Float32Array(data.numberOfFrames);
    data.copyTo(samples, { planeIndex, format: "f32-planar" });
    return samples;
  });
  data.close();
  return planes;
}

function joined(parts, channel) {
  const samples = new Float32Array(parts.reduce((sum, [first]) => sum + first.length, 0));
  parts.reduce((position, planes) => {
    samples.set(planes[channel] ?? planes[0], position);
    return position + planes[0].length;
  }, 0);
  return samples;
}

class FileDecoder {
  name = "decodeAudioData";

  constructor({ OfflineAudioContext }) {
    this.context = new OfflineAudioContext(1, 1, RATE);
    this.works = false; // once a chunk was decoded, a failure is that of a chunk
  }

  async decode(chunk) {
    const file = oggOpus(chunk.packets, chunk.channels);
    const buffer = await this.context.decodeAudioData(file.buffer).catch((error) => {
      if (!this.works) throw new UnsupportedSound("this browser decodes neither Opus packets nor Ogg Opus");
      throw new FormatError(`sound: a chunk cannot be decoded (${error.message})`);
    });
    this.works = true;
    return kept(chunk, Array.from({ length: buffer.numberOfChannels }, (_, channel) => buffer.getChannelData(channel)));
  }
}

/**
 * The samples of a chunk after its trim. Decoders differ in what they drop at the start by themselves, so positions are
 * counted from the end.
 */
function kept({ trim, samples, packets }, planes) {
  const missing = packets.length * PACKET_SAMPLES - planes[0].length;
  return planes.map((decoded) => {
    const found = new Float32Array(samples);
    const start = trim - missing;
    found.set(decoded.subarray(Math.max(start, 0), Math.max(start + samples, 0)), Math.max(-start, 0));
    return found;
  });
}
