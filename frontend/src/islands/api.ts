// The form on /api/: pick an operation, fill in its parameters, see the request, send it, see the answer.
// A small island of our own: the ready-made ones bring styles inside the page, which its content policy forbids.
import { type Document, type Entry, type Parameter, call, curl, entries, example, pretty } from "./api_document";
import { word } from "../words";

const SHOWN = 200_000; // characters of an answer
const STREAM = 6_000; // milliseconds that a stream without end is listened to

const section = document.querySelector<HTMLElement>("[data-api]");

function part<T extends HTMLElement>(name: string): T {
  const found = section?.querySelector<T>(`[data-${name}]`);
  if (!found) throw new Error(`the page has no ${name}`);
  return found;
}

function element<K extends keyof HTMLElementTagNameMap>(tag: K, text = "", attributes: Record<string, string> = {}): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

const filled = (text: string, values: Record<string, string | number>): string =>
  text.replace(/\{(\w+)\}/g, (_all, name: string) => String(values[name] ?? ""));

class Form {
  private readonly all: Entry[];
  private readonly form = part<HTMLFormElement>("form");
  private readonly area = part<HTMLSelectElement>("area");
  private readonly choice = part<HTMLSelectElement>("operation");
  private readonly key = part<HTMLInputElement>("key");
  private readonly type = part<HTMLSelectElement>("type");
  private readonly text = part<HTMLTextAreaElement>("text");

  constructor(private readonly source: Document, private readonly origin: string) {
    this.all = entries(source);
    for (const tag of source.tags) this.area.append(element("option", tag.name, { value: tag.name }));
    this.area.addEventListener("change", () => this.list());
    this.choice.addEventListener("change", () => this.show());
    this.type.addEventListener("change", () => {
      this.text.value = example(this.source, this.entry.operation.requestBody?.content[this.type.value]);
    });
    this.form.addEventListener("input", () => this.preview());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
    addEventListener("hashchange", () => this.follow());
    if (!this.follow()) {
      this.area.value = "Things";
      this.list();
    }
    this.form.hidden = false;
  }

  private get entry(): Entry {
    const found = this.all.find((entry) => entry.id === this.choice.value);
    if (!found) throw new Error("no operation is chosen");
    return found;
  }

  /** The operation in the address, so that it can be shared. */
  private follow(): boolean {
    const found = this.all.find((entry) => `#${entry.id}` === location.hash);
    if (!found) return false;
    if (this.choice.value !== found.id) {
      this.area.value = found.area;
      this.list(found.id);
    }
    return true;
  }

  private list(chosen = ""): void {
    const here = this.all.filter((entry) => entry.area === this.area.value);
    this.choice.replaceChildren(
      ...here.map((entry) => element("option", `${entry.method} ${entry.path.replace("/sensorthings/v1.1", "") || "/"}`, { value: entry.id })),
    );
    if (chosen) this.choice.value = chosen;
    this.show();
  }

  private show(): void {
    const { operation, parameters, method } = this.entry;
    const about = [operation.summary, operation.description].filter(Boolean).join(". ");
    part("about").textContent = about.endsWith(".") ? about : `${about}.`;
    part("changes").hidden = method === "GET";
    part("parameters").hidden = parameters.length === 0;
    part("fields").replaceChildren(...parameters.map((parameter, index) => this.field(parameter, index)));
    const content = operation.requestBody?.content;
    part("body").hidden = !content;
    this.type.replaceChildren(...Object.keys(content ?? {}).map((type) => element("option", type, { value: type })));
    this.type.hidden = Object.keys(content ?? {}).length < 2;
    this.text.value = content ? example(this.source, content[this.type.value]) : "";
    part("problem").textContent = "";
    part("answer").hidden = true;
    history.replaceState(null, "", `#${this.entry.id}`);
    this.preview();
  }

