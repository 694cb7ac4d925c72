import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import { dnv, vector } from "./support.mjs";

const { ChangedError, HttpSource, RemoteError, TruncatedError } = dnv;
const QUICK = { attempts: 3, pause: 1, longest: 2, stall: 20_000 };
const DATA = vector("cut_waves.dnv"); // longer than what opening fetches
const OPENING = 16 * 1024;

/** What the server does; tests change it. `faults` answer one request each, in place of the correct response. */
const host = {};
let server;
let address;

before(async () => {
  server = createServer((request, response) => respond(request, response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  address = `http://127.0.0.1:${server.address().port}/clip.dnv?token=secret`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  Object.assign(host, { data: DATA, ranges: true, contentRange: true, faults: [], requests: [] });
  host.headers = { ETag: '"one"' };
});

function respond(request, response) {
  host.requests.push(request.headers);
  const fault = host.faults.shift();
  if (fault) return fault(request, response);
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range);
  if (!range || !host.ranges) return response.writeHead(200, host.headers).end(host.data);
  return partial(response, Number(range[1]), Math.min(Number(range[2]) + 1, host.data.length));
}

function partial(response, first, stop) {
  const { data, headers, contentRange } = host;
  if (first >= data.length) return response.writeHead(416, headers).end();
  const range = contentRange ? { "Content-Range": `bytes ${first}-${stop - 1}/${data.length}` } : {};
  return response.writeHead(206, { ...headers, ...range, "Content-Length": stop - first }).end(data.subarray(first, stop));
}

/** A fault: a response with this status and body. */
const status = (code, headers = {}, body = "") => (_, response) => response.writeHead(code, headers).end(body);

/** A fault: the connection ends after some bytes of the body. */
function cut(bytes) {
  return (request, response) => {
    const [first, last] = /(\d+)-(\d+)/.exec(request.headers.range).slice(1).map(Number);
    const stop = Math.min(last + 1, host.data.length);
    const range = `bytes ${first}-${stop - 1}/${host.data.length}`;
    response.writeHead(206, { ...host.headers, "Content-Range": range, "Content-Length": stop - first });
    response.write(host.data.subarray(first, first + bytes), () => setTimeout(() => response.destroy(), 20));
  };
}

const source = (options = {}) => new HttpSource(address, { policy: QUICK, ...options });
const open = (options) => dnv.openClip(source(options));

async function opened(options) {
  const found = source(options);
  await found.open();
  return found;
}

test("the first picture takes three requests: head and header, layer 0, one group of latents", async () => {
  const found = source();
  const clip = await dnv.openClip(found);
  const [{ tensors }] = await Promise.all([clip.loadLayer(0, 0), clip.latents(0)]);
  assert.equal(tensors.size, 1);
  assert.equal(host.requests.length, 3);
  const [{ end }, { end: groupEnd, offset }] = clip.reader.directory;
  assert.deepEqual(found.transfer, { requests: 3, received: end + groupEnd - offset });
});

test("a clip at an address is that of the file, from hosts with and without ranges", async () => {
  for (const settings of [{}, { ranges: false }, { contentRange: false }, { headers: {} }, { headers: { ETag: 'W/"1"' } }]) {
    Object.assign(host, { ranges: true, contentRange: true, headers: { ETag: '"one"' } }, settings);
    const clip = await open();
    assert.equal(await dnv.verify(clip.reader), Buffer.from(DATA.subarray(-32)).toString("hex"));
    assert.equal(clip.size, DATA.length);
    assert.equal(clip.version, settings.headers ? null : '"one"');
  }
});

test("a host without ranges gets one request", async () => {
  host.ranges = false;
  const clip = await open();
  for (const segment of [0, 1]) await clip.loadLayer(segment, 1);
  assert.equal(host.requests.length, 1);
});

test("a file that is sent whole is refused above the limit, announced or not", async () => {
  host.ranges = false;
  await assert.rejects(open({ wholeLimit: DATA.length - 1 }), /RemoteError: .*ignores range requests/);
  host.faults = [(_, response) => response.writeHead(200).write(DATA, () => response.end())]; // chunked
  await assert.rejects(open({ wholeLimit: DATA.length - 1 }), /RemoteError: .*ignores range requests/);
  assert.equal((await open({ wholeLimit: DATA.length })).size, DATA.length);
});

test("what was fetched to open a file is not fetched again", async () => {
  const found = await opened();
  assert.deepEqual(await found.read(100, 50), DATA.slice(100, 150));
  assert.deepEqual(await found.read(OPENING - 10, 30), DATA.slice(OPENING - 10, OPENING + 20));
  assert.deepEqual(host.requests.map(({ range }) => range), ["bytes=0-16383", "bytes=16384-16403"]);
  await assert.rejects(found.read(DATA.length - 1, 2), TruncatedError);
});

test("the newest reads are kept, within a limit", async () => {
  const found = await opened({ cacheLimit: 300 });
  const ranges = [[OPENING, 100], [OPENING + 200, 150], [OPENING, 100], [OPENING + 400, 100], [OPENING, 100], [OPENING + 200, 150]];
  for (const [offset, length] of [...ranges, [OPENING, 301], [OPENING, 301]]) {
    assert.deepEqual(await found.read(offset, length), DATA.slice(offset, offset + length));
  }
  const starts = host.requests.slice(1).map(({ range }) => Number(range.slice(6).split("-")[0]) - OPENING);
  assert.deepEqual(starts, [0, 200, 400, 200, 0, 0]);
});

test("requests have no conditional headers, which would cost a preflight at another origin", async () => {
  await (await opened()).read(OPENING, 10);
  for (const headers of host.requests) {
    assert.deepEqual(Object.keys(headers).filter((name) => name.startsWith("if-")), []);
  }
});

test("a file that is replaced is noticed by its ETag, its time or its size, and nothing more is fetched", async () => {
  for (const [headers, next, data] of [
    [{ ETag: '"one"' }, { ETag: '"two"' }, DATA],
    [{ "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT" }, { "Last-Modified": "Mon, 01 Jan 2024 00:00:01 GMT" }, DATA],
    [{}, {}, DATA.subarray(0, 20_000)],
    [{}, {}, DATA.subarray(0, OPENING)], // 416
  ]) {
    Object.assign(host, { headers, data: DATA });
    const found = await opened();
    Object.assign(host, { headers: next, data });
    await assert.rejects(found.read(OPENING + 100, 10), ChangedError);
    const { length } = host.requests;
    await assert.rejects(found.read(OPENING + 100, 10), ChangedError);
    assert.equal(host.requests.length, length);
    assert.deepEqual(await found.read(0, 8), DATA.slice(0, 8));
  }
});

test("a replaced file that a host sends whole is noticed", async () => {
  const found = await opened();
  Object.assign(host, { ranges: false, headers: { ETag: '"two"' } });
  await assert.rejects(found.read(OPENING, 10), ChangedError);
});

test("a change that no header shows is refused by the chunk's checksum", async () => {
  Object.assign(host, { headers: {}, contentRange: false });
  const clip = await open();
  host.data = DATA.map((byte, index) => (index > OPENING ? byte ^ 1 : byte));
  await assert.rejects(clip.loadLayer(0, 0), dnv.ChecksumError);
});

test("a lost connection resumes where it stopped", async () => {
  const found = await opened();
  host.faults = [cut(4000), cut(4000)];
  assert.deepEqual(await found.read(OPENING, 10_000), DATA.slice(OPENING, OPENING + 10_000));
  const starts = host.requests.slice(1).map(({ range }) => Number(range.slice(6).split("-")[0]));
  assert.equal(starts.length, 3);
  assert.ok(starts[0] === OPENING && starts[1] > OPENING && starts[2] >= starts[1], String(starts));
});

test("errors of a busy server are retried, then reported", async () => {
  host.faults = [status(503, { "Retry-After": "0" }), status(429)];
  await opened();
  assert.equal(host.requests.length, 3);
  host.faults = [status(500), status(502), status(504)];
  await assert.rejects(opened(), /RemoteError: .*responds 504; gave up after 3 attempts/);
});

test("a server that stops sending is given up after the stall timeout", async () => {
  host.faults = [0, 1, 2].map(() => () => {});
  await assert.rejects(opened({ policy: { ...QUICK, stall: 30 } }), /RemoteError: .*does not respond in time; gave up/);
  host.faults = [(_, response) => response.writeHead(206, { "Content-Range": `bytes 0-16383/${DATA.length}` }).write("x")];
  const found = source({ policy: { ...QUICK, stall: 1000 } });
  assert.equal((await found.open()).length, OPENING);
});

test("statuses that will not change are reported at once", async () => {
  for (const [code, pattern] of [[404, /no such file/], [410, /no such file/], [403, /responds 403/], [416, /is empty/]]) {
    host.requests = [];
    host.faults = [status(code)];
    await assert.rejects(opened(), (error) => error instanceof RemoteError && pattern.test(error.message));
    assert.equal(host.requests.length, 1);
  }
});

test("ranges that were not requested, of another unit or compressed are refused", async () => {
  for (const headers of [
    { "Content-Range": `bytes 1-16384/${DATA.length}` },
    { "Content-Range": `bytes 0-99/${DATA.length}` },
    { "Content-Range": "rows 0-16383/99999" },
    { "Content-Range": `bytes 0-16383/${DATA.length}`, "Content-Encoding": "br" },
  ]) {
    host.faults = [status(206, headers, DATA.subarray(0, OPENING))];
    await assert.rejects(opened(), RemoteError);
  }
  host.faults = [status(206, { "Content-Range": "bytes 0-9/10" }, "eleven bytes")];
  await assert.rejects(opened(), /RemoteError: .*more bytes than it announced/);
});

test("an abort ends a request, a body and a pause between attempts, with the reason given", async () => {
  const slow = { policy: { ...QUICK, pause: 60_000, longest: 60_000, stall: 60_000 } };
  const faults = [() => {}, (_, response) => response.writeHead(200).write("x"), status(503)];
  for (const fault of faults) {
    const controller = new AbortController();
    host.faults = [
      (request, response) => {
        fault(request, response);
        setTimeout(() => controller.abort(new Error("the viewer left")), 20);
      },
    ];
    await assert.rejects(source(slow).open({ signal: controller.signal }), /the viewer left/);
  }
  await assert.rejects(source().open({ signal: AbortSignal.abort(new Error("before")) }), /before/);
});

test("a server that cannot be reached is named without the query of its address", async () => {
  const unreachable = new HttpSource("http://127.0.0.1:9/clip.dnv?token=secret", { policy: QUICK });
  await assert.rejects(unreachable.open(), (error) => {
    assert.ok(error instanceof RemoteError);
    assert.match(error.message, /^http:\/\/127.0.0.1:9\/clip.dnv: the server cannot be reached/);
    return !error.message.includes("secret");
  });
});

test("another kind of file is refused by name", async () => {
  host.data = new TextEncoder().encode("<!DOCTYPE html><title>Not found</title>");
  await assert.rejects(open(), (error) => error instanceof dnv.NotDnvError && /web page/.test(error.message));
});
