/** From a model to one that trains quantized as tfmot has it. */
import type {LayersModel} from '@tensorflow/tfjs-layers';
import {isRecord, throwProblems} from '../../check/rules';
import {allLayers, asContainer, flatten, graphOf, isContainer, type Layer, leavesOf} from '../../layers/graph';
import {cloneLayer, rebuild} from '../../layers/rebuild';
import {namingProblems, quantizeProblems} from '../options/check_options';
import type {TfmotOptions} from '../options/options';
import {placeAsTfmot} from './placement';
import {QuantizeLayer} from './quantize_layer';
import {separableProblems, withoutSeparables} from './separable';
import {QuantizeWrapperV2} from './wrappers';

/** What rounds a model's inputs. */
const INPUT = {
  className: 'AllValuesQuantizer',
  config: {numBits: 8, perAxis: false, symmetric: false, narrowRange: false},
};

/**
 * A copy of `model` that trains as one that tfmot's quantize_model gave.
 *
 * @param model - Sequential or functional, built, with no model inside.
 * @param options - which layers are left as they are.
 */
export function quantizeAsTfmot(model: LayersModel, options: TfmotOptions): LayersModel {
  const layers: NonNullable<TfmotOptions['layers']> = isRecord(options.layers) ? options.layers : {};
  const isFloat = ({name}: Layer) => layers[name] === false;
  const original = asContainer(model);
  const [leaves, named] = [leavesOf(original), allLayers(original)];
  const apart = withoutSeparables(model, leaves, isFloat);
  try {
    const container = apart ? asContainer(apart) : original;
    const nested = graphOf(container).layers.filter(isContainer);
    const all = [...named, ...allLayers(container)];
    const {places, problems} = placeAsTfmot(flatten(container));
    throwProblems('quantizeModel', [
      ...quantizeProblems(options),
      ...namingProblems(all, layers),
      ...separableProblems(leaves, isFloat),
      ...nested.map(({name}) => `model ${name} is inside another, which scheme 'tfmot' does not support.`),
      ...(nested.length > 0 ? [] : problems.filter(({layer}) => layers[layer] !== false).map(({message}) => message)),
    ]);
    return rebuild(apart ?? model, {
      replace: layer => {
        const copy = cloneLayer(layer);
        const place = isFloat(layer) ? undefined : places.get(layer);
        const wrapper = place && new QuantizeWrapperV2({layer: copy, name: `quant_${layer.name}`, ...place});
        return {layer: wrapper ?? copy, variables: {to: copy, from: layer}};
      },
      onInput: (_, index) =>
        new QuantizeLayer({name: index === 0 ? 'quantize_layer' : `quantize_layer_${index}`, quantizer: INPUT}),
    });
  } finally {
    apart?.dispose();
  }
}