  private field(parameter: Parameter, index: number): HTMLElement {
    const field = element("p", "", { class: "field" });
    const id = `api-parameter-${index}`;
    const label = element("label", parameter.name, { for: id });
    if (parameter.required) label.append(` (${word("required")})`);
    const first = parameter.schema.examples?.[0];
    const hint = [parameter.description, first === undefined ? "" : `${word("for_example")} ${String(first)}`].filter(Boolean).join(". ");
    const about = element("span", hint, { id: `${id}-hint`, class: "field__hint", ...(parameter.description ? { lang: "en" } : {}) });
    const common = { id, "data-parameter": `${parameter.in} ${parameter.name}`, "aria-describedby": `${id}-hint` };
    const kinds = [parameter.schema.type].flat();
    const choices = kinds.includes("boolean") ? ["true", "false"] : parameter.schema.enum?.map(String);
    let input: HTMLSelectElement | HTMLInputElement;
    if (choices) {
      input = element("select", "", common);
      if (!parameter.required) input.append(element("option", word("none"), { value: "" }));
      for (const value of choices) input.append(element("option", value, { value }));
    } else {
      input = element("input", "", { ...common, class: "input", autocomplete: "off", spellcheck: "false" });
      if (kinds.includes("integer")) input.inputMode = "numeric";
      if (parameter.required) input.value = String(parameter.example ?? first ?? "");
    }
    if (parameter.required) input.required = true;
    field.append(label, about, input);
    return field;
  }

  private get inputs(): (HTMLInputElement | HTMLSelectElement)[] {
    return [...this.form.querySelectorAll<HTMLInputElement | HTMLSelectElement>("[data-parameter]")];
  }

  private request(): ReturnType<typeof call> {
    const values = new Map(this.inputs.map((input) => [input.dataset["parameter"] ?? "", input.value.trim()]));
    const made = call(this.entry, values, this.origin);
    if (this.entry.operation.requestBody) {
      made.headers.push(["Content-Type", this.type.value]);
      made.body = this.text.value;
    }
    return made;
  }

  private preview(): void {
    part("curl").textContent = curl(this.request(), this.key.value || this.entry.method !== "GET" ? word("key") : "");
  }

  private async send(): Promise<void> {
    const missing = this.inputs.filter((input) => input.required && !input.value.trim());
    for (const input of this.inputs) input.toggleAttribute("aria-invalid", missing.includes(input));
    const names = missing.map((input) => input.dataset["parameter"]?.split(" ")[1] ?? "");
    part("problem").textContent = names.length ? `${word("missing")} ${names.join(", ")}` : "";
    if (missing[0]) {
      missing[0].focus();
      return;
    }
    const { method, url, headers, body } = this.request();
    if (this.key.value) headers.push(["Authorization", `Bearer ${this.key.value.trim()}`]);
    const state = part("state");
    state.textContent = word("sending");
    const begun = performance.now();
    const stop = new AbortController();
    try {
      // Without the portal's cookies: it shall get what the curl line gets.
      const local = new URL(url, location.href);
      const answer = await fetch(local.pathname + local.search, {
        method, headers, credentials: "omit", cache: "no-store", signal: stop.signal, ...(body === undefined ? {} : { body }),
      });
      const [text, stopped] = await this.read(answer, stop);
      const size = filled(word("bytes"), { count: new TextEncoder().encode(text).length.toLocaleString(document.documentElement.lang) });
      const told = filled(word("answered"), { status: answer.status, time: Math.round(performance.now() - begun), size });
      part("status").textContent = `${answer.status} ${answer.statusText}`.trim();
      part("headers").textContent = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      const whole = pretty(text);
      part("content").textContent = whole.slice(0, SHOWN) || word("empty");
      state.textContent = [told, stopped ? word("stopped") : "", whole.length > SHOWN ? word("cut") : ""].filter(Boolean).join(" ");
      part("answer").hidden = false;
    } catch {
      part("answer").hidden = true;
      state.textContent = word("unreachable");
    }
  }

  /** The body; a stream without end is left after a while, or when there is enough to show. */
  private async read(answer: Response, stop: AbortController): Promise<[string, boolean]> {
    if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream") || !answer.body) return [await answer.text(), false];
    const decoder = new TextDecoder();
    const reader = answer.body.getReader();
    let text = "";
    const timer = setTimeout(() => stop.abort(), STREAM);
    try {
      while (text.length < SHOWN) {
        const { done, value } = await reader.read();
        if (done) return [text, false];
        text += decoder.decode(value, { stream: true });
      }
    } catch {
      // Stopped by ourselves.
    } finally {
      clearTimeout(timer);
      stop.abort();
    }
    return [text, true];
  }
}

async function start(from: HTMLElement): Promise<void> {
  const state = part("state");
  state.textContent = word("loading");
  try {
    const answer = await fetch(from.dataset["api"] ?? "", { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    new Form((await answer.json()) as Document, from.dataset["origin"] ?? location.origin);
    state.textContent = "";
  } catch (error) {
    console.warn(error);
    state.textContent = word("failed");
  }
}

if (section) void start(section);
