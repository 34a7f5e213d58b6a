/** `npm run site`: makes the site in out/site; with `--serve` serves it. Imports nothing but Node before packages are there. */
import {createReadStream} from 'node:fs';
import {cp} from 'node:fs/promises';
import {createServer} from 'node:http';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {installPackages, OUT, readOptions, runCommand} from '../lab/command.mjs';

const HELP = `npm run site -- [options]

Makes the site in out/site: static files, which any host serves from any folder.

  --serve     serves it on this machine, and prints the address
  --port N    where (8080)
  --help      this text
`;

export const SITE = join(OUT, 'site');

/** LiteRT.js's runtimes: those that a page without threads may ask for. */
const LITERT = fileURLToPath(new URL('../node_modules/@litertjs/core/wasm/', import.meta.url));

export async function buildSite() {
  const [{build}, {configFor}, {buildDocs}, {writeServiceWorkers}] = await Promise.all([
    import('vite'),
    import('./vite.config.mjs'),
    import('./docs/build.mjs'),
    import('./offline.mjs'),
  ]);
  await build(configFor(SITE));
  await buildDocs(SITE);
  await cp(LITERT, join(SITE, 'litert'), {recursive: true, filter: path => !/threaded|jspi/.test(path)});
  await writeServiceWorkers(SITE);
}

/**
 * Serves the site under a folder of this machine, and resolves to its address.
 *
 * @param {{port?: number, folder?: string, headers?: Record<string, string>}} options - `folder`: such as '/a/b/'; `headers`: of each
 * answer.
 */
export async function serveSite({port = 0, folder = '/', headers = {}} = {}) {
  const {default: sirv} = await import('sirv');
  const missing = (_request, response) => {
    response.writeHead(404, {'content-type': 'text/html;charset=utf-8'});
    createReadStream(join(SITE, '404.html')).pipe(response);
  };
  const files = sirv(SITE, {dev: true, etag: true, onNoMatch: missing});
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    // As hosts do, since what pages name is beside them.
    const [path, query] = request.url.split(/(?=\?)/);
    if (/\/[^/.]+$/.test(path)) return response.writeHead(301, {location: `${path}/${query ?? ''}`}).end();
    if (!request.url.startsWith(folder)) return missing(request, response);
    request.url = `/${request.url.slice(folder.length)}`;
    files(request, response);
  });
  await new Promise(resolve => server.listen(port, resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return {address: `http://localhost:${server.address().port}${folder}`, stop};
}

async function main() {
  const {serve, port, help} = readOptions({
    serve: {type: 'boolean', default: false},
    port: {type: 'string', default: '8080'},
    help: {type: 'boolean', default: false},
  });
  if (help) return console.log(HELP);
  installPackages();
  await buildSite();
  if (!serve) return console.log(`Written: ${SITE}`);
  console.log(`Open ${(await serveSite({port: Number(port)})).address} in a browser. Ctrl-C ends this.`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runCommand(main);
