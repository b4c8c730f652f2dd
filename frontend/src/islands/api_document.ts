// The parts of an OpenAPI document that the form needs, and a request made of them.

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  example?: unknown;
  schema: { type?: string | string[]; enum?: unknown[]; examples?: unknown[]; minimum?: number };
}

interface Reference {
  $ref: string;
}

interface Media {
  schema?: { examples?: unknown[] } | Reference;
  example?: unknown;
}

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  parameters?: (Parameter | Reference)[];
  requestBody?: { content: Record<string, Media> };
}

export interface Document {
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation> & { parameters?: (Parameter | Reference)[] }>;
  components: Record<string, Record<string, unknown>>;
}

export interface Entry {
  id: string;
  method: string;
  path: string;
  area: string;
  operation: Operation;
  parameters: Parameter[];
}

const METHODS = ["get", "post", "patch", "put", "delete"];

function resolved<T>(document: Document, value: T | Reference): T {
  if (typeof value !== "object" || value === null || !("$ref" in value)) return value as T;
  const [, , kind = "", name = ""] = value.$ref.split("/");
  return document.components[kind]?.[name] as T;
}

/** Every operation but HEAD, which is GET without its body. */
export function entries(document: Document): Entry[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method) => {
      const operation = item[method] as Operation;
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])];
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        area: operation.tags[0] ?? "",
        operation,
        parameters: parameters.map((parameter) => resolved<Parameter>(document, parameter)),
      };
    }),
  );
}

/** A body that the operation may take, as text. */
export function example(document: Document, media: Media | undefined): string {
  const value = media?.example ?? resolved<{ examples?: unknown[] }>(document, media?.schema ?? {}).examples?.[0];
  return JSON.stringify(value ?? {}, null, 2);
}

export interface Call {
  method: string;
  url: string;
  headers: [string, string][];
  body: string | undefined;
}

/** Keeps readable what may stand in a query as it is. */
const encoded = (text: string): string => encodeURIComponent(text).replace(/%(24|2C|2F|3A|3B|40)/g, (found) => decodeURIComponent(found));

export function call(entry: Entry, values: Map<string, string>, origin: string): Call {
  let path = entry.path;
  const query: string[] = [];
  const headers: [string, string][] = [];
  for (const parameter of entry.parameters) {
    const value = values.get(`${parameter.in} ${parameter.name}`) ?? "";
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, value ? encodeURIComponent(value).replace(/%40/g, "@") : `{${parameter.name}}`);
    else if (!value) continue;
    else if (parameter.in === "query") query.push(`${parameter.name}=${encoded(value)}`);
    else headers.push([parameter.name, value]);
  }
  return { method: entry.method, url: origin + path + (query.length ? `?${query.join("&")}` : ""), headers, body: undefined };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The call as a line for a shell; the key is left for the reader to put in. */
export function curl(request: Call, key: string): string {
  const parts = ["curl"];
  if (request.method !== "GET") parts.push("-X", request.method);
  parts.push(quoted(request.url));
  if (key) parts.push("-H", quoted(`Authorization: Bearer <${key}>`));
  for (const [name, value] of request.headers) parts.push("-H", quoted(`${name}: ${value}`));
  if (request.body !== undefined) parts.push("--data-binary", quoted(request.body));
  return parts.join(" ");
}

/** JSON with line breaks, its numbers exactly as they came; anything else as it is. */
export function pretty(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  const line = (): string => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[^\s"[\]{},:]+|[[\]{},:]/g) ?? [];
  return tokens
    .map((token, index) => {
      const next = tokens[index + 1];
      if (token === "{" || token === "[") {
        depth += 1;
        return next === "}" || next === "]" ? token : token + line();
      }
      if (token === "}" || token === "]") {
        depth -= 1;
        const before = tokens[index - 1];
        return before === "{" || before === "[" ? token : line() + token;
      }
      return token === "," ? token + line() : token === ":" ? ": " : token;
    })
    .join("");
}
