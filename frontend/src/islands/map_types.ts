// What /karte/daten.json holds.
export interface Value {
  id: number;
  name: string;
  unit: string;
  value: number | string | boolean | null;
  time: string | null;
}

export interface Thing {
  id: number;
  name: string;
  kind: string;
  point: [number, number];
  state: string;
  simulated: boolean;
  values: Value[];
}

export interface Kind {
  title: string;
  colour: number;
  shape: string;
}

export interface CityData {
  bounds: [number, number, number, number];
  zone: string;
  style: string;
  attribution: string;
  outline: GeoJSON.Geometry | null;
  schematic: boolean;
  districts: { name: string; point: [number, number] }[];
  kinds: Record<string, Kind>;
  things: Thing[];
}
