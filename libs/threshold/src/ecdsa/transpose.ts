/** Side of a block. */
const SIDE = 32;
const block = new Int32Array(SIDE);

/**
 * Transposes a bit matrix of `rows` x (32 * `rowWords`), rows a multiple of 32. Bits count from the least significant: bit b of word w
 * in row r is column 32*w + b, and becomes bit r of column. Works in blocks of 32 x 32 (Hacker's Delight, section 7-3).
 */
export function transpose(matrix: Int32Array, rows: number, rowWords: number, out: Int32Array): void {
  const columnWords = rows / SIDE;
  for (let band = 0; band < columnWords; band++) {
    for (let word = 0; word < rowWords; word++) {
      for (let row = 0; row < SIDE; row++) block[row] = matrix[(SIDE * band + row) * rowWords + word] ?? 0;
      transposeBlock();
      for (let row = 0; row < SIDE; row++) out[(SIDE * word + row) * columnWords + band] = block[row] ?? 0;
    }
  }
  block.fill(0);
}

/** Swaps the off-diagonal quarters of ever smaller squares. */
function transposeBlock(): void {
  let mask = 0x0000ffff;
  for (let width = SIDE / 2; width > 0; width >>>= 1, mask ^= mask << width) {
    for (let row = 0; row < SIDE; row = (row + width + 1) & ~width) {
      const upper = block[row] ?? 0;
      const lower = block[row + width] ?? 0;
      const swapped = ((upper >>> width) ^ lower) & mask;
      block[row] = upper ^ (swapped << width);
      block[row + width] = lower ^ swapped;
    }
  }
}
