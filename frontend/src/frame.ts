// The frame works without script; here it gets shorter ways.

function menu(): void {
  const header = document.querySelector<HTMLElement>("[data-header]");
  const button = document.querySelector<HTMLButtonElement>("[data-menu-button]");
  if (!header || !button) return;
  const show = (open: boolean): void => {
    header.classList.toggle("header--open", open);
    button.setAttribute("aria-expanded", String(open));
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  header.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") {
      show(false);
      button.focus();
    }
  });
}

function theme(): void {
  const button = document.querySelector<HTMLButtonElement>("[data-theme-button]");
  if (!button) return;
  const root = document.documentElement;
  const device = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = (): boolean => (root.dataset["kernTheme"] ?? (device.matches ? "dark" : "light")) === "dark";
  const label = (): void => {
    const text = isDark() ? button.dataset["light"] : button.dataset["dark"];
    const span = button.querySelector("span");
    if (span && text) span.textContent = text;
    button.value = isDark() ? "light" : "dark";
  };
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const next = isDark() ? "light" : "dark";
    root.dataset["kernTheme"] = next;
    document.cookie = `theme=${next};path=/;max-age=31536000;samesite=lax`;
    label();
    document.dispatchEvent(new CustomEvent("portal:theme"));
  });
  device.addEventListener("change", label);
  label();
}

function copying(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("[data-copy]");
    if (!button) return;
    const source = document.getElementById(button.dataset["copy"] ?? "");
    if (!source) return;
    void navigator.clipboard.writeText(source.textContent.trim()).then(() => {
      const said = button.querySelector("span") ?? button;
      const before = said.textContent;
      said.textContent = button.dataset["done"] ?? before;
      window.setTimeout(() => (said.textContent = before), 2000);
    });
  });
}

function offline(): void {
  const bar = document.querySelector<HTMLElement>("[data-offline]");
  if (!bar) return;
  const show = (): void => {
    bar.hidden = navigator.onLine;
  };
  window.addEventListener("online", show);
  window.addEventListener("offline", show);
  show();
}

// Forms marked so are sent as soon as a choice changes; their button is for those without script.
function sendOnChange(): void {
  document.addEventListener("change", (event) => {
    const form = (event.target as Element).closest<HTMLFormElement>("form[data-send-on-change]");
    form?.requestSubmit();
  });
}

// The facets stand open beside the list on wide screens, closed above it on phones.
function drawers(): void {
  const wide = window.matchMedia("(min-width: 60rem)");
  const apply = (): void => {
    for (const drawer of document.querySelectorAll<HTMLDetailsElement>("details[data-drawer]")) {
      drawer.open = wide.matches;
    }
  };
  wide.addEventListener("change", apply);
  apply();
}

// An open drop-down closes with Escape and with a click elsewhere.
function dropdowns(): void {
  const open = (): HTMLDetailsElement[] => [...document.querySelectorAll<HTMLDetailsElement>("details[data-dropdown][open]")];
  document.addEventListener("click", (event) => {
    for (const item of open()) if (!item.contains(event.target as Node)) item.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const item of open()) {
      item.open = false;
      item.querySelector("summary")?.focus();
    }
  });
}

export function setUpFrame(): void {
  document.documentElement.classList.add("scripted");
  menu();
  theme();
  copying();
  offline();
  sendOnChange();
  drawers();
  dropdowns();
  document.addEventListener("htmx:afterSettle", drawers);
}
