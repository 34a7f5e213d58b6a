/**
 * Models of any kind as LayersModels: graph models, and the layers models of Keras 2 and 3. Importing this registers what
 * such models are made of, so that saved ones load.
 *
 * @packageDocumentation
 */
import '../graph_model/segment_class';
import './graph_model';
import './qat';

export {cutModel, type CutOptions} from '../import/cut_model';
export {describeImport, type ImportDescription, type ImportRow} from '../import/describe';
export type {ModelSource} from '../graph_model/model_source';
export {importModel, type ImportOptions, type ImportProgress} from '../import/import_model';
export {mendLayers} from '../import/keras/mend_layers';
