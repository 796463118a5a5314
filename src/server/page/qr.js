// A QR code (ISO/IEC 18004) of up to 106 bytes: byte mode, error correction L, versions 1 to 5, mask 0.

import { abs, max } from "./dom.js";

/** By version: bytes of data, and of error correction. */
const VERSIONS = [[0, 0], [19, 7], [34, 10], [55, 15], [80, 20], [108, 26]];
const [EXP, LOG] = [[], []];
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  value = (value << 1) ^ (value > 127 ? 0x11d : 0);
}

/** Reed-Solomon: the remainder of the data by the generator of this degree. */
function correction(data, degree) {
  let generator = [1];
  for (let root = 0; root < degree; root++) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => (next[at + 1] ^= EXP[LOG[factor] + root]));
    generator = next;
  }
  const rest = [...data, ...Array(degree).fill(0)];
  data.forEach((_, at) => {
    const lead = LOG[rest[at]];
    if (rest[at]) generator.forEach((factor, index) => (rest[at + index] ^= EXP[lead + LOG[factor]]));
  });
  return rest.slice(data.length);
}

/** Rows of modules, true where dark; none if the text is too long. */
export function modules(text) {
  const bytes = new TextEncoder().encode(text);
  const version = VERSIONS.findIndex(([room]) => bytes.length + 2 <= room);
  if (version < 0) return [];
  const [room, degree] = VERSIONS[version];
  const size = 17 + 4 * version;
  const grid = Array.from({ length: size }, () => Array(size).fill(null));
  /** A square of rings, from the inside out. */
  const square = (row, column, rings) => {
    const reach = rings.length - 1;
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        if (grid[row + y]?.[column + x] !== undefined) grid[row + y][column + x] = rings[max(abs(x), abs(y))] === "1";
      }
    }
  };
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) square(row, column, "11010");
  if (version > 1) square(size - 7, size - 7, "101");
  for (let at = 8; at < size - 8; at++) grid[6][at] = grid[at][6] = at % 2 === 0;
  // which level and mask: L and 0
  for (let bit = 0; bit < 15; bit++) {
    const dark = Boolean((0x77c4 >> bit) & 1);
    grid[bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit][8] = dark;
    grid[8][bit < 8 ? size - 1 - bit : bit === 8 ? 7 : 14 - bit] = dark;
  }
  grid[size - 8][8] = true;
  const hex = (values) => Array.from(values, (value) => value.toString(16).padStart(2, "0")).join("");
  const data = `4${hex([bytes.length, ...bytes])}0`.padEnd(room * 2, "ec11").match(/../g).map((byte) => parseInt(byte, 16));
  const words = [...data, ...correction(data, degree)];
  for (let right = size - 1, up = true, at = 0; right > 0; right -= 2, up = !up) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (grid[row][column] !== null) continue;
        grid[row][column] = Boolean(((words[at >> 3] >> (7 - (at++ & 7))) & 1) ^ ((row + column + 1) & 1));
      }
    }
  }
  return grid;
}
