/** Models at an address: fetched as files, so that they are kept, and are there without a network the next time. */
import type {GivenFile} from './contract';
import {extensionOf, nameOf} from './files';
import type {Job} from './job';

/** A Teachable Machine share link, and folders of any host: the model.json is in them. */
export function modelUrlOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(/^[a-z]+:/i.test(text.trim()) ? text.trim() : `https://${text.trim()}`);
  } catch {
    throw new Error(
      `"${text}" is no address. Give that of a model.json, such as https://example.org/model/model.json.`,
    );
  }
  const isFolder =
    url.pathname.endsWith('/') || (url.hostname === 'teachablemachine.withgoogle.com' && !extensionOf(url.pathname));
  if (url.hostname === 'tfhub.dev' && !extensionOf(url.pathname)) {
    url.pathname = `${url.pathname.replace(/\/$/, '')}/model.json`;
    url.search = '?tfjs-format=file';
  } else if (isFolder) url.pathname = `${url.pathname.replace(/\/$/, '')}/model.json`;
  return url;
}

const isPage = (type: string | null) => (type ?? '').startsWith('text/html');

/** Fetches one file. Throws in words where it is not there. */
async function fetched(url: URL, job: Job, onBytes: (bytes: number) => void): Promise<Blob> {
  let response: Response;
  try {
    response = await fetch(url, {signal: job.signal});
  } catch (error) {
    job.signal.throwIfAborted();
    throw new Error(
      `${url.href} could not be fetched (${(error as Error).message}). Check the address and the network; or its server lets no other ` +
        'page read it (CORS): then download the files and give them here.',
      {cause: error},
    );
  }
  if (!response.ok)
    throw new Error(`${url.href} could not be fetched: its server answers ${response.status}. Check the address.`);
  if (isPage(response.headers.get('content-type'))) {
    throw new Error(`${url.href} is a web page, not a file of a model. Give the address of the model.json itself.`);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const reader = response.body!.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    parts.push(next.value);
    onBytes(next.value.length);
  }
  return new Blob(parts);
}

/** The files of the model at an address: model.json, its weights, metadata.json if there is one; or an archive. */
export async function fetchModel(address: string, job: Job): Promise<GivenFile[]> {
  const url = modelUrlOf(address);
  let bytes = 0;
  const onBytes = (more: number) => job.tell(`Fetching from ${url.host}`, (bytes += more), undefined);
  const main = {path: nameOf(url.pathname), data: await fetched(url, job, onBytes)};
  if (extensionOf(url.pathname) !== 'json') return [main];
  const paths = pathsIn(await main.data.text());
  const beside = async (path: string) => ({path, data: await fetched(besides(url, path), job, onBytes)});
  const metadata = await beside('metadata.json').catch(() => {
    job.signal.throwIfAborted();
    return undefined;
  });
  return [main, ...(await Promise.all(paths.map(beside))), ...(metadata ? [metadata] : [])];
}

/** What a host wants to be told with one file it wants with all. */
function besides(url: URL, path: string): URL {
  const other = new URL(path, url);
  other.search = url.search;
  return other;
}

/** The weight files that a model names; none of what is no model, of which whoever reads it has more to say. */
function pathsIn(text: string): string[] {
  try {
    const {weightsManifest = []} = JSON.parse(text) as {
      weightsManifest?: readonly {readonly paths: readonly string[]}[];
    };
    return weightsManifest.flatMap(({paths}) => [...paths]);
  } catch {
    return [];
  }
}
