// Opens a zip archive as `deepfake-ensemble predict` does: its table of contents is read and checked, its entries
// are unpacked one by one when their turn comes, and none to more bytes than it declares.

const RATIO = 1000; // unpacked bytes for each packed one; more is a decompression bomb
const MOST = 250_000; // entries
const TABLE = 64 * 2 ** 20; // bytes of the table of contents
// What DOS calls the bytes from 128 on.
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** Return the files in an archive: `name`, `size` in bytes, and `read`, which returns a Blob or throws an Error. */
export async function entriesOf(file, largest) {
  const end = await endOf(file);
  const table = await part(file, end.start, end.start + end.size);
  const found = [];
  for (let at = 0, number = 0; number < end.count; number += 1) {
    if (at + 46 > table.byteLength || table.getUint32(at, true) !== 0x02014b50) throw new Error("the zip archive is damaged");
    const [flags, method] = [table.getUint16(at + 8, true), table.getUint16(at + 10, true)];
    const [crc, packed, size] = [16, 20, 24].map((place) => table.getUint32(at + place, true));
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) => table.getUint16(at + place, true));
    const kind = (table.getUint32(at + 38, true) >>> 16) & 0xf000;
    const offset = table.getUint32(at + 42, true);
    if (at + 46 + nameLength > table.byteLength) throw new Error("the zip archive is damaged");
    const bytes = new Uint8Array(table.buffer, table.byteOffset + at + 46, nameLength);
    const name = nameOf(bytes, flags);
    at += 46 + nameLength + extraLength + commentLength;
    if (name.startsWith("/") || /^[A-Za-z]:/.test(name)) throw new Error(`${name} has an absolute path`);
    if (name.split("/").includes("..")) throw new Error(`${name} leads out of the archive`);
    if (size > RATIO * packed) throw new Error(`${name} grows more than ${RATIO}-fold when unpacked, like a decompression bomb`);
    found.push({ name, size, offset, end: offset + 30 + nameLength + packed });
    if (name.endsWith("/")) continue;
    const wrong =
      (flags & 1 && "is encrypted") ||
      (kind && kind !== 0x8000 && "is a link or a special file") ||
      (method !== 0 && method !== 8 && "is packed by an unusual method") ||
      (method === 0 && size !== packed && "declares two different sizes") ||
      (size > largest && `is larger than ${Math.floor(largest / 2 ** 20)} MiB`);
    found.at(-1).read = () => (wrong ? refuse(wrong) : unpacked(file, { offset, packed, size, method, crc }));
  }
  const inOrder = found.toSorted((one, other) => one.offset - other.offset);
  inOrder.forEach((entry, i) => {
    if (entry.end > (inOrder[i + 1]?.offset ?? end.start)) throw new Error(`${entry.name} overlaps what follows it`);
  });
  return found.filter((entry) => entry.read);
}

async function refuse(wrong) {
  throw new Error(`${wrong}; unpack the archive and drop the folder`);
}

async function part(file, from, to) {
  return new DataView(await file.slice(from, to).arrayBuffer());
}

async function endOf(file) {
  const start = Math.max(0, file.size - 22 - 65535);
  const tail = await part(file, start, file.size);
  for (let at = tail.byteLength - 22; at >= 0; at -= 1) {
    if (tail.getUint32(at, true) !== 0x06054b50) continue;
    const end = { count: tail.getUint16(at + 10, true), size: tail.getUint32(at + 12, true), start: tail.getUint32(at + 16, true) };
    if (end.count === 0xffff || end.start === 0xffffffff) throw new Error("a zip64 archive: unpack it, or use `deepfake-ensemble predict`");
    if (end.size > TABLE || end.count > MOST) throw new Error("its table of contents is too long");
    if (end.start + end.size > start + at) break;
    return end;
  }
  throw new Error("not a zip archive, or a damaged one");
}

function nameOf(bytes, flags) {
  let name;
  try {
    name = new TextDecoder("utf-8", { fatal: true }).decode(bytes); // macOS writes it and does not say so
  } catch {
    if (flags & 0x800) throw new Error("the zip archive is damaged: a name is not UTF-8");
    name = Array.from(bytes, (byte) => (byte < 128 ? String.fromCharCode(byte) : CP437[byte - 128])).join("");
  }
  name = name.replaceAll("\\", "/");
  const parts = name.split("/").filter((each) => each !== "" && each !== ".");
  return (name.startsWith("/") ? "/" : "") + parts.join("/") + (name.endsWith("/") ? "/" : "");
}

async function unpacked(file, { offset, packed, size, method, crc }) {
  const head = await part(file, offset, offset + 30);
  if (head.byteLength < 30 || head.getUint32(0, true) !== 0x04034b50) throw new Error("cannot be unpacked");
  const start = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const content = file.slice(start, start + packed);
  const stream = method === 0 ? content.stream() : content.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const chunks = [];
  let done = 0;
  try {
    for (const reader = stream.getReader(); ; ) {
      const { value, done: ended } = await reader.read();
      if (ended) break;
      done += value.length;
      if (done > size) {
        await reader.cancel();
        break;
      }
      chunks.push(value);
    }
  } catch {
    throw new Error("cannot be unpacked: it is damaged");
  }
  if (done !== size) throw new Error(`is ${done < size ? "shorter" : "longer"} than declared`);
  if (checksum(chunks) !== crc) throw new Error("fails its checksum");
  return new Blob(chunks);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});

function checksum(chunks) {
  let sum = 0xffffffff;
  for (const chunk of chunks) for (const byte of chunk) sum = CRC[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}
