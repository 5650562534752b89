// What the page does: sends each image by itself, shows what comes back, and asks anew when the threshold moves.
// All sentences come from the server, so that they are the same as on the command line.

const AT_ONCE = 2;
const byId = (id) => document.getElementById(id);

const model = await (await fetch("api/model")).json();
const detectors = ["ensemble", ...Object.keys(model.weights)];
const images = [];
const order = { key: null, descending: false };
let threshold = model.operating_points.ensemble.default;
let query = "default"; // what the server knows the threshold by

// Building elements; text is only ever set as text.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const probability = (value) => value.toFixed(4);
const verdictOf = (image) => (image.p ? (image.p.ensemble >= threshold ? "fake" : "real") : null);

// The head: what model this is.

byId("members").textContent = detectors.slice(1).map((name) => model.titles[name]).join(", ");
byId("trained").textContent = model.trained_on;
byId("largest").textContent = `${Math.floor(model.largest / 2 ** 20)} MiB`;
byId("licence").textContent = `Licence of the model: ${model.licence}`;
byId("unlike").textContent = model.unlike_note;
byId("limit").replaceChildren(...model.limits.map((limit) => element("li", {}, limit)));
if (model.demonstration_note) {
  byId("demonstration").textContent = model.demonstration_note;
  byId("demonstration").hidden = false;
}

// The threshold.

const points = Object.entries(model.operating_points.ensemble).filter(([, value]) => value !== null);
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

// The table.

