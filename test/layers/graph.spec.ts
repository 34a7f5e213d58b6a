/** Who gives and takes the tensors of a model without its nesting. */
import * as tfl from '@tensorflow/tfjs-layers';
import {asContainer, flatten} from '../../src/layers/graph';
import {scoped} from '../support/scoped';

const {layers} = tfl;
const symbolic = (value: unknown) => value as tfl.SymbolicTensor;

describe('A flat graph', () => {
  scoped();

  const graph = () => {
    const x = tfl.input({shape: [3], name: 'x'});
    const inner = tfl.sequential({layers: [layers.dense({units: 3, inputShape: [3], name: 'inside'})]});
    const y = symbolic(inner.apply(symbolic(layers.dense({units: 3, name: 'first'}).apply(x))));
    const twice = symbolic(layers.add({name: 'twice'}).apply([y, y]));
    const last = symbolic(layers.reLU({name: 'last'}).apply(twice));
    const flat = flatten(asContainer(tfl.model({inputs: x, outputs: [last, twice]})));
    const named = (name: string) => flat.ops.find(({layer}) => layer.name === name)!;
    const tensor = (name: string) => named(name).outputs[0]!;
    return {flat, named, tensor};
  };

  it('knows who gives a tensor, also out of a model within', () => {
    const {flat, named, tensor} = graph();
    expect(flat.producer(tensor('inside'))).toBe(named('inside'));
    expect(named('twice').inputs).toEqual([tensor('inside'), tensor('inside')]);
    expect(flat.producer(flat.inputs[0]!)).toBeUndefined();
  });

  it('counts who takes a tensor twice once', () => {
    const {flat, named, tensor} = graph();
    expect(flat.consumers(tensor('first'))).toEqual([named('inside')]);
    expect(flat.consumers(tensor('inside'))).toEqual([named('twice')]);
    expect(flat.soleConsumer(tensor('inside'))).toBe(named('twice'));
    expect(flat.consumers(tensor('last'))).toEqual([]);
  });

  it('has no sole consumer of what the model puts out', () => {
    const {flat, named, tensor} = graph();
    expect(flat.consumers(tensor('twice'))).toEqual([named('last')]);
    expect(flat.soleConsumer(tensor('twice'))).toBeUndefined();
    expect(flat.soleConsumer(tensor('last'))).toBeUndefined();
  });
});
