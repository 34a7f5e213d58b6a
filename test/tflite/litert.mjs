// Runs .tflite files in LiteRT.js, in Chromium, with the requests and answers of serve.py.
import {createInterface} from 'node:readline';
import {openLiteRt} from '../../scripts/litert.mjs';

const {run, close} = await openLiteRt();
for await (const line of createInterface(process.stdin)) {
  const answer = await run(JSON.parse(line)).catch(({message}) => ({error: message}));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await close();
