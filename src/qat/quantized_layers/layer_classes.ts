/** The classes of layers that round, registered: models that have them load wherever this is imported. */
import {serialization} from '@tensorflow/tfjs-core';
import {QuantizeLayer} from '../tfmot/quantize_layer';
import {QuantizeWrapper, QuantizeWrapperV2} from '../tfmot/wrappers';
import {QuantizedInput} from './quantized_input';
import {QuantizedLayer} from './quantized_layer';
import {PACKAGE} from './saved_config';

const {classNameMap} = serialization.SerializationMap.getMap();
for (const [name, cls] of Object.entries({QuantizedInput, QuantizedLayer})) {
  serialization.registerClass(cls, PACKAGE, name);
  // Models of version 0.1 have the name alone.
  classNameMap[name] = classNameMap[cls.className]!;
}
// As tfmot names them.
for (const cls of [QuantizeWrapperV2, QuantizeWrapper, QuantizeLayer]) serialization.registerClass(cls);
