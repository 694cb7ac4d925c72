"""Descriptions and examples of the commands' help pages. At most 79 columns wide."""

COMMANDS = (
    """\
A codec and player for neural 3D video: encodes multi-view recordings into one
compact file and renders any viewpoint at any time.
""",
    """\
exit status:
  0 success, 1 internal error, 2 bad input, a bad option or a file that cannot
  be read or written, 130 interrupted

'dynerf COMMAND --help' describes a command.
""",
)
ENCODE = (
    """\
Train a radiance field conditioned on one latent code per frame (DyNeRF, CVPR
2022) on synchronised, calibrated videos, and write quantised weights and
latents into one .dnv file.

CAPTURE is a folder in the layout of the Plenoptic Video data set: camNN.mp4,
one per camera, and poses_bounds.npy, one row per video in sorted order.

Ctrl-C finishes the step, saves a checkpoint and exits with status 130;
--resume continues from there, also after a crash. Progress is written to
standard error and, as JSON lines, to FILE.log.jsonl beside the output.
Decoded frames and the checkpoint are kept in FILE.work.

Clips longer than a segment (300 frames) have one model per segment. Segments
are independent tasks: --workers and --cluster encode several at once,
--resume encodes only those that are missing, and on the CPU the same
--threads give the same file in every case.
""",
    """\
examples:
  dynerf encode samples/candle -o candle.dnv
  dynerf encode samples/candle -o quick.dnv --time-limit 1m --downscale 2
  dynerf encode capture -o clip.dnv --frames 0:300 --hold-out cam00,cam10
  dynerf encode capture -o clip.dnv --quality 8
  dynerf encode capture -o clip.dnv --target-size 2MB
  dynerf encode capture -o clip.dnv --preset paper --set schedule.scale=0.01
  dynerf encode capture -o long.dnv --segment 10s --workers 2
  dynerf encode capture -o long.dnv --cluster 10.0.0.1:6379 --warm-start
  torchrun --nproc-per-node 8 -m dynerf encode capture -o clip.dnv
""",
)
DECODE = (
    """\
Render any viewpoint at any time. Between two frames the latent codes are
interpolated, so slow motion shows new frames.

VIEW is a camera of the clip (cam00 or still:cam00), spiral or orbit around
the scene, or a camera path that nerfstudio's viewer exported (a .json file).

CLIP.dnv may be an http or https address; only the parts shown are fetched.
""",
    """\
examples:
  dynerf decode clip.dnv -o out.mp4 --view cam00
  dynerf decode clip.dnv -o slow.mp4 --view orbit --speed 0.25
  dynerf decode clip.dnv -o bullet.mp4 --view spiral --freeze 0.5
  dynerf decode clip.dnv -o part.mp4 --view path.json --time 1.5:4
  dynerf decode clip.dnv -o p_%04d.png --view cam03 --frames :10 --size 640x360
""",
)
EVAL = (
    """\
Decode frames of a clip and compare them with the capture it was encoded from,
on decoded RGB before any video coding: PSNR, SSIM, MSE, DSSIM, LPIPS, FLIP and
PSNR inside moving pixels per frame, their means, and JOD. SSIM: Gaussian
window of sigma 1.5, data range 1; DSSIM is (1 - SSIM) / 2. A pixel moves when
it differs from its temporal median by more than 0.04.

LPIPS needs a file of weights, FLIP the package flip-evaluator, JOD the package
cvvdp (ColorVideoVDP; the paper used FovVideoVDP). Each missing metric is
reported in one line. --every 10 is the paper's protocol.
""",
    """\
examples:
  dynerf eval candle.dnv samples/candle
  dynerf eval candle.dnv samples/candle --views cam01,cam05 --every 10 --json
  dynerf eval candle.dnv samples/candle --lpips-weights alex.safetensors
  dynerf eval candle.dnv samples/candle --report out/report
""",
)
INFO = (
    """\
Describe a .dnv file: length, cameras, field, bytes per part, bits per
parameter, and the effective configuration of the encode. Reads the header and
the directory only; --check reads the whole file and verifies every checksum.
Does not load torch.
""",
    """\
examples:
  dynerf info candle.dnv
  dynerf info candle.dnv --json
  dynerf info candle.dnv --check
  dynerf info https://example.org/candle.dnv
""",
)
VERIFY = (
    """\
Read all of a .dnv file and check every checksum, every tensor of every quality
layer, and the hash of the whole file. Does not load torch.

exit status:
  0 intact, 2 damaged or not a .dnv file
""",
    """\
examples:
  dynerf verify candle.dnv
  dynerf verify candle.dnv --json
  dynerf verify https://example.org/candle.dnv
""",
)
REPAIR = (
    """\
Recover the intact part of a truncated or damaged .dnv file: all chunks before
the damage, as a playable file. What follows is lost: the last frames, or the
finer quality layers. The damaged file is not modified; one at an address must
be downloaded first.
""",
    """\
examples:
  dynerf repair broken.dnv -o saved.dnv
""",
)
SERVE = (
    """\
Serve a clip, or a folder of clips, to browsers: a page that shows it from any
viewpoint at any time, rendered live on this machine, and the file itself by
range requests. Ctrl-C stops the server.

Only this machine can connect unless --host is set. With --token only viewers
with the printed address can connect. A reverse proxy may serve the player
below any path. Requests under an unknown name of this machine, or from pages
of another origin, are refused: --allow-origin states the address that
browsers use.
""",
    """\
examples:
  dynerf serve candle.dnv
  dynerf serve clips --port 0 --render-sessions 2
  dynerf serve clips --host 0.0.0.0 --token
  dynerf serve clips --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
  dynerf serve clips --allow-origin https://films.example --token
""",
)
PLAY = (
    """\
Watch a clip in the browser: a page on this machine shows it from any viewpoint
at any time, rendered locally. Ctrl-C stops it.

A clip at an http or https address is fetched by range requests while it plays:
first what the first frame needs, then what follows. Any web server that serves
files will do. When the remote file is replaced, the page reloads it.
""",
    """\
examples:
  dynerf play candle.dnv
  dynerf play https://example.org/candle.dnv
  dynerf play candle.dnv --no-browser --port 9000
""",
)
CUT = (
    """\
Write some frames of a clip as a new clip, without re-encoding: the stored
weights of every segment involved are copied, and the latents of exactly these
frames. The frames decode to the same values as before. From a clip at an
address only what is kept is fetched.
""",
    """\
examples:
  dynerf cut clip.dnv --frames 300:900 -o part.dnv
  dynerf cut clip.dnv --frames :60 -o start.dnv
  dynerf cut https://example.org/clip.dnv --frames :60 -o start.dnv
""",
)
JOIN = (
    """\
Concatenate clips of one capture without re-encoding. Each must start at the
frame of the recording where the previous one ends, with the same cameras,
space, field and sampling; a difference is reported by name. Clips at addresses
must be downloaded first.
""",
    """\
examples:
  dynerf join first.dnv second.dnv -o both.dnv
  dynerf join parts/*.dnv -o all.dnv
""",
)
