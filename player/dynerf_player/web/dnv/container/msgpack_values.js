/**
 * MessagePack's plain values (nil, bool, int, float, str, array, map) and typed access to them by path. Errors give
 * the path: `header.cameras[3].focal_x: found str, expected number`.
 *
 * Libraries do not serve: an int must not be a float, keys must not occur twice, bin and ext are refused (SPEC 4).
 */
import { FormatError, LimitError } from "../errors.js";

const DEPTH_MAX = 12;
const KEY_LENGTH_MAX = 128;
const CONTAINERS_MAX = 2 ** 16;
const PRINTABLE = /^(?:[^\p{C}\p{Z}]| )*$/u;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A float. Ints are plain numbers, which keeps the two apart. */
class Float {
  constructor(value) {
    this.value = value;
  }
}

/** Parse the single value in `bytes`; FormatError when there is anything else. Maps become Maps, floats `Float`. */
export function unpack(bytes, path) {
  const parser = new Parser(bytes, path);
  const value = parser.value(0);
  if (parser.position < bytes.length) {
    throw new FormatError(`${path}: ${bytes.length - parser.position} bytes follow its msgpack value`);
  }
  return value;
}

class Parser {
  constructor(bytes, path) {
    Object.assign(this, { bytes, path, position: 0, containers: 0 });
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The next value; `depth` counts the containers around it. */
  value(depth) {
    if (depth > DEPTH_MAX) throw this.error(`nested deeper than ${DEPTH_MAX}`);
    const type = this.byte();
    if (type < 0x80) return type;
    if (type < 0x90) return this.map(type & 15, depth);
    if (type < 0xa0) return this.array(type & 15, depth);
    if (type < 0xc0) return this.text(type & 31);
    if (type >= 0xe0) return type - 256;
    return this.typed(type, depth);
  }

  /** A value of which the first byte is the type alone. */
  typed(type, depth) {
    if (type === 0xc0) return null;
    if (type === 0xc2 || type === 0xc3) return type === 0xc3;
    if (type === 0xca) return this.float(this.number("getFloat32", 4));
    if (type === 0xcb) return this.float(this.number("getFloat64", 8));
    if (type >= 0xcc && type <= 0xce) return this.unsigned(1 << (type - 0xcc));
    if (type >= 0xd0 && type <= 0xd2) return this.number(`getInt${8 << (type - 0xd0)}`, 1 << (type - 0xd0));
    // Beyond 2^53 it is rounded: such an int is out of range where an int is required, and equal as a number.
    if (type === 0xcf) return Number(this.number("getBigUint64", 8));
    if (type === 0xd3) return Number(this.number("getBigInt64", 8));
    if (type >= 0xd9 && type <= 0xdb) return this.text(this.unsigned(1 << (type - 0xd9)));
    if (type === 0xdc || type === 0xdd) return this.array(this.unsigned(2 << (type - 0xdc)), depth);
    if (type === 0xde || type === 0xdf) return this.map(this.unsigned(2 << (type - 0xde)), depth);
    throw this.error(`found msgpack type 0x${type.toString(16)}, expected a plain value`);
  }

  map(length, depth) {
    const fields = new Map();
    for (let i = 0; i < length; i += 1) {
      const key = this.value(depth + 1);
      checkKey(key, this.path);
      if (fields.has(key)) throw this.error("a key occurs twice in one map");
      fields.set(key, this.value(depth + 1));
    }
    this.count();
    return fields;
  }

  array(length, depth) {
    const items = [];
    for (let i = 0; i < length; i += 1) items.push(this.value(depth + 1));
    this.count();
    return items;
  }

  text(length) {
    this.need(length);
    this.position += length;
    try {
      return UTF8.decode(this.bytes.subarray(this.position - length, this.position));
    } catch {
      throw this.error("found text that is not UTF-8");
    }
  }

  float(value) {
    if (!Number.isFinite(value)) throw this.error(`found ${value}, expected a finite number`);
    return new Float(value);
  }

  byte() {
    return this.unsigned(1);
  }

  unsigned(length) {
    return this.number(`getUint${8 * length}`, length);
  }

  number(method, length) {
    this.need(length);
    this.position += length;
    return this.view[method](this.position - length);
  }

  need(length) {
    if (length > this.bytes.length - this.position) throw this.error("its msgpack value is cut off");
  }

  /** An empty map is 1 byte in the file and much more in memory. */
  count() {
    this.containers += 1;
    if (this.containers > CONTAINERS_MAX) {
      throw new LimitError(`${this.path}: more than ${CONTAINERS_MAX} maps and arrays`);
    }
  }

  error(message) {
    return new FormatError(`${this.path}: ${message}`);
  }
}

/** A value and its path; every method checks the type and returns the plain value. */
export class MsgpackNode {
  constructor(value, path) {
    Object.assign(this, { value, path });
  }

