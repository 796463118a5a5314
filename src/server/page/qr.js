// A QR code (ISO/IEC 18004) of up to 271 bytes: byte mode, error correction L, versions 1 to 10, mask 0.

/** By version: codewords, those of error correction in a block, blocks. */
const VERSIONS = [, [26, 7, 1], [44, 10, 1], [70, 15, 1], [100, 20, 1], [134, 26, 1], [172, 18, 2], [196, 20, 2], [242, 24, 2], [292, 30, 2], [346, 18, 4]];
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

function codewords(bytes, version) {
  const [all, degree, blocks] = VERSIONS[version];
  const room = all - degree * blocks;
  const binary = (value, length) => value.toString(2).padStart(length, "0");
  let bits = "0100" + binary(bytes.length, version < 10 ? 8 : 16) + bytes.map((byte) => binary(byte, 8)).join("") + "0000";
  bits = bits.slice(0, room * 8);
  bits = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0").padEnd(room * 8, "1110110000010001");
  const data = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2));
  const parts = [];
  for (let block = 0, at = 0; block < blocks; block++) {
    parts.push(data.slice(at, (at += Math.floor((room + block) / blocks))));
  }
  const mixed = (lists) => lists.at(-1).flatMap((_, at) => lists.flatMap((list) => list[at] ?? []));
  return [...mixed(parts), ...mixed(parts.map((part) => correction(part, degree)))];
}

/** Rows of modules, true where dark; null if the text is too long. */
export function modules(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const version = VERSIONS.findIndex((of, index) => of && bytes.length + (index < 10 ? 2 : 3) <= of[0] - of[1] * of[2]);
  if (version < 0) return null;
  const size = 17 + 4 * version;
  const grid = Array.from({ length: size }, () => Array(size).fill(null));
  /** A square of rings, from the inside out. */
  const square = (row, column, rings) => {
    const reach = rings.length - 1;
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        if (grid[row + y]?.[column + x] !== undefined) grid[row + y][column + x] = rings[Math.max(Math.abs(x), Math.abs(y))] === "1";
      }
    }
  };
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) square(row, column, "11010");
  const places = version < 2 ? [] : version < 7 ? [6, size - 7] : [6, 2 * version + 8, size - 7];
  for (const row of places) for (const column of places) if (grid[row][column] === null) square(row, column, "101");
  for (let at = 8; at < size - 8; at++) grid[6][at] = grid[at][6] = at % 2 === 0;
  // which level and mask: L and 0
  for (let bit = 0; bit < 15; bit++) {
    const dark = Boolean((0x77c4 >> bit) & 1);
    grid[bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit][8] = dark;
    grid[8][bit < 8 ? size - 1 - bit : bit === 8 ? 7 : 14 - bit] = dark;
  }
  grid[size - 8][8] = true;
  if (version > 6) {
    let rest = version << 12;
    for (let bit = 17; bit > 11; bit--) if ((rest >> bit) & 1) rest ^= 0x1f25 << (bit - 12);
    for (let bit = 0; bit < 18; bit++) {
      const [near, far] = [Math.floor(bit / 3), size - 11 + (bit % 3)];
      grid[near][far] = grid[far][near] = Boolean((((version << 12) | rest) >> bit) & 1);
    }
  }
  const words = codewords(bytes, version);
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
