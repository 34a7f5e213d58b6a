/** The step that shows what quantization costs. */
import {Step} from '../components/step';
import {Agreement} from '../see/agreement';
import {Confusion} from '../see/confusion';
import {Layers} from '../see/layers';
import {Stale} from '../see/stale';
import {scores} from '../state';
import '../see/see.css';

export function See() {
  const found = scores.value;
  return (
    <Step step="see" title="See what it costs" lead="The quantized model beside the float one, on your samples.">
      {found && (
        <>
          <Stale />
          <Agreement of={found} />
          <Layers />
          {found.confusion && (
            <Confusion counts={found.confusion} labels={found.labels} ofTruth={found.accuracy !== undefined} />
          )}
        </>
      )}
    </Step>
  );
}
