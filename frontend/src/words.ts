// Words and number formats come from the page (Django's translations), never from here.

let known: Record<string, string> | undefined;

export function word(key: string): string {
  if (!known) {
    const source = document.getElementById("words");
    known = source ? (JSON.parse(source.textContent) as Record<string, string>) : {};
  }
  return known[key] ?? key;
}

export const language = (): string => document.documentElement.lang || "de";

/** A number as the server writes it: 0,05; 9,9; 104. */
export function number(value: number, digits?: number): string {
  let places = digits;
  if (places === undefined) {
    const size = Math.abs(value);
    places = Number.isInteger(value) ? 0 : size < 1 ? 2 : size < 100 ? 1 : 0;
  }
  return new Intl.NumberFormat(language(), { minimumFractionDigits: places, maximumFractionDigits: places })
    .format(value)
    .replace("-", "\u2212");
}

export function clock(value: Date, zone: string): string {
  return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone }).format(value);
}

export function dayAndClock(value: Date, zone: string): string {
  return new Intl.DateTimeFormat(language(), {
    day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone,
  }).format(value);
}
