import { defineConfig } from "vite";

// Entries: `portal` on every page, the islands only where a page asks for them.
export default defineConfig({
  base: "/static/built/",
  publicDir: false,
  css: { preprocessorOptions: { scss: { quietDeps: true, silenceDeprecations: ["if-function", "import", "global-builtin"] } } },
  build: {
    outDir: "../src/mainzdigital/web/static/built",
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsDir: ".",
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      input: {
        portal: "src/portal.ts",
        map: "src/islands/map.ts",
        chart: "src/islands/chart.ts",
        api: "src/islands/api.ts",
      },
    },
  },
});
