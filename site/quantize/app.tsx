/** The main page: from a model to files, step by step. */
import {Files} from './panels/files';
import {Model} from './panels/model';
import {Quantize} from './panels/quantize';
import {Run} from './panels/run';
import {Samples} from './panels/samples';
import {See} from './panels/see';
import {model, samples, scores} from './state';

export function App() {
  return (
    <>
      <h1>Quantize a model in this browser</h1>
      <Model />
      {model.value && <Samples />}
      {samples.value && <Quantize />}
      {scores.value && (
        <>
          <See />
          <Files />
          <Run />
        </>
      )}
    </>
  );
}
