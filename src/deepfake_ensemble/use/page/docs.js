// Shows the endpoints' description to people.

const api = await (await fetch("openapi.json")).json();
const here = new URL(".", location.href).href;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function callOf(path, method, operation) {
  const address = here.replace(/\/$/, "") + path;
  return operation.requestBody ? `curl --data-binary @photo.jpg '${address}'` : `curl '${address}'`;
}

function typeOf(schema) {
  if (schema.enum) return schema.enum.join(" | ");
  return [schema.type].flat().join(" or ");
}

function table(head, rows) {
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
  const made = element("table", {}, element("thead", {}, cells("th", head)), element("tbody", {}, ...rows.map((row) => cells("td", row))));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": head[0] }, made);
}

document.getElementById("summary").textContent = `${api.info.title} ${api.info.version}. ${api.info.description}`;
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const section = element("section", { class: "endpoint" });
    section.append(element("h2", {}, `${method.toUpperCase()} ${path}`), element("p", {}, `${operation.summary}.`));
    section.append(element("pre", { tabindex: "0" }, callOf(path, method, operation)));
    if (operation.requestBody) section.append(element("p", {}, operation.requestBody.description));
    const parameters = (operation.parameters ?? []).map((it) => [it.name, typeOf(it.schema), String(it.schema.default ?? ""), it.description]);
    if (parameters.length) section.append(table(["Parameter", "Type", "Default", "What it is"], parameters));
    const fields = operation.responses["200"].content["application/json"]?.schema.properties;
    if (fields) section.append(table(["Field of the answer", "Type"], Object.entries(fields).map(([name, schema]) => [name, typeOf(schema)])));
    section.append(table(["Status", "Meaning"], Object.entries(operation.responses).map(([code, it]) => [code, it.description])));
    document.getElementById("endpoints").append(section);
  }
}
