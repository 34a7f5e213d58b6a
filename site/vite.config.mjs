/** How Vite makes the pages that run scripts: Quantize and Play. All addresses are relative, so that any folder of any host serves them. */
import {readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {SOURCES} from '../scripts/entries.mjs';
import {rollupShaders} from '../scripts/shader_text.mjs';
import {inLayout} from './shell/layout.mjs';

const SITE = fileURLToPath(new URL('.', import.meta.url));

/** The pages, by the folder that each is. */
const PAGES = {'': 'Quantize', play: 'Play'};

/** What people import of the package is this checkout's. */
const alias = Object.entries(SOURCES).map(([name, replacement]) => ({find: new RegExp(`^${name}$`), replacement}));

/** Imports of packed data, as bytes. */
const packedData = {
  name: 'packed-data',
  enforce: 'pre',
  async load(id) {
    if (!id.endsWith('.gz')) return null;
    const text = (await readFile(id)).toString('base64');
    return `export default Uint8Array.from(atob('${text}'), char => char.charCodeAt(0));`;
  },
};

/** What all pages have around them. */
const layout = {
  name: 'layout',
  transformIndexHtml: {
    order: 'post',
    handler: (html, {path}) => inLayout(html, {path: path.replace(/^\/|index\.html$/g, ''), stylesItself: true}),
  },
};

/** What pages that Vite does not make ask for by name. */
const SCRIPTS = {
  shell: `${SITE}shell/shell.ts`,
  docs: `${SITE}docs/client/docs.ts`,
  plots: `${SITE}docs/client/plots.ts`,
};

const plugins = () => [rollupShaders, packedData];

export const configFor = outDir => ({
  root: SITE,
  base: './',
  configFile: false,
  logLevel: 'warn',
  plugins: [...plugins(), layout],
  resolve: {alias},
  // LiteRT.js loads its runtime by importScripts, which workers that are modules do not have.
  worker: {format: 'iife', plugins},
  build: {
    outDir,
    emptyOutDir: true,
    target: 'es2022',
    // A page of ours has nothing to gain: its scripts are few, and all of them are needed at once.
    modulePreload: false,
    chunkSizeWarningLimit: 4096,
    rollupOptions: {
      // How long plugins took on a busy machine says nothing.
      checks: {pluginTimings: false},
      input: {
        ...SCRIPTS,
        ...Object.fromEntries(
          Object.entries(PAGES).map(([folder, name]) => [
            name.toLowerCase(),
            `${SITE}${folder ? `${folder}/` : ''}index.html`,
          ]),
        ),
      },
      output: {
        entryFileNames: ({name}) => `assets/${name}${name in SCRIPTS ? '' : '-[hash]'}.js`,
        assetFileNames: ({names: [name]}) =>
          `assets/[name]${name.replace(/\.css$/, '') in SCRIPTS ? '' : '-[hash]'}[extname]`,
      },
    },
  },
});
