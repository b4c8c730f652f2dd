// On every page: menu on phones, light and dark, copying, offline note, live values, htmx.
import "./styles/portal.scss";
import "htmx.org";
import { followValues } from "./live";
import { setUpFrame } from "./frame";

setUpFrame();
followValues();
