// What the page does: sends each image by itself, shows what comes back, and asks anew when the threshold moves.
// All sentences come from the server, so that they are the same as on the command line.

import { entriesOf } from "./zip.js";

const AT_ONCE = 2;
const MANY = 12; // images from which on they are shown in a table
const PREVIEW = 512; // pixels of a picture's longer side
const byId = (id) => document.getElementById(id);

const model = await (await fetch("api/model")).json();
const rules = model.passing_over;
const decides = model.detectors.at(-1);
const members = Object.keys(model.weights);
const detectors = [decides, ...members.filter((name) => name !== decides)];
const isAlone = members.length === 1; // an ensemble of one member is no ensemble
const looking = `the ${isAlone ? "detector" : "ensemble"} looks`;
const images = [];
const passedOver = {};
const order = { key: null, descending: false };
let asTable = null; // until somebody chooses, as many as there are decide
let threshold = model.operating_points[decides].default;
let query = "default"; // what the server knows the threshold by

// Building elements; text is only ever set as text.

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const probability = (value) => value.toFixed(4);
const verdictOf = (image) => (image.p ? (image.p[decides] >= threshold ? "fake" : "real") : null);
// Models that only show that everything works colour nothing.
const shadeOf = (image) => (model.demonstration ? "none" : (verdictOf(image) ?? "none"));
const wordsOf = (image) => (model.demonstration ? "demonstration: no verdict" : `called ${verdictOf(image)}`);
/** Return the faces of an image, each like an image of its own; none if they were not looked for. */
const facesOf = (image) => image.faces ?? [];
const ofSeveral = (image) => (facesOf(image).length > 1 ? `, of ${facesOf(image).length} faces the one most likely fake` : "");

// The head: what model this is.

byId("members").textContent = (isAlone ? "" : "ensemble of ") + members.map((name) => model.titles[name]).join(", ");
byId("trained").textContent = model.trained_on;
byId("files").accept = ["image/*", ...rules.taken, ".zip"].join();
byId("largest").textContent = `${Math.floor(model.largest / 2 ** 20)} MiB`;
byId("licence").textContent = `Licence of the model: ${model.licence}`;
byId("unlike").replaceChildren(...model.unlike_notes.map((note) => element("p", {}, note)));
byId("limit").replaceChildren(...model.limits.map((limit) => element("li", {}, limit)));
for (const id of ["demonstration", "changed"]) {
  byId(id).textContent = model[`${id}_note`] ?? "";
  byId(id).hidden = !model[`${id}_note`];
}

for (const example of [...byId("examples").children]) if (model.faces !== ("face" in example.dataset)) example.remove(); // none that it cannot answer

// The threshold.

const points = Object.entries(model.operating_points[decides]).filter(([, value]) => value !== null);
const pointTitles = {
  default: "default",
  youden: "best balance on validation (Youden)",
  fpr_1_percent: "1 % of real images called fake on validation",
  fpr_1_permille: "0.1 % of real images called fake on validation",
};
byId("point").append(
  ...points.map(([name, value]) => element("option", { value: name }, `${pointTitles[name] ?? name}: ${value.toFixed(3)}`)),
  element("option", { value: "" }, "set by the slider"),
);

