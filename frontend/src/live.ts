// Server-sent events: values on the page that carry `data-datastream` follow the city.
import { clock, number, word } from "./words";

export interface Measured {
  datastream: number;
  thing: number;
  phenomenonTime: string;
  result: number | string | boolean | null;
  unit: string;
}

type Listener = (event: Measured) => void;

/** Follow new observations; `query` narrows them, such as `thing=5`. Browsers reconnect by themselves. */
export function follow(query: string, listener: Listener): EventSource {
  const source = new EventSource(`/events/v1${query ? `?${query}` : ""}`);
  const take = (event: MessageEvent<string>): void => {
    const data = JSON.parse(event.data) as Measured | Measured[];
    for (const item of Array.isArray(data) ? data : [data]) listener(item);
  };
  source.addEventListener("message", take);
  source.addEventListener("observation", take);
  return source;
}

export function asText(result: Measured["result"]): string {
  if (typeof result === "number") return number(result);
  if (typeof result === "boolean") return word(result ? "yes" : "no");
  return result ?? "–";
}

export function followValues(): void {
  const root = document.querySelector<HTMLElement>("[data-live]");
  if (!root) return;
  const zone = root.dataset["zone"] ?? "Europe/Berlin";
  follow(root.dataset["live"] ?? "", (event) => {
    for (const place of document.querySelectorAll<HTMLElement>(`[data-datastream="${event.datastream}"]`)) {
      const value = place.querySelector<HTMLElement>("[data-value]");
      const time = place.querySelector<HTMLTimeElement>("time");
      const at = new Date(event.phenomenonTime.split("/")[0] ?? "");
      if (time && new Date(time.dateTime) > at) continue;
      if (value) value.textContent = asText(event.result);
      if (time) {
        time.dateTime = at.toISOString();
        time.textContent = clock(at, zone);
      }
      place.classList.remove("fresh");
      void place.offsetWidth;
      place.classList.add("fresh");
    }
  });
}
