// Shows /api/openapi.json. Text goes into the page as text only.

const METHODS = ["get", "post", "put", "delete"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Words between backticks are code.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

function resolve(api, schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.split("/").slice(1).reduce((at, key) => at[key], api);
}

function typeOf(api, schema) {
  const alternatives = schema?.oneOf ?? schema?.anyOf;
  if (alternatives && !alternatives.every((it) => it.const !== undefined)) {
    return [...new Set(alternatives.map((it) => typeOf(api, it)))].join(" or ");
  }
  const real = resolve(api, schema);
  const values = real.enum ?? real.oneOf?.map((it) => it.const ?? it.enum?.[0]);
  if (values?.every((it) => it !== undefined)) return values.map((it) => JSON.stringify(it)).join(" | ");
  if (Array.isArray(real.type)) return real.type.join(" or ");
  if (real.type === "array") return `${typeOf(api, real.items)}[]`;
  return real.format === "date-time" ? "date-time" : (real.type ?? "any");
}

// A value of this shape, to show what it looks like.
function sample(api, schema, depth = 0) {
  const real = resolve(api, schema);
  const example = schema?.example ?? real.example ?? real.examples?.[0];
  if (example !== undefined) return example;
  if (depth > 5) return null;
  const first = (real.oneOf ?? real.anyOf)?.find((it) => it.type !== "null");
  if (first) return first.const ?? first.enum?.[0] ?? sample(api, first, depth + 1);
  if (real.enum) return real.enum[0];
  const type = Array.isArray(real.type) ? real.type.find((it) => it !== "null") : real.type;
  switch (type) {
    case "object":
      return Object.fromEntries(Object.entries(real.properties ?? {})
        .map(([key, value]) => [key, sample(api, value, depth + 1)]));
    case "array": return [sample(api, real.items, depth + 1)];
    case "integer": case "number": return real.minimum ?? 2;
    case "boolean": return true;
    case "string": return real.format === "date-time" ? "2026-05-04T10:00:00Z" : "…";
    default: return null;
  }
}

function fields(api, schema) {
  const real = resolve(api, schema);
  const entries = Object.entries(real.properties ?? {});
  if (!entries.length) return null;
  const list = element("dl");
  for (const [name, property] of entries) {
    const isRequired = real.required?.includes(name);
    const named = property.oneOf?.find((it) => it.$ref);
    const about = property.description ?? resolve(api, named ?? property).description ?? "";
    list.append(
      element("dt", {}, name, " ", element("small", {}, typeOf(api, property) + (isRequired ? "" : " · may be absent"))),
      element("dd", {}, ...prose(about)),
    );
  }
  return list;
}

function shape(api, content) {
  const schema = content?.["application/json"]?.schema;
  if (!schema) return [];
  const text = JSON.stringify(sample(api, schema), null, 2);
  return [element("pre", { tabindex: "0" }, element("code", {}, text)), fields(api, schema)];
}

function access(operation) {
  const schemes = operation.security ?? [];
  const isOpen = schemes.length === 0 || schemes.some((it) => Object.keys(it).length === 0);
  const names = schemes.flatMap((it) => Object.keys(it));
  if (isOpen) return names.length ? "Open. A token or the key shows more." : "Open.";
  return names.includes("token") ? "Needs a host's token, or the key." : "Needs the key.";
}

function article(api, path, method, operation) {
  const made = element("article", { id: operation.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()), element("code", {}, path)),
    element("p", {}, ...prose(operation.summary ?? "")),
    operation.description ? element("p", { class: "access" }, ...prose(operation.description)) : null,
    element("p", { class: "access" }, access(operation)));
  if (operation.parameters?.length) {
    const list = element("dl");
    for (const it of operation.parameters) {
      list.append(
        element("dt", {}, it.name, " ", element("small", {}, `${typeOf(api, it.schema)}, in the ${it.in}`)),
        element("dd", {}, ...prose(it.description ?? "")));
    }
    made.append(element("h4", {}, "Parameters"), list);
  }
  if (operation.requestBody) {
    made.append(element("h4", {}, "Body"));
    made.append(...shape(api, operation.requestBody.content).filter(Boolean));
  }
  made.append(element("h4", {}, "Answers"));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const isGood = status.startsWith("2");
    const details = element("details", { class: isGood ? "ok" : "bad" },
      element("summary", {}, element("b", {}, status), " ", ...prose(answer.description)),
      ...shape(api, answer.content));
    if (isGood) details.open = true;
    made.append(details);
  }
  return made;
}

function show(api) {
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").append(...prose(api.info.description));
  const contents = document.getElementById("contents");
  const operations = document.getElementById("operations");
  operations.replaceChildren();
  for (const tag of api.tags) {
    const section = element("section", {}, element("h2", {}, tag.name), element("p", {}, tag.description));
    contents.append(element("h2", {}, tag.name));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((it) => item[it]?.tags?.includes(tag.name))) {
        section.append(article(api, path, method, item[method]));
        contents.append(element("a", { href: `#${item[method].operationId}` },
          element("span", { class: `method ${method}` }, method.toUpperCase()),
          element("span", {}, path.replace("/api", ""))));
      }
    }
    operations.append(section);
  }
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  show(await answer.json());
} catch (error) {
  document.getElementById("state").textContent = `The description cannot be shown: ${error.message}`;
}
