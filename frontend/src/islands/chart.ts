// The chart of a thing: the same points as the drawing and the table beside it, to be read value by value.
import "../styles/chart_vendor.scss";
import uPlot from "uplot";
import { number, word } from "../words";

interface SeriesData {
  name: string;
  unit: string;
  digits: number;
  bars: boolean;
  bucket: string;
  zone: string;
  times: number[];
  values: (number | null)[];
  lows: (number | null)[];
  highs: (number | null)[];
  gaps: number[];
  limits: { value: number; title: string }[];
}

const DAY = 86400;
const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const language = (): string => document.documentElement.lang || "de";

function timeText(data: SeriesData, seconds: number): string {
  const day: Intl.DateTimeFormatOptions = { day: "numeric", month: "long", year: "numeric" };
  const clock: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" };
  const options = data.bucket === "day" || data.bucket === "month" ? day : { ...day, ...clock };
  return new Intl.DateTimeFormat(language(), { ...options, timeZone: data.zone }).format(seconds * 1000);
}

function axisTime(data: SeriesData, seconds: number, step: number): string {
  const options: Intl.DateTimeFormatOptions =
    step < 86400 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : step < 86400 * 27 ? { day: "numeric", month: "short" } : { month: "short", year: "2-digit" };
  return new Intl.DateTimeFormat(language(), { ...options, timeZone: data.zone }).format(seconds * 1000);
}

/** Raw values have no empty buckets: where the server saw a gap, one is put in, so that it stays one. */
function withGaps(data: SeriesData): SeriesData {
  if (!data.gaps.length) return data;
  const before = new Set(data.gaps);
  const times: number[] = [];
  const values: (number | null)[] = [];
  data.times.forEach((time, index) => {
    if (before.has(index)) {
      times.push((time + (data.times[index - 1] ?? time)) / 2);
      values.push(null);
    }
    times.push(time);
    values.push(data.values[index] ?? null);
  });
  return { ...data, times, values, lows: [], highs: [] };
}

function limitsPlugin(data: SeriesData): uPlot.Plugin {
  return {
    hooks: {
      draw: (chart) => {
        const context = chart.ctx;
        context.save();
        context.strokeStyle = token("--bad");
        context.fillStyle = token("--bad");
        context.lineWidth = 1.5 * devicePixelRatio;
        context.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        context.font = `500 ${12 * devicePixelRatio}px "Fira Sans", sans-serif`;
        context.textAlign = "right";
        for (const limit of data.limits) {
          const y = chart.valToPos(limit.value, "y", true);
          if (y < chart.bbox.top || y > chart.bbox.top + chart.bbox.height) continue;
          context.beginPath();
          context.moveTo(chart.bbox.left, y);
          context.lineTo(chart.bbox.left + chart.bbox.width, y);
          context.stroke();
          context.fillText(limit.title, chart.bbox.left + chart.bbox.width, y - 6 * devicePixelRatio);
        }
        context.restore();
      },
    },
  };
}

