// Writes limits.json: inputs at and beyond limits, most too large to write out. Made from docs/protocol.md alone, with no
// library but SHA-256: `node tests/vectors/limits.mjs`. The same bytes each time.
//
// The bytes of a case: `head`, then `fill` `count` times, then `tail`. `reason` null: it is accepted.

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const cid = (codec, block) => Buffer.concat([Buffer.from([1, codec, 0x12, 0x20]), sha256(block)]);

function varint(number) {
  const bytes = [];
  for (; number >= 0x80; number = Math.floor(number / 0x80)) bytes.push((number % 0x80) | 0x80);
  return Buffer.from([...bytes, number]);
}

// {roots: [root], version: 1}
function header(root) {
  const link = Buffer.concat([Buffer.from([0xd8, 0x2a, 0x58, 0x25, 0]), root]);
  const map = Buffer.concat([
    Buffer.from([0xa2, 0x65]), Buffer.from("roots"), Buffer.from([0x81]), link,
    Buffer.from([0x67]), Buffer.from("version"), Buffer.from([1]),
  ]);
  return Buffer.concat([varint(map.length), map]);
}

const section = (name, block) => Buffer.concat([varint(36 + block.length), name, block]);

function carOf(count) {
  const blocks = Array.from({ length: count }, (_, n) => Buffer.from([n]));
  const sections = blocks.map((block) => section(cid(0x71, block), block));
  return Buffer.concat([header(cid(0x71, blocks[0])), ...sections]);
}

const cases = [];
const add = (decoder, what, reason, { head = "", fill = "", count = 0, tail = "", base } = {}) =>
  cases.push({ name: `${decoder}/limit-${cases.length}`, what, decoder, base, head, fill, count, tail, reason });

add("car", "64 blocks", null, { head: hex(carOf(64)) });
add("car", "65 blocks", "car-too-many-blocks", { head: hex(carOf(65)) });
for (const [bytes, reason] of [[4_194_304, null], [4_194_305, "car-too-large"]]) {
  const length = bytes - 59 - 4 - 36;
  const name = cid(0x71, Buffer.alloc(length));
  const head = Buffer.concat([header(name), varint(36 + length), name]);
  if (head.length + length !== bytes) throw new Error(`${head.length + length} bytes`);
  add("car", `${bytes} bytes`, reason, { head: hex(head), fill: "00", count: length });
}
add("envelope", "65,537 bytes", "envelope-too-large", { fill: "a2", count: 65_537 });
add("envelope", "65,536 bytes that are none", "envelope-layout", { fill: "a2", count: 65_536 });
const base = "block:order/committed:parties";
add("open:order/committed:parties", "a block of 262,145 bytes", "sealed-too-large", { base, fill: "00", count: 262_145 });
add("open:order/committed:parties", "a block of 262,144 bytes", "sealed-other-block", { base, fill: "00", count: 262_144 });
add("open:order/committed:parties", "a block of no bytes", "sealed-other-block", { base });
add("cid-text", "a megabyte of text", "cid-text", { fill: "62", count: 1_048_576 });
add("cid-text", "59 characters that are no base32", "cid-text", { head: hex(Buffer.from("b")), fill: "31", count: 58 });
add("cbor", "eight lists inside each other", null, { fill: "81", count: 7, tail: "80" });
add("cbor", "nine lists inside each other", "cbor-too-deep", { fill: "81", count: 8, tail: "80" });
add("cbor", "a million lists inside each other", "cbor-too-deep", { fill: "81", count: 1_000_000, tail: "80" });
add("cbor", "a million maps inside each other", "cbor-too-deep", { fill: "a16161", count: 1_000_000, tail: "a0" });
add("cbor", "2^53 - 1", null, { head: "1b001fffffffffffff" });
add("cbor", "text of a megabyte", null, { head: "7a00100000", fill: "61", count: 1_048_576 });
add("cbor", "text of a megabyte and a byte less", "cbor-truncated", { head: "7a00100000", fill: "61", count: 1_048_575 });
add("cbor", "a million nulls in a list", null, { head: "9a000f4240", fill: "f6", count: 1_000_000 });
add("cbor", "a million nulls in a list that ends early", "cbor-truncated", { head: "9a000f4241", fill: "f6", count: 1_000_000 });
add("cbor", "a link in a link's tag", "cbor-invalid-link", { fill: "d82a", count: 100, tail: "40" });

const file = new URL("limits.json", import.meta.url);
writeFileSync(file, `[\n${cases.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
console.log(`${cases.length} cases`);
