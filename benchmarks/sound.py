"""Measures the packets that stand in two chunks of sound, and what they are for.

    python benchmarks/sound.py

For synthesised signals: the coder's noise, and the greatest difference between chunks of one second that are
decoded apart and the whole stream, in the 10 ms behind each border, with more and fewer packets before the
first sample (RMS in dB below full scale). Then bytes of chunks of several lengths, beside the stream's.
"""

import numpy as np
from jaxtyping import Float32

from dynerf_decoder.sound.opus_decoder import decode_packets
from dynerf_encoder.sound.opus_coder import code_opus
from dynerf_format import PACKET_SAMPLES, SAMPLE_RATE, SoundPackets, pack_sound
from dynerf_format.layout import CHUNK_HEAD, ENTRY

SECONDS = 20
BEFORE = (0, 2, 4, 6, 8, 10, 12)  # packets
_BEHIND = SAMPLE_RATE // 100

Signal = Float32[np.ndarray, "sample channel"]


def signals() -> dict[str, Signal]:
    """Mono signals of ``SECONDS``."""
    time = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    sweep = np.sin(2 * np.pi * 100 * SECONDS / np.log(40) * (40 ** (time / SECONDS) - 1))
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220, 277, 330, 1000, 3333, 7000))
    swelling = noise * (0.5 + 0.5 * np.sin(2 * np.pi * 3 * time))
    scaled = {"sweep": 5 * sweep, "chord": chord, "noise": noise, "swelling noise": swelling}
    return {name: (0.1 * signal)[:, None].astype(np.float32) for name, signal in scaled.items()}


def level(signal: Signal) -> float:
    """The RMS in dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(signal, dtype=np.float64))) + 1e-9))


def chunk(stream: SoundPackets, start: int, before: int) -> SoundPackets:
    """The samples behind ``start`` that are compared, with ``before`` packets before them."""
    first = stream.trim + start
    dropped = max(first // PACKET_SAMPLES - before, 0)
    packets = stream.packets[dropped : (first + _BEHIND) // PACKET_SAMPLES + 1]
    return SoundPackets(stream.channels, first - dropped * PACKET_SAMPLES, _BEHIND, packets)


def main() -> None:
    """Measure and print two tables."""
    print("| signal | coder's noise |", " | ".join(f"{count} packets" for count in BEFORE), "|")
    print("|---|--:|" + "--:|" * len(BEFORE))
    for name, signal in signals().items():
        stream = code_opus([signal], None)
        whole = decode_packets(stream)
        cells = []
        for before in BEFORE:
            apart = [
                decode_packets(chunk(stream, border, before)) - whole[border : border + _BEHIND]
                for border in range(SAMPLE_RATE, SECONDS * SAMPLE_RATE, SAMPLE_RATE)
            ]
            cells.append(f"{max(map(level, apart)):.1f} dB")
        print(f"| {name} | {level(whole - signal):.1f} dB |", " | ".join(cells), "|")
    print("\n| sound | stream, kbit/s | chunk of | kbit/s in the file | more |\n|---|--:|--:|--:|--:|")
    mono = signals()["swelling noise"]
    for name, signal in {"mono, 64k": mono, "stereo, 96k": np.repeat(mono, 2, axis=1)}.items():
        stream = code_opus([signal], None)
        for seconds in (0.5, 1, 2, 5):
            parts = chunks(stream, round(seconds * SAMPLE_RATE))
            size = sum(len(pack_sound(part)) + CHUNK_HEAD.size + ENTRY.size for part in parts)
            plain = sum(map(len, stream.packets))
            rates = f"{8 * plain / SECONDS / 1000:.1f} | {seconds:g} s | {8 * size / SECONDS / 1000:.1f}"
            print(f"| {name} | {rates} | {100 * (size / plain - 1):.0f} % |")


def chunks(stream: SoundPackets, samples: int) -> list[SoundPackets]:
    """The stream in chunks of ``samples``, as a writer divides it."""
    found = [
        stream.window(start, min(samples, stream.samples - start))
        for start in range(0, stream.samples, samples)
    ]
    return [part for part in found if part is not None]


if __name__ == "__main__":
    main()
