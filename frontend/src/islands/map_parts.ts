// Markers, popups and the list: made of elements, so that no text of the data is ever read as markup.
import { asText } from "../live";
import { dayAndClock, number, word } from "../words";
import type { CityData, Kind, Thing } from "./map_types";

const SVG = "http://www.w3.org/2000/svg";
const LISTED = 200;

const kindOf = (city: CityData, key: string): Kind => city.kinds[key] ?? { title: key, colour: 0, shape: "M2 2h12v12H2z" };

function element<K extends keyof HTMLElementTagNameMap>(name: K, className = "", text = ""): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function sign(kind: Kind, className = "sign"): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `${className} kind-${kind.colour}`);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", kind.shape);
  svg.append(path);
  return svg;
}

export function valueNow(thing: Thing): string {
  const first = thing.values[0];
  return first ? `${asText(first.value)} ${first.unit}`.trim() : "";
}

export function thingButton(thing: Thing, city: CityData): HTMLButtonElement {
  const kind = kindOf(city, thing.kind);
  const button = element("button", `marker kind-${kind.colour}`);
  button.type = "button";
  button.tabIndex = -1;
  button.setAttribute("aria-label", `${thing.name}, ${kind.title}`);
  const shape = document.createElementNS(SVG, "svg");
  shape.setAttribute("viewBox", "0 0 16 16");
  shape.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", kind.shape);
  shape.append(path);
  button.append(shape);
  return button;
}

/** A cluster: how many, and the signs of the kinds in it; its name counts them by kind. */
export function clusterButton(properties: Record<string, unknown>, city: CityData): HTMLButtonElement {
  const counts = Object.keys(city.kinds)
    .map((key) => ({ kind: kindOf(city, key), count: Number(properties[`k:${key}`] ?? 0) }))
    .filter((item) => item.count > 0)
    .sort((left, right) => right.count - left.count);
  const total = Number(properties["point_count"]);
  const button = element("button", "marker marker--cluster");
  button.type = "button";
  button.tabIndex = -1;
  button.append(element("span", "", number(total, 0)));
  for (const item of counts.slice(0, 3)) button.append(sign(item.kind));
  const label = counts.map((item) => `${number(item.count, 0)} ${item.kind.title}`).join(", ");
  button.setAttribute("aria-label", `${number(total, 0)} ${word("stations")}: ${label}`);
  button.title = label;
  return button;
}

export function popupContent(thing: Thing, city: CityData, address: string): HTMLElement {
  const box = element("div");
  box.dataset["popup"] = String(thing.id);
  box.append(element("h3", "", thing.name), element("p", "small muted", kindOf(city, thing.kind).title));
  const list = element("dl");
  for (const value of thing.values.slice(0, 6)) {
    const row = element("div");
    const shown = element("dd", "", `${asText(value.value)} ${value.unit}`.trim());
    if (value.time) shown.title = dayAndClock(new Date(value.time), city.zone);
    row.append(element("dt", "", value.name), shown);
    list.append(row);
  }
  box.append(list);
  const newest = thing.values.map((value) => value.time).filter((time) => time !== null).sort().at(-1);
  if (newest) list.append(element("div", "small muted", dayAndClock(new Date(newest), city.zone)));
  if (thing.simulated) box.append(element("p", "badge badge--info", word("simulated")));
  const link = element("a", "", word("open"));
  link.href = address;
  const foot = element("p", "small");
  foot.append(link);
  box.append(foot);
  return box;
}

/** The list of what the map shows now, each entry a button that opens the place on the map. */
export function showList(root: HTMLElement, things: Thing[], city: CityData, selected: number | undefined, choose: (thing: Thing) => void): void {
  const list = root.querySelector<HTMLElement>("[data-map-list]");
  const count = root.querySelector<HTMLElement>("[data-map-count]");
  const more = root.querySelector<HTMLElement>("[data-map-more]");
  if (!list || !count || !more) return;
  const collator = new Intl.Collator(document.documentElement.lang);
  const sorted = [...things].sort((left, right) => collator.compare(left.name, right.name));
  const focused = document.activeElement?.closest<HTMLElement>("[data-listed]")?.dataset["listed"];
  count.textContent = `${word("in_view")}: ${number(things.length, 0)}`;
  more.textContent = sorted.length > LISTED ? `${number(sorted.length - LISTED, 0)} ${word("more")}` : sorted.length ? "" : word("none_here");
  list.replaceChildren(
    ...sorted.slice(0, LISTED).map((thing) => {
      const item = element("li");
      const button = element("button");
      button.type = "button";
      button.dataset["listed"] = String(thing.id);
      if (thing.id === selected) button.setAttribute("aria-current", "true");
      button.append(sign(kindOf(city, thing.kind)), element("span", "", thing.name), element("span", "value-now", valueNow(thing)));
      button.addEventListener("click", () => choose(thing));
      item.append(button);
      return item;
    }),
  );
  if (focused) list.querySelector<HTMLElement>(`[data-listed="${focused}"]`)?.focus({ preventScroll: true });
}
