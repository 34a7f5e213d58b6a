// Writes digits.bin: the float network of digits.ts, trained for 12 epochs. `node test/tflite/train_digits.mjs`, half a minute.
import {writeFileSync} from 'node:fs';
import {importTypeScript} from '../../scripts/page.mjs';

const {trainedWeights} = await importTypeScript('test/tflite/digits.ts');
writeFileSync('test/tflite/digits.bin', await trainedWeights(12));