  /** The value of a key that must exist. */
  field(key) {
    const node = this.optional(key);
    if (node === null) throw new FormatError(`${this.path}.${key}: is missing`);
    return node;
  }

  /** The value of a key, or null where it is absent. */
  optional(key) {
    if (!(this.value instanceof Map)) throw this.unexpected("map");
    return this.value.has(key) ? new MsgpackNode(this.value.get(key), `${this.path}.${key}`) : null;
  }

  /** An object of all keys of a map; `convert` is called with the node of each value. */
  mapping(convert) {
    if (!(this.value instanceof Map)) throw this.unexpected("map");
    const entries = [...this.value].map(([key, value]) => [key, convert(new MsgpackNode(value, `${this.path}.${key}`))]);
    return Object.fromEntries(entries);
  }

  items() {
    if (!Array.isArray(this.value)) throw this.unexpected("array");
    return this.value.map((item, index) => new MsgpackNode(item, `${this.path}[${index}]`));
  }

  integer(minimum, maximum) {
    if (typeof this.value !== "number") throw this.unexpected("integer");
    if (this.value < minimum || this.value > maximum) {
      throw new FormatError(`${this.path}: found ${this.value}, expected ${minimum} to ${maximum}`);
    }
    return this.value;
  }

  /** A finite number; integers are accepted, because other languages write 1.0 as 1. */
  number() {
    if (this.value instanceof Float) return this.value.value;
    if (typeof this.value !== "number") throw this.unexpected("number");
    return this.value;
  }

  positive() {
    const number = this.number();
    if (number <= 0) throw new FormatError(`${this.path}: found ${number}, expected a number above 0`);
    return number;
  }

  numbers(count) {
    const items = this.items();
    if (items.length !== count) {
      throw new FormatError(`${this.path}: found ${items.length} numbers, expected ${count}`);
    }
    return items.map((item) => item.number());
  }

  /** Printable text of 1 to `longest` characters. */
  text(longest) {
    if (typeof this.value !== "string") throw this.unexpected("text");
    const length = [...this.value].length;
    if (length < 1 || length > longest || !PRINTABLE.test(this.value)) {
      throw new FormatError(`${this.path}: expected 1 to ${longest} printable characters`);
    }
    return this.value;
  }

  choice(allowed) {
    if (typeof this.value === "string" && allowed.includes(this.value)) return this.value;
    throw new FormatError(`${this.path}: found ${String(this.value).slice(0, 64)}, expected ${allowed.join(" or ")}`);
  }

  /** A bool, number or text. */
  scalar() {
    const plain = this.plain();
    if (plain === null || typeof plain === "object") throw this.unexpected("bool, number or text");
    return plain;
  }

  /** The value as an object of JavaScript. */
  plain() {
    return plain(this.value);
  }

  unexpected(expected) {
    return new FormatError(`${this.path}: found ${typeName(this.value)}, expected ${expected}`);
  }
}

function plain(value) {
  if (value instanceof Float) return value.value;
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
}

function checkKey(key, path) {
  if (typeof key !== "string") throw new FormatError(`${path}: found a key of type ${typeName(key)}, expected text`);
  const length = [...key].length;
  if (length < 1 || length > KEY_LENGTH_MAX || !PRINTABLE.test(key)) {
    throw new FormatError(`${path}: found a key that is not 1 to ${KEY_LENGTH_MAX} printable characters`);
  }
}

function typeName(value) {
  if (value === null) return "nil";
  if (value instanceof Float) return "float";
  if (value instanceof Map) return "map";
  if (Array.isArray(value)) return "array";
  return { boolean: "bool", number: "int", string: "str" }[typeof value];
}
