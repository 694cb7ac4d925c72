"""The .dnv file format: bytes <-> header, chunks and quantised tensors, as specified in ``format/SPEC.md``.

``io``         file-system helpers, the cache of compiled code
``coding``     integer symbols <-> entropy-coded bytes
``tensors``    quantised tensors and occupancy grids <-> chunk payloads
``sound``      Opus packets of a group of frames <-> chunk payloads
``container``  header and chunks <-> a file; reader and writer
``edit``       cut, join and repair

Reading::

    with FileSource("clip.dnv") as source:
        clip = Reader(source)
        weights = clip.weights(clip.header.segment_at(120))
        latents = clip.latents(first=120, count=2)

Writing: :func:`quantise` tensors, build chunks from them, call :func:`write_clip`. torch is never imported.
"""

from dynerf_format.container.chunk_lookup import (
    ancillary_entry,
    latents_entries,
    sound_entries,
    weights_chain,
    weights_entries,
    weights_entry,
)
from dynerf_format.container.chunks import (
    BASE,
    DIFFERENCES,
    OCCUPANCY,
    SOUND,
    Chunk,
    ancillary_chunk,
    latents_chunk,
    occupancy_chunk,
    sound_chunk,
    weights_chunk,
)
from dynerf_format.container.directory import Entry
from dynerf_format.container.field_tensors import tensor_shapes
from dynerf_format.container.header import COLOUR, decode_header, encode_header
from dynerf_format.container.quality_layers import (
    coarsen,
    continued_chunks,
    key_chunks,
    layers_between,
    split_layers,
    weights_chunks,
)
from dynerf_format.container.reader import Reader
from dynerf_format.container.records import CameraRecord, FieldRecord, Header, SegmentRecord, SpaceRecord
from dynerf_format.container.source import BytesSource, FileSource, Source, check_range
from dynerf_format.container.writer import clip_bytes, write_clip
from dynerf_format.edit.repair import Repair, repair_clip
from dynerf_format.edit.splice import cut_clip, join_clips
from dynerf_format.io.atomic_write import atomic_path, check_writable
from dynerf_format.sound.sound_payload import (
    PACKET_SAMPLES,
    PREROLL,
    SoundPackets,
    pack_sound,
    unpack_sound,
)
from dynerf_format.sound.sound_position import SAMPLE_RATE, sound_position
from dynerf_format.tensors.occupancy import (
    COARSE_EMPTY,
    FINE_EMPTY,
    CellGrid,
    Occupancy,
    pack_occupancy,
    unpack_occupancy,
)
from dynerf_format.tensors.quantise import QuantisedTensor, quantise
from dynerf_format.tensors.tensor_payload import pack_tensors, unpack_tensors

from .errors import (
    CaptureError,
    ChangedError,
    ChecksumError,
    ConfigError,
    DynerfError,
    FormatError,
    LimitError,
    NotDnvError,
    OutputError,
    RemoteError,
    ResumeError,
    TruncatedError,
    VersionError,
    ViewError,
)
from .limits import Limits
from .version import __version__

__all__ = [
    "BASE",
    "COARSE_EMPTY",
    "COLOUR",
    "DIFFERENCES",
    "FINE_EMPTY",
    "OCCUPANCY",
    "PACKET_SAMPLES",
    "PREROLL",
    "SAMPLE_RATE",
    "SOUND",
    "BytesSource",
    "CameraRecord",
    "CaptureError",
    "CellGrid",
    "ChangedError",
    "ChecksumError",
    "Chunk",
    "ConfigError",
    "DynerfError",
    "Entry",
    "FieldRecord",
    "FileSource",
    "FormatError",
    "Header",
    "LimitError",
    "Limits",
    "NotDnvError",
    "Occupancy",
    "OutputError",
    "QuantisedTensor",
    "Reader",
    "RemoteError",
    "Repair",
    "ResumeError",
    "SegmentRecord",
    "SoundPackets",
    "Source",
    "SpaceRecord",
    "TruncatedError",
    "VersionError",
    "ViewError",
    "__version__",
    "ancillary_chunk",
    "ancillary_entry",
    "atomic_path",
    "check_range",
    "check_writable",
    "clip_bytes",
    "coarsen",
    "continued_chunks",
    "cut_clip",
    "decode_header",
    "encode_header",
    "join_clips",
    "key_chunks",
    "latents_chunk",
    "latents_entries",
    "layers_between",
    "occupancy_chunk",
    "pack_occupancy",
    "pack_sound",
    "pack_tensors",
    "quantise",
    "repair_clip",
    "sound_chunk",
    "sound_entries",
    "sound_position",
    "split_layers",
    "tensor_shapes",
    "unpack_occupancy",
    "unpack_sound",
    "unpack_tensors",
    "weights_chain",
    "weights_chunk",
    "weights_chunks",
    "weights_entries",
    "weights_entry",
    "write_clip",
]
