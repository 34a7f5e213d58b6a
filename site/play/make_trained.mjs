/** Makes training/trained.json, the networks that the page has read from the start: `node site/play/make_trained.mjs`. */
import {writeFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {importTypeScript} from '../../scripts/page.mjs';

const HERE = new URL('./training/', import.meta.url);
const {trainBeforehand} = await importTypeScript(fileURLToPath(new URL('beforehand.ts', HERE)));
await writeFile(new URL('trained.json', HERE), `${JSON.stringify(await trainBeforehand())}\n`);