const columns = [
  ["image", "Image", (image) => image.name],
  ["verdict", "Verdict", (image) => verdictOf(image) ?? image.error ?? "…"],
  ...detectors.map((name) => [name, model.titles[name], (image) => image.p?.[name] ?? null]),
  ["unlike", "Unlike training", (image) => (image.p ? Number(image.unlike) : null)],
];
byId("head").append(
  element("th", { scope: "col" }, "Picture"),
  ...columns.map(([key, title]) => element("th", { scope: "col", "data-key": key }, element("button", { type: "button", onclick: () => sortBy(key) }, title))),
  element("th", { scope: "col" }, "More"),
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

function cellOf(image, name) {
  if (!image.p) return element("td", {}, "–");
  const value = image.p[name];
  if (name !== "ensemble") return element("td", {}, probability(value));
  return element("td", {}, element("strong", {}, probability(value)), element("progress", { value, max: 1, "aria-hidden": "true" }));
}

function rowOf(image) {
  const verdict = verdictOf(image);
  const more = element("button", { type: "button", "aria-expanded": String(image.open), "aria-label": `What it means: ${image.name}`, onclick: () => toggle(image) }, image.open ? "Less" : "More");
  image.row.replaceChildren(
    element("td", {}, image.picture),
    element("th", { scope: "row", class: "name" }, image.name),
    verdict ? element("td", { class: verdict }, verdict) : element("td", {}, image.error ? `not classified: ${image.error}` : "…"),
    ...detectors.map((name) => cellOf(image, name)),
    element("td", {}, image.p ? (image.unlike ? element("span", { class: "flag" }, "⚠ unlike") : "no") : "–"),
    element("td", {}, image.p ? more : ""),
  );
  return image.row;
}

function detailsOf(image) {
  const cell = element("td", { colspan: detectors.length + 5 }, element("p", {}, image.meaning));
  if (image.unlike) cell.append(element("p", {}, model.unlike_note));
  if (!model.explains) cell.append(element("p", { class: "small" }, `No heat map: ${model.explains_not_because}.`));
  else if (image.heat) {
    const caption = `Grad-CAM: bright spots speak the most for “${image.heatFor}”. It shows where the ensemble looks, not why.`;
    cell.append(element("figure", {}, image.heat, element("figcaption", { class: "small" }, caption)));
  } else {
    const label = image.looking ? "Looking… the first time takes a while" : "Show where the ensemble looks";
    const button = element("button", { type: "button", disabled: image.looking, onclick: () => explain(image) }, label);
    cell.append(element("p", {}, button, " ", element("span", { role: "status" }, image.heatError ?? "")));
  }
  return element("tr", { class: "more" }, cell);
}

function show() {
  byId("results").hidden = images.length === 0;
  const focused = document.activeElement?.closest?.("#rows tr");
  byId("rows").replaceChildren(...sorted().flatMap((image) => (image.open ? [rowOf(image), detailsOf(image)] : [rowOf(image)])));
  if (focused?.isConnected) focused.querySelector("button")?.focus();
}

function toggle(image) {
  image.open = !image.open;
  show();
  image.row.querySelector("button").focus();
}

async function explain(image) {
  const explained = verdictOf(image); // the slider may move meanwhile
  image.looking = true;
  show();
  try {
    const answer = await fetch(`api/explain?threshold=${encodeURIComponent(query)}`, { method: "POST", body: image.file, headers: kind });
    if (answer.ok) {
      image.heatFor = explained;
      image.heat = element("img", { src: URL.createObjectURL(await answer.blob()), alt: `Where the ensemble looks in ${image.name}` });
    } else image.heatError = (await answer.json()).detail;
  } catch {
    image.heatError = NO_ANSWER;
  }
  image.looking = false;
  show();
  image.row.querySelector("button")?.focus();
}

// Sending images, a few at a time.

const kind = { "Content-Type": "application/octet-stream" };
const queue = [];
const NO_ANSWER = "the server does not answer";
let sending = 0;

function add(files) {
  for (const file of files) {
    const picture = element("img", { src: URL.createObjectURL(file), alt: "", onerror: () => (picture.hidden = true) });
    const image = { name: file.name || "pasted image", file, picture, row: document.createElement("tr"), open: false, unlike: false, looking: false };
    images.push(image);
    queue.push(image);
  }
  show();
  tell();
  while (sending < AT_ONCE && queue.length) {
    sending += 1;
    send();
  }
}

async function send() {
  for (let image = queue.shift(); image; image = queue.shift()) {
    try {
      await classify(image);
    } catch {
      image.error = NO_ANSWER;
    }
    if (images.includes(image)) rowOf(image);
    tell();
  }
  sending -= 1;
  if (!waiting()) show();
}

async function classify(image) {
  if (image.file.size > model.largest) {
    image.error = `larger than ${byId("largest").textContent}`;
    return;
  }
  while (images.includes(image)) {
    const answer = await fetch(`api/classify?name=${encodeURIComponent(image.name.slice(0, 255))}`, { method: "POST", body: image.file, headers: kind });
    const result = await answer.json();
    if (answer.ok) {
      image.p = Object.fromEntries(detectors.map((name) => [name, result[name]]));
      Object.assign(image, { unlike: result.unlike_training, meaning: result.meaning });
      return;
    }
    if (answer.status !== 429 && answer.status !== 503) {
      image.error = result.detail;
      return;
    }
    await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
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
  if (left) byId("status").textContent = `${done} of ${images.length} images looked at`;
  else if (images.length) byId("status").textContent = `${done - failed} of ${images.length} images classified${failed ? `; ${failed} could not be` : ""}.`;
  else byId("status").textContent = "";
}

// How images come in, and how results leave.

byId("files").addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  byId("drop").classList.add("over");
});
for (const leaving of ["dragleave", "drop"]) addEventListener(leaving, () => byId("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => add(event.clipboardData.files));

byId("clear").addEventListener("click", () => {
  queue.length = 0;
  for (const image of images) for (const img of [image.picture, image.heat]) if (img) URL.revokeObjectURL(img.src);
  images.length = 0;
  show();
  tell();
  byId("files").focus();
});
byId("save").addEventListener("click", () => {
  const quoted = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const rows = sorted().map((image) => [image.name, ...detectors.map((name) => image.p?.[name]), verdictOf(image), threshold, image.p && image.unlike, image.error]);
  const header = ["image", ...detectors, "verdict", "threshold", "unlike_training", "error"];
  const text = [header, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "deepfake-ensemble.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
});

setThreshold(threshold, "default");
