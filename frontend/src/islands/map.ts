// The moving map: a quiet background of our own, things as HTML markers (no glyphs, no tiles), the list in step.
import "../styles/map_vendor.scss";
import { GeoJSONSource, Map as MapLibre, Marker, NavigationControl, Popup, ScaleControl, setWorkerUrl } from "maplibre-gl";
import type { StyleSpecification } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { follow } from "../live";
import { word } from "../words";
import { clusterButton, popupContent, showList, thingButton, valueNow } from "./map_parts";
import type { CityData, Thing } from "./map_types";

setWorkerUrl(workerUrl);

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

function background(city: CityData): StyleSpecification {
  return {
    version: 8,
    sources: {
      city: { type: "geojson", data: { type: "Feature", properties: {}, geometry: city.outline ?? { type: "GeometryCollection", geometries: [] } } },
    },
    layers: [
      { id: "land", type: "background", paint: { "background-color": colour("--map-land") } },
      { id: "city", type: "fill", source: "city", paint: { "fill-color": colour("--map-city") } },
      {
        id: "edge",
        type: "line",
        source: "city",
        paint: { "line-color": colour("--map-edge"), "line-width": 1.5, ...(city.schematic ? { "line-dasharray": [4, 3] } : {}) },
      },
    ],
  };
}

function points(things: Iterable<Thing>): GeoJSON.FeatureCollection<GeoJSON.Point> {
  return {
    type: "FeatureCollection",
    features: [...things].map((thing) => ({
      type: "Feature",
      geometry: { type: "Point", coordinates: thing.point },
      properties: { id: thing.id, kind: thing.kind },
    })),
  };
}

class CityMap {
  private readonly map: MapLibre;
  private readonly things = new Map<number, Thing>();
  private readonly ofStream = new Map<number, Thing>();
  private readonly markers = new Map<string, Marker>();
  private readonly labels: HTMLElement[] = [];
  private popup: Popup | undefined;
  private selected: number | undefined;

  constructor(private readonly root: HTMLElement, canvas: HTMLElement, private readonly city: CityData, private readonly loaded: () => void) {
    for (const thing of city.things) {
      this.things.set(thing.id, thing);
      for (const value of thing.values) this.ofStream.set(value.id, thing);
    }
    this.map = new MapLibre({
      container: canvas,
      style: city.style || background(city),
      bounds: city.bounds,
      fitBoundsOptions: { padding: 16 },
      dragRotate: false,
      pitchWithRotate: false,
      maxPitch: 0,
      attributionControl: city.attribution ? { compact: false, customAttribution: city.attribution } : false,
      locale: { "NavigationControl.ZoomIn": word("zoom_in"), "NavigationControl.ZoomOut": word("zoom_out"), "Popup.Close": word("close"), "Map.Title": word("map") },
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
    this.map.on("load", () => this.begin());
  }

  private begin(): void {
    this.map.addSource("things", {
      type: "geojson",
      data: points(this.shown()),
      cluster: true,
      clusterRadius: 44,
      clusterMaxZoom: 15,
      clusterProperties: Object.fromEntries(
        Object.keys(this.city.kinds).map((kind) => [`k:${kind}`, ["+", ["case", ["==", ["get", "kind"], kind], 1, 0]]]),
      ),
    });
    // The layer draws nothing: it makes MapLibre load the tiles whose features become markers.
    this.map.addLayer({ id: "things", type: "circle", source: "things", paint: { "circle-radius": 1, "circle-opacity": 0 } });
    for (const district of this.city.districts) {
      const label = document.createElement("span");
      label.className = "district-label";
      label.textContent = district.name;
      label.setAttribute("aria-hidden", "true");
      this.labels.push(label);
      new Marker({ element: label, anchor: "center" }).setLngLat(district.point).addTo(this.map);
    }
    this.map.on("render", () => this.map.isSourceLoaded("things") && this.placeMarkers());
    this.map.on("moveend", () => {
      this.spreadLabels();
      this.list();
    });
    this.spreadLabels();
    document.addEventListener("portal:theme", () => this.recolour());
    document.querySelector("[data-map-filter]")?.addEventListener("change", () => this.filter());
    follow("", (event) => this.take(event));
    this.list();
    this.loaded();
    this.root.dataset["ready"] = "true";
  }

  /** Of labels that would cover each other only the first is shown. */
  private spreadLabels(): void {
    const taken: DOMRect[] = [];
    for (const label of this.labels) {
      label.style.visibility = "";
      const box = label.getBoundingClientRect();
      const covered = taken.some((one) => box.left < one.right && one.left < box.right && box.top < one.bottom && one.top < box.bottom);
      if (covered) label.style.visibility = "hidden";
      else taken.push(box);
    }
  }

  private chosenKinds(): Set<string> | undefined {
    const boxes = [...document.querySelectorAll<HTMLInputElement>("[data-map-filter] input")];
    return boxes.length ? new Set(boxes.filter((box) => box.checked).map((box) => box.value)) : undefined;
  }

  private shown(): Thing[] {
    const kinds = this.chosenKinds();
    return [...this.things.values()].filter((thing) => !kinds || kinds.has(thing.kind));
  }

  private filter(): void {
    const boxes = [...document.querySelectorAll<HTMLInputElement>("[data-map-filter] input")];
    const address = new URL(window.location.href);
    address.searchParams.delete("art");
    if (boxes.some((box) => !box.checked)) {
      for (const box of boxes) if (box.checked) address.searchParams.append("art", box.value);
    }
    window.history.replaceState(null, "", address);
    this.popup?.remove();
    for (const marker of this.markers.values()) marker.remove();
    this.markers.clear();
    (this.map.getSource("things") as GeoJSONSource).setData(points(this.shown()));
    this.list();
  }

  private placeMarkers(): void {
    const wanted = new Set<string>();
    for (const feature of this.map.querySourceFeatures("things")) {
      const properties = feature.properties as Record<string, unknown>;
      const cluster = properties["cluster"] === true;
      const key = cluster ? `c${String(properties["cluster_id"])}` : `t${String(properties["id"])}`;
      if (wanted.has(key)) continue;
      wanted.add(key);
      if (this.markers.has(key)) continue;
      const at = (feature.geometry as GeoJSON.Point).coordinates as [number, number];
      const element = cluster ? this.cluster(properties, at) : this.single(Number(properties["id"]));
      if (element) this.markers.set(key, new Marker({ element }).setLngLat(at).addTo(this.map));
    }
    for (const [key, marker] of this.markers) {
      if (!wanted.has(key)) {
        marker.remove();
        this.markers.delete(key);
      }
    }
  }

  private cluster(properties: Record<string, unknown>, at: [number, number]): HTMLElement {
    const button = clusterButton(properties, this.city);
    button.addEventListener("click", () => {
      void (this.map.getSource("things") as GeoJSONSource)
        .getClusterExpansionZoom(Number(properties["cluster_id"]))
        .then((zoom) => this.move(at, zoom));
    });
    return button;
  }

  private single(id: number): HTMLElement | undefined {
    const thing = this.things.get(id);
    if (!thing) return undefined;
    const button = thingButton(thing, this.city);
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      this.open(thing);
    });
    return button;
  }