let lastAsked = 0;
async function setThreshold(value, name) {
  threshold = value;
  query = name || value.toFixed(2);
  byId("threshold").value = value;
  byId("point").value = name;
  byId("shown").textContent = value.toFixed(name === "" ? 2 : 3);
  byId("threshold").setAttribute("aria-valuetext", `called fake from ${value.toFixed(2)} on`);
  show();
  const asked = ++lastAsked;
  const answer = await fetch(`api/rule?threshold=${encodeURIComponent(query)}`);
  const rule = await answer.json();
  if (asked === lastAsked) byId("errors").replaceChildren(...(rule.sentences ?? [rule.detail]).map((text) => element("li", {}, text)));
}
byId("point").addEventListener("change", (event) => {
  const found = points.find(([name]) => name === event.target.value);
  if (found) setThreshold(found[1], found[0]);
  else setThreshold(Number(byId("threshold").value), "");
});
byId("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value), ""));

// Results as cards: one answers what most ask, and the rest is folded into it.

function barOf(value, shade) {
  const bar = drawn("svg", { class: `bar ${shade}`, viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  bar.append(drawn("rect", { class: "ground", width: 100, height: 10 }), drawn("rect", { class: "reach", width: 100 * value, height: 10 }));
  bar.append(drawn("line", { class: "from", x1: 100 * threshold, x2: 100 * threshold, y1: -2, y2: 12 }));
  return bar;
}

function cardOf(image) {
  image.card ??= element("li", { class: "card" });
  const answer = element("div", { class: "answer" });
  if (image.p) {
    const { p } = image;
    const shade = shadeOf(image);
    const unlike = image.unlike.length ? element("p", {}, flagOf(image)) : null;
    const several = facesOf(image).length > 1;
    answer.append(
      element("p", { class: `verdict ${shade}` }, wordsOf(image)[0].toUpperCase() + wordsOf(image).slice(1)),
      element("h3", { class: "name" }, image.name),
      element("p", {}, "P(fake) ", element("strong", {}, p[decides].toFixed(2)), `${ofSeveral(image)}; called fake from ${threshold.toFixed(2)} on`),
      barOf(p[decides], shade),
      ...[unlike, image.note && element("p", { class: "small" }, `Its file: ${image.note}.`), several && faceCards(image), statementsOf(image), lookOf(image), foldedOf(image)].filter(Boolean),
    );
  } else {
    const words = image.error ? "Not classified" : "…";
    answer.append(element("p", { class: "verdict none" }, words), element("h3", { class: "name" }, image.name));
    if (image.error) answer.append(element("p", {}, `${image.error}.`));
    if (image.error?.startsWith(model.no_face)) answer.append(element("p", {}, element("button", { type: "button", onclick: () => insist(image) }, "Classify the whole image")));
  }
  image.card.replaceChildren(...[pictureOf(image), heatOf(image), answer].filter(Boolean));
  return image.card;
}

function pictureOf(image) {
  if (!image.picture) return null;
  const figure = element("figure", { class: "picture" }, element("img", { src: image.picture, alt: "" }));
  if (facesOf(image).length) figure.append(boxesOn(image));
  return figure;
}

/** Draw the faces' boxes over an image, numbered where there are several. */
function boxesOn(image) {
  const [width, height] = image.shape;
  const faces = facesOf(image);
  const text = Math.max(width, height) / 12;
  const boxes = drawn("svg", { class: "boxes", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const [number, face] of faces.entries()) {
    const [left, top, right, bottom] = face.box;
    boxes.append(drawn("rect", { class: shadeOf(face), x: left, y: top, width: right - left, height: bottom - top }));
    if (faces.length > 1) boxes.append(drawn("text", { x: left, y: Math.max(top, text), "font-size": text }, String(number + 1)));
  }
  return boxes;
}

/** Return a card for each face of an image that has several. */
function faceCards(image) {
  const cards = element("ol", { class: "faces", "aria-label": `Faces in ${image.name}` });
  for (const face of facesOf(image)) {
    const shade = shadeOf(face);
    const words = element("p", {}, element("strong", { class: shade }, wordsOf(face)), `, P(fake) ${face.p[decides].toFixed(2)}`);
    if (face.unlike.length) words.append(" ", flagOf(face));
    cards.append(element("li", {}, words, barOf(face.p[decides], shade)));
  }
  return element("div", {}, cards, element("p", { class: "small" }, model.several_note));
}

const flagOf = (image) => element("span", { class: "flag" }, `⚠ unlike training: ${image.unlike.join(", ")}`);
const statedIn = (statement) => `${statement.text} (${statement.place})`;

/** Return what a file says of its making, beside the verdict and apart from it. */
function statementsOf(image) {
  if (!image.statements?.length) return null;
  const list = element("ul", {}, ...image.statements.map((statement) => element("li", {}, statedIn(statement))));
  return element("div", { class: "statements" }, element("p", {}, "Its file says of itself:"), list, element("p", { class: "small" }, model.statements_note));
}

function heatOf(image) {
  if (!image.heat) return null;
  const picture = element("img", { src: image.heat, alt: `Where ${looking} in ${image.name}` });
  const caption = `Grad-CAM: bright spots speak the most for “${image.heatFor}”. It shows where ${looking}, not why.`;
  return element("figure", { class: "heat" }, picture, element("figcaption", { class: "small" }, caption));
}

function lookOf(image) {
  if (!model.explains || image.heat) return null;
  const label = image.looking ? "Looking… the first time takes a while" : `Show where ${looking}`;
  const button = element("button", { type: "button", class: "look", disabled: image.looking, onclick: () => explain(image) }, label);
  return element("p", {}, button, " ", element("span", { role: "status" }, image.heatError ?? ""));
}

function foldedOf(image) {
  const told = element("dl", {});
  for (const name of detectors) {
    told.append(element("dt", {}, model.titles[name]), element("dd", {}, probability(image.p[name])), element("dd", {}, barOf(image.p[name], "none")));
  }
  const folded = element("details", { open: image.open, ontoggle: (event) => (image.open = event.target.open) });
  folded.append(element("summary", {}, isAlone ? "What it means" : "What it means, and each detector"), element("p", {}, image.meaning), told);
  if (image.unlike.length) folded.append(...model.unlike_notes.map((note) => element("p", {}, note)));
  if (!model.explains) folded.append(element("p", { class: "small" }, `No heat map: ${model.explains_not_because}.`));
  return folded;
}

// Results as a table, for many.

const columns = [
  ["image", "Image", (image) => image.name],
  ["verdict", "Verdict", (image) => (image.p ? wordsOf(image) : (image.error ?? "…"))],
  ...detectors.map((name) => [name, model.titles[name], (image) => image.p?.[name] ?? null]),
  ["unlike", "Unlike training", (image) => (image.p ? image.unlike.length : null)],
];
byId("head").append(
  element("th", { scope: "col" }, "Picture"),
  ...columns.map(([key, title]) => element("th", { scope: "col", "data-key": key }, element("button", { type: "button", onclick: () => sortBy(key) }, title))),
);

function sortBy(key) {
  order.descending = order.key === key && !order.descending;
  order.key = key;
  for (const head of byId("head").querySelectorAll("[data-key]")) {
    if (head.dataset.key === key) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  show();
}

function sorted() {
  if (order.key === null) return images;
  const value = columns.find(([key]) => key === order.key)[2];
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
  return images.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return (a === null) - (b === null); // what failed comes last, either way
    return order.descending ? compare(b, a) : compare(a, b);
  });
}

function rowOf(image) {
  image.row ??= element("tr");
  const cells = detectors.map((name) => element("td", {}, image.p ? probability(image.p[name]) : "–"));
  image.row.replaceChildren(
    element("td", {}, image.picture ? element("img", { src: image.picture, alt: "" }) : ""),
    element("th", { scope: "row", class: "name" }, image.name),
    element("td", { class: shadeOf(image) }, image.p ? wordsOf(image) + ofSeveral(image) : image.error ? `not classified: ${image.error}` : "…"),
    ...cells,
    element("td", {}, image.p ? (image.unlike.length ? flagOf(image) : "no") : "–"),
  );
  return image.row;
}

function inTable() {
  return asTable ?? images.length >= MANY;
}

function show() {
  const table = inTable();
  document.body.classList.toggle("answered", images.length > 0);
  byId("results").hidden = images.length === 0;
  byId("cards").hidden = table;
  byId("list").hidden = !table;
  byId("view").setAttribute("aria-pressed", String(table));
  byId("cards").replaceChildren(...(table ? [] : sorted().map(cardOf)));
  byId("rows").replaceChildren(...(table ? sorted().map(rowOf) : []));
}

function update(image) {
  if (images.includes(image)) (inTable() ? rowOf : cardOf)(image);
}

byId("view").addEventListener("click", () => {
  asTable = !inTable();
  show();
});

/** Classify an image in which no face was found as it is. */
function insist(image) {
  Object.assign(image, { whole: true, error: null });
  queue.push(image);
  update(image);
  start();
}

async function explain(image) {
  const explained = verdictOf(image); // the slider may move meanwhile
  image.looking = true;
  update(image);
  try {
    const answer = await post(`api/explain?threshold=${encodeURIComponent(query)}${partOf(image)}`, await image.read());
    if (answer.ok) {
      image.heatFor = explained;
      image.heat = URL.createObjectURL(await answer.blob());
    } else image.heatError = (await answer.json()).detail;
  } catch (error) {
    image.heatError = error.message;
  }
  image.looking = false;
  update(image);
  (image.card?.querySelector(".look") ?? image.card?.querySelector("summary"))?.focus();
}

// Sending images, a few at a time.

const queue = [];
let sending = 0;

/** Send bytes; where that fails, it is the server that does not answer. */
async function post(address, bytes) {
  try {
    return await fetch(address, { method: "POST", body: bytes, headers: { "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Error("the server does not answer");
  }
}

/** Add images, each with a name and a function `read` that returns its bytes. */
function add(found) {
  for (const { name, size, read } of found) {
    const image = { name, size, read, unlike: [], looking: false, open: false };
    images.push(image);
    queue.push(image);
  }
  show();
  start();
}

function start() {
  tell();
  while (sending < AT_ONCE && queue.length) {
    sending += 1;
    send();
  }
}

/** Return what a request says of the part of an image that is classified. */
const partOf = (image) => (image.whole ? "&faces=whole" : "");
const probabilities = (result) => Object.fromEntries(detectors.map((name) => [name, result[name]]));

async function send() {
  for (let image = queue.shift(); image; image = queue.shift()) {
    try {
      await classify(image);
    } catch (error) {
      image.error = error.message;
    }
    update(image);
    tell();
  }
  sending -= 1;
  if (!waiting() && order.key !== null) show(); // what came last has its place in the order, too
}

async function classify(image) {
  if (image.size > model.largest) throw new Error(`larger than ${byId("largest").textContent}`);
  const bytes = await image.read();
  const name = encodeURIComponent(Array.from(image.name.toWellFormed()).slice(-255).join(""));
  while (images.includes(image)) {
    const answer = await post(`api/classify?name=${name}${partOf(image)}`, bytes);
    const result = await answer.json();
    if (answer.ok) {
      image.p = probabilities(result);
      Object.assign(image, { unlike: result.unlike_by, meaning: result.meaning, note: result.note, statements: result.statements, shape: result.size });
      image.faces = result.faces?.map((face) => ({ box: face.box, p: probabilities(face), unlike: face.unlike_by }));
      update(image);
      image.picture ??= await preview(bytes);
      return;
    }
    if (answer.status !== 429 && answer.status !== 503) {
      if (result.detail.startsWith(model.no_face)) image.picture = await preview(bytes); // to choose by
      throw new Error(result.detail);
    }
    await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
  }
}

/** Return the address of a small picture: thousands of large ones would not fit into memory. */
async function preview(bytes) {
  try {
    const whole = await createImageBitmap(new Blob([bytes]));
    const scale = Math.min(1, PREVIEW / Math.max(whole.width, whole.height));
    const canvas = new OffscreenCanvas(Math.max(1, whole.width * scale), Math.max(1, whole.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    whole.close();
    return URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }));
  } catch {
    const answer = await post("api/picture", bytes).catch(() => null); // HEIC, say, which few browsers read
    return answer?.ok ? URL.createObjectURL(await answer.blob()) : null;
  }
}

function waiting() {
  return images.filter((image) => !image.p && !image.error).length;
}

function tell() {
  const left = waiting();
  const done = images.length - left;
  const failed = images.filter((image) => image.error).length;
  byId("progress").hidden = left === 0;
  byId("progress").max = Math.max(images.length, 1);
  byId("progress").value = done;
  const kinds = Object.keys(rules.plurals).filter((kind) => passedOver[kind]);
  const beside = kinds.map((kind) => `${passedOver[kind]} ${passedOver[kind] === 1 ? kind : rules.plurals[kind]}`).join(", ");
  const looked = left ? `${done} of ${images.length} images looked at` : `${done - failed} of ${images.length} images classified${failed ? `; ${failed} could not be` : ""}.`;
  byId("status").textContent = [images.length ? looked : "", beside && `Passed over: ${beside}.`].filter(Boolean).join(" ");
}

// How images come in: as files, as folders, in zip archives.

const UNREADABLE = "your browser cannot read this file: it was moved, or may not be opened";

function fileAs(name, file) {
  const read = () =>
    file.arrayBuffer().catch(() => {
      throw new Error(UNREADABLE);
    });
  return { name, size: file.size, read };
}

function failure(name, reason) {
  return { name, size: 0, read: () => Promise.reject(new Error(reason)) };
}

/** Return whether a file of a folder or an archive is an image; what is not is counted by kind. */
function taken(path) {
  const parts = path.split("/");
  const side = Object.entries(rules.side_files).find(([, pattern]) => {
    const whole = new RegExp(`^(?:${pattern})$`, "s");
    return parts.some((part) => whole.test(part.toLowerCase()));
  });
  const name = parts.at(-1).toLowerCase();
  if (!side && rules.taken.some((suffix) => name.endsWith(suffix))) return true;
  const suffix = name.includes(".") ? name.slice(name.lastIndexOf(".")) : "";
  const kind = side?.[0] ?? rules.by_suffix[suffix] ?? rules.other;
  passedOver[kind] = (passedOver[kind] ?? 0) + 1;
  return false;
}

async function inArchive(name, file) {
  try {
    const entries = await entriesOf(file, model.largest);
    const found = entries.filter((entry) => taken(entry.name)).map((entry) => ({ ...entry, name: `${name}/${entry.name}` }));
    return found.length ? found : [failure(name, "no file in this archive ends like an image that is read")];
  } catch (error) {
    return [failure(name, error instanceof DOMException ? UNREADABLE : error.message)];
  }
}

async function addFiles(files) {
  const found = [];
  for (const [name, file] of files) found.push(...(name.toLowerCase().endsWith(".zip") ? await inArchive(name, file) : [fileAs(name, file)]));
  add(found);
}

/** Return the files below what was dropped, by their paths. */
async function below(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [[path, await new Promise((done, failed) => entry.file(done, failed))]];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // a hundred at a time
    if (!some.length) break;
    for (const each of some) found.push(...(await below(each)));
  }
  return found;
}

async function addDropped(entries) {
  for (const entry of entries) {
    try {
      const files = await below(entry);
      if (entry.isFile) await addFiles(files);
      else addFolder(entry.name, files);
    } catch {
      add([failure(entry.name, UNREADABLE)]);
    }
  }
}

function addFolder(name, files) {
  const found = files.filter(([path]) => taken(path.slice(path.indexOf("/") + 1))).sort(([a], [b]) => (a < b ? -1 : 1));
  add(found.length ? found.map(([path, file]) => fileAs(path, file)) : [failure(name, "no file in this folder ends like an image that is read")]);
}

byId("files").addEventListener("change", (event) => {
  addFiles(Array.from(event.target.files, (file) => [file.name, file]));
  event.target.value = "";
});
byId("folder").addEventListener("change", (event) => {
  const files = Array.from(event.target.files, (file) => [file.webkitRelativePath, file]);
  if (files.length) addFolder(files[0][0].split("/")[0], files);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("drop").classList.add("over");
});
for (const leaving of ["dragleave", "drop"]) addEventListener(leaving, () => byId("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  const { items, files } = event.dataTransfer;
  const entries = Array.from(items, (item) => (item.kind === "file" ? item.webkitGetAsEntry?.() : null)).filter(Boolean);
  if (entries.length) addDropped(entries);
  else addFiles(Array.from(files, (file) => [file.name, file]));
});
addEventListener("paste", (event) => addFiles(Array.from(event.clipboardData.files, (file) => [file.name || "pasted image", file])));
byId("examples").addEventListener("click", async (event) => {
  const { name } = event.target.closest("button")?.dataset ?? {};
  if (!name) return;
  const read = async () => (await fetch(`examples/${name}`)).arrayBuffer();
  add([{ name, size: 0, read }]);
});

// How results leave.

byId("clear").addEventListener("click", () => {
  queue.length = 0;
  for (const image of images) for (const address of [image.picture, image.heat]) if (address) URL.revokeObjectURL(address);
  images.length = 0;
  for (const kind of Object.keys(passedOver)) delete passedOver[kind];
  show();
  tell();
  byId("files").focus();
});
byId("save").addEventListener("click", () => {
  const quoted = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const rows = sorted().map((image) => [image.name, ...detectors.map((name) => image.p?.[name]), verdictOf(image), threshold, image.p && image.unlike.length > 0, image.unlike.join("; "), model.demonstration, image.note, image.statements?.map(statedIn).join("; "), image.error]);
  const header = ["image", ...detectors, "verdict", "threshold", "unlike_training", "unlike_by", "demonstration", "note", "statements", "error"];
  const text = [header, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "deepfake-ensemble.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
});

setThreshold(threshold, "default");
