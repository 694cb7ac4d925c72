/** Guesses from its first bytes what a file that is not a .dnv file is, for the error message. */
const KNOWN = [
  ["\x89PNG", "a PNG picture"],
  ["\xff\xd8\xff", "a JPEG picture"],
  ["GIF8", "a GIF picture"],
  ["\x1aE\xdf\xa3", "a Matroska or WebM video"],
  ["PK\x03\x04", "a ZIP archive"],
  ["\x1f\x8b", "a gzip file (was it stored with Content-Encoding: gzip?)"],
  ["\x28\xb5\x2f\xfd", "a bare zstd frame"],
  ["%PDF", "a PDF document"],
  ["ply", "a PLY point cloud"],
  ["version https://git-lfs", "a Git LFS pointer: the file itself was not fetched (git lfs pull)"],
];

/** Describe the kind of file that begins with `start`. */
export function describeContent(start) {
  if (start.length === 0) return "an empty file";
  const text = String.fromCharCode(...start.subarray(0, 512));
  if (text.slice(4, 8) === "ftyp") return "an MP4 or QuickTime video";
  const known = KNOWN.find(([prefix]) => text.startsWith(prefix));
  if (known) return known[1];
  if (text.slice(1, 4) === "DNV") return "a .dnv file damaged by a transfer in text mode";
  if (/^\0+$/.test(text)) return "a file of zeros (an unfinished download?)";
  if (/^\s*<(!doctype html|html)/i.test(text)) return "a web page (an error page instead of the file?)";
  if (!/^[\t\n\r\x20-\x7e]+$/.test(text)) return "an unknown kind of file";
  return /^\s*[{[]/.test(text) ? "a JSON file" : "a text file";
}
