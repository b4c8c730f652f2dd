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

/** A number as the server writes it: three significant figures, at most two decimals. */
export function number(value: number, digits?: number): string {
  let places = digits;
  if (places === undefined) {
    places = Number.isInteger(value) ? 0 : Math.max(0, Math.min(2, 2 - Math.floor(Math.log10(Math.abs(value)))));
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