  private move(center: [number, number], zoom: number): void {
    if (still.matches) this.map.jumpTo({ center, zoom });
    else this.map.easeTo({ center, zoom, duration: 500 });
  }

  private open(thing: Thing): void {
    this.popup?.remove();
    this.selected = thing.id;
    const address = (this.root.dataset["thingUrl"] ?? "").replace("/0/", `/${thing.id}/`);
    const popup = new Popup({ offset: 18, maxWidth: "20rem", focusAfterOpen: true })
      .setLngLat(thing.point)
      .setDOMContent(popupContent(thing, this.city, address))
      .addTo(this.map);
    popup.on("close", () => {
      if (this.popup !== popup) return;
      this.selected = undefined;
      this.list();
    });
    this.popup = popup;
    this.list();
  }

  private list(): void {
    const bounds = this.map.getBounds();
    const inView = this.shown().filter((thing) => bounds.contains(thing.point));
    showList(this.root, inView, this.city, this.selected, (thing) => {
      this.move(thing.point, Math.max(this.map.getZoom(), 15.2));
      this.open(thing);
    });
  }

  private take(event: { datastream: number; phenomenonTime: string; result: number | string | boolean | null }): void {
    const thing = this.ofStream.get(event.datastream);
    const value = thing?.values.find((item) => item.id === event.datastream);
    const time = event.phenomenonTime.split("/")[0] ?? "";
    if (!thing || !value || (value.time && new Date(value.time) > new Date(time))) return;
    value.value = event.result;
    value.time = time;
    thing.state = "current";
    const marker = this.markers.get(`t${thing.id}`)?.getElement();
    if (marker) {
      marker.classList.remove("marker--fresh");
      void marker.offsetWidth;
      marker.classList.add("marker--fresh");
    }
    if (this.selected === thing.id) {
      const values = document.querySelector(`[data-popup="${thing.id}"]`);
      const address = (this.root.dataset["thingUrl"] ?? "").replace("/0/", `/${thing.id}/`);
      const fresh = popupContent(thing, this.city, address).querySelector("dl");
      if (fresh) values?.querySelector("dl")?.replaceWith(fresh);
    }
    const entry = this.root.querySelector(`[data-listed="${thing.id}"] .value-now`);
    if (entry) entry.textContent = valueNow(thing);
  }

  private recolour(): void {
    if (this.city.style) return;
    this.map.setPaintProperty("land", "background-color", colour("--map-land"));
    this.map.setPaintProperty("city", "fill-color", colour("--map-city"));
    this.map.setPaintProperty("edge", "line-color", colour("--map-edge"));
  }
}

async function start(): Promise<void> {
  const root = document.querySelector<HTMLElement>("[data-map]");
  const canvas = root?.querySelector<HTMLElement>("[data-map-canvas]");
  const drawing = root?.querySelector<HTMLElement>("[data-map-drawing]");
  if (!root || !canvas || !drawing) return;
  const answer = await fetch(root.dataset["source"] ?? "", { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const city = (await answer.json()) as CityData;
  canvas.hidden = false;
  try {
    new CityMap(root, canvas, city, () => {
      drawing.hidden = true;
    });
  } catch {
    // No WebGL: the drawing made by the server and its list stay.
    canvas.hidden = true;
    return;
  }
  const note = root.querySelector<HTMLElement>("[data-map-note]");
  if (note && city.schematic && !city.attribution) note.textContent = word("schematic");
}

void start();
