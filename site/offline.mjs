/**
 * Being there without a network, after the first visit. Each part of the site has a service worker of its own folder, so that a visit of
 * one costs none of the others. What is large and not always used comes along when it was used.
 */
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {toRoot} from './shell/layout.mjs';

const PARTS = {
  '': /^index\.html$/,
  'play/': /^play\/index\.html$/,
  'docs/': /^docs\/.*\.(html|json|svg|png)$/,
};

/** On every page. */
const SHELL = ['icon.svg', 'site.webmanifest', 'assets/shell.js', 'assets/shell.css'];

/** The scripts and styles that some files name, and those that these name. */
async function assetsOf(site, files) {
  const assets = (await readdir(join(site, 'assets'))).map(name => `assets/${name}`);
  const found = new Set();
  const look = async file => {
    const text = await readFile(join(site, file), 'utf8');
    const named = assets.filter(asset => !found.has(asset) && text.includes(asset.slice('assets/'.length)));
    named.forEach(asset => found.add(asset));
    await Promise.all(named.map(look));
  };
  await Promise.all(files.filter(file => file.endsWith('.html')).map(look));
  return [...found];
}

/** Writes the service workers of a site that is made. */
export async function writeServiceWorkers(site) {
  const {generateSW} = await import('workbox-build');
  const all = (await readdir(site, {recursive: true})).map(file => file.replaceAll('\\', '/'));
  for (const [part, isIn] of Object.entries(PARTS)) {
    const pages = all.filter(file => isIn.test(file));
    const files = new Set([...SHELL, ...pages, ...(await assetsOf(site, pages))]);
    await generateSW({
      globDirectory: site,
      globPatterns: [...files],
      maximumFileSizeToCacheInBytes: 2 ** 24,
      modifyURLPrefix: part === '' ? {} : {'': toRoot(part)},
      // Their names change with what is in them.
      dontCacheBustURLsMatching: /-[\w-]{8}\.(js|css)$/,
      swDest: join(site, part, 'sw.js'),
      clientsClaim: true,
      skipWaiting: true,
      inlineWorkboxRuntime: true,
      sourcemap: false,
      runtimeCaching: [{urlPattern: /\/(litert|examples)\//, handler: 'NetworkFirst', options: {cacheName: 'used'}}],
    });
  }
}
