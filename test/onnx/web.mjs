// Runs ONNX files in onnxruntime-web, in Chromium, with the requests and answers of serve.py.
import {createInterface} from 'node:readline';
import {openOrt} from '../../scripts/ort.mjs';

const {run, close} = await openOrt();
for await (const line of createInterface(process.stdin)) {
  const answer = await run(JSON.parse(line)).catch(({message}) => ({error: message}));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await close();