function options(data: SeriesData, width: number, read: (index: number | null) => void): uPlot.Options {
  const ink = token("--ink-2");
  const line = token("--line");
  const blue = token("--series-1");
  const spread = data.lows.length > 0;
  const known = [...data.values, ...data.highs].filter((value) => value !== null);
  const most = Math.max(...known);
  const shownLimits = data.bars ? [] : data.limits.filter((limit) => limit.value <= 2.5 * most).map((limit) => limit.value);
  const bars = uPlot.paths.bars?.({ size: [0.8, 60], align: 1 });
  const span = (data.times.at(-1) ?? 0) - (data.times[0] ?? 0);
  const incrs = span > 2.5 * DAY ? [1, 2, 4, 7, 14, 30, 60, 90, 180, 365, 730, 1825].map((days) => days * DAY) : undefined;
  const axis = { stroke: ink, font: '12px "Fira Sans", sans-serif', grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width,
    height: Math.max(240, Math.min(360, width * 0.42)),
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), data.zone),
    ms: 1e-3 as const,
    legend: { show: false },
    padding: [12, 8, 0, 0],
    cursor: { y: false, points: { size: 8, fill: token("--paper"), stroke: token("--accent"), width: 2 } },
    scales: {
      x: { time: true },
      y: {
        range: (_chart, low, high) => {
          const bottom = low >= 0 && low <= 0.6 * high ? 0 : low;
          const top = Math.max(high, ...shownLimits);
          return uPlot.rangeNum(data.bars ? 0 : bottom, top, { min: { pad: 0, soft: 0, mode: bottom === 0 ? 2 : 0 }, max: { pad: 0.08, soft: 0, mode: 0 } });
        },
      },
    },
    axes: [
      { ...axis, grid: { show: false }, ...(incrs ? { incrs } : {}), space: 64, values: (_chart, splits, _index, _space, step) => splits.map((split) => axisTime(data, split, step)) },
      { ...axis, size: 56, values: (_chart, splits) => splits.map((split) => number(split)) },
    ],
    series: [
      {},
      {
        label: data.name,
        stroke: blue,
        width: 1.75,
        points: { show: false },
        spanGaps: false,
        ...(data.bars && bars ? { paths: bars, fill: blue } : {}),
      },
      ...(spread ? [{ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } }] : []),
    ],
    ...(spread ? { bands: [{ series: [3, 2] as [number, number], fill: `color-mix(in srgb, ${blue} 16%, transparent)` }] } : {}),
    plugins: [limitsPlugin(data)],
    hooks: { setCursor: [(chart) => read(chart.cursor.idx ?? null)] },
  };
}

function draw(section: HTMLElement): void {
  const source = section.querySelector("#series-data");
  const frame = section.querySelector<HTMLElement>("[data-chart-frame]");
  const reading = section.querySelector<HTMLElement>("[data-chart-reading]");
  if (!source || !frame || !reading || frame.dataset["drawn"]) return;
  const data = withGaps(JSON.parse(source.textContent) as SeriesData);
  const label = frame.querySelector("svg")?.getAttribute("aria-label") ?? data.name;
  let chart: uPlot | undefined;
  const read = (index: number | null): void => {
    const time = index === null ? undefined : data.times[index];
    if (index === null || time === undefined) {
      reading.textContent = "";
      return;
    }
    const value = data.values[index];
    reading.textContent = `${timeText(data, time)}: ${value == null ? word("none") : `${number(value, data.digits)} ${data.unit}`.trim()}`;
  };
  const lines: (number | null)[][] = data.lows.length ? [data.values, data.lows, data.highs] : [data.values];
  const make = (): void => {
    chart?.destroy();
    frame.replaceChildren();
    chart = new uPlot(options(data, frame.clientWidth, read), [data.times, ...lines] as uPlot.AlignedData, frame);
  };
  frame.dataset["drawn"] = "true";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", `${word("chart")}: ${label} ${word("reading")}`);
  make();
  // A canvas does not wait for fonts: it is drawn again when they are there.
  void document.fonts.load('12px "Fira Sans"').then(make);
  new ResizeObserver(() => {
    if (chart && chart.width !== frame.clientWidth && frame.clientWidth > 0) make();
  }).observe(frame);
  document.addEventListener("portal:theme", make);
  frame.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -data.times.length, End: data.times.length }[event.key];
    if (step === undefined || !chart) return;
    event.preventDefault();
    const last = data.times.length - 1;
    const next = Math.max(0, Math.min(last, (chart.cursor.idx ?? (step > 0 ? -1 : last + 1)) + step));
    const left = chart.valToPos(data.times[next] ?? 0, "x");
    chart.setCursor({ left, top: 10 });
  });
}

function drawAll(): void {
  for (const section of document.querySelectorAll<HTMLElement>("[data-chart]")) draw(section);
}

drawAll();
document.addEventListener("htmx:afterSettle", drawAll);
