/**
 * Makes schema_numbers.ts of TensorFlow Lite's published schemas, or, with --check, tells whether it is what they say. Python
 * packages of Google carry them as code that flatc made: test/tflite/requirements*.txt has their versions.
 */
import {execFileSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import prettier from 'prettier';

/** Tables of the union BuiltinOptions. */
const OPTIONS = {
  AbsOptions: '',
  AddOptions: 'fusedActivationFunction potScaleInt16',
  ArgMaxOptions: 'outputType',
  ArgMinOptions: 'outputType',
  BatchMatMulOptions: 'adjX adjY asymmetricQuantizeInputs',
  BatchToSpaceNDOptions: '',
  BroadcastToOptions: '',
  CastOptions: 'inDataType outDataType',
  ConcatenationOptions: 'axis fusedActivationFunction',
  Conv3DOptions:
    'padding strideD strideW strideH fusedActivationFunction dilationDFactor dilationWFactor dilationHFactor',
  Conv2DOptions: 'padding strideW strideH fusedActivationFunction dilationWFactor dilationHFactor',
  CosOptions: '',
  CumsumOptions: 'exclusive reverse',
  DepthToSpaceOptions: 'blockSize',
  DepthwiseConv2DOptions:
    'padding strideW strideH depthMultiplier fusedActivationFunction dilationWFactor dilationHFactor',
  DequantizeOptions: '',
  DivOptions: 'fusedActivationFunction',
  EqualOptions: '',
  ExpOptions: '',
  FillOptions: '',
  FloorDivOptions: '',
  FloorModOptions: '',
  FullyConnectedOptions: 'fusedActivationFunction keepNumDims asymmetricQuantizeInputs',
  GatherNdOptions: '',
  GatherOptions: 'axis batchDims',
  GeluOptions: 'approximate',
  GreaterEqualOptions: '',
  GreaterOptions: '',
  LeakyReluOptions: 'alpha',
  LessEqualOptions: '',
  LessOptions: '',
  LogSoftmaxOptions: '',
  LogicalAndOptions: '',
  LogicalNotOptions: '',
  LogicalOrOptions: '',
  MaximumMinimumOptions: '',
  MirrorPadOptions: 'mode',
  MulOptions: 'fusedActivationFunction',
  NegOptions: '',
  NotEqualOptions: '',
  OneHotOptions: 'axis',
  PackOptions: 'valuesCount axis',
  PadOptions: '',
  PadV2Options: '',
  Pool2DOptions: 'padding strideW strideH filterWidth filterHeight fusedActivationFunction',
  PowOptions: '',
  QuantizeOptions: '',
  ReducerOptions: 'keepDims',
  ReshapeOptions: '',
  ResizeBilinearOptions: 'alignCorners halfPixelCenters',
  ResizeNearestNeighborOptions: 'alignCorners halfPixelCenters',
  ReverseV2Options: '',
  ScatterNdOptions: '',
  SelectV2Options: '',
  ShapeOptions: 'outType',
  SignOptions: '',
  SliceOptions: '',
  SoftmaxOptions: 'beta',
  SpaceToBatchNDOptions: '',
  SpaceToDepthOptions: 'blockSize',
  SplitVOptions: 'numSplits',
  SquareOptions: '',
  SquaredDifferenceOptions: '',
  StridedSliceOptions: 'beginMask endMask shrinkAxisMask',
  SubOptions: 'fusedActivationFunction potScaleInt16',
  TileOptions: '',
  TopKV2Options: '',
  TransposeConvOptions: 'padding strideW strideH fusedActivationFunction',
  TransposeOptions: '',
  UnidirectionalSequenceLSTMOptions: 'fusedActivationFunction cellClip projClip timeMajor asymmetricQuantizeInputs',
  UnpackOptions: 'num axis',
};

/**
 * Of each module: the fields of tables, the names in enums, the enums that readers need all names of, and the table that a file
 * begins with.
 */
const USED = [
  {
    module: 'ai_edge_litert/schema_py_generated.py',
    tables: {
      Model: 'version operatorCodes subgraphs description buffers metadata signatureDefs',
      SubGraph: 'tensors inputs outputs operators name',
      Tensor: 'shape type buffer name quantization isVariable shapeSignature hasRank',
      QuantizationParameters: 'scale zeroPoint quantizedDimension',
      OperatorCode: 'deprecatedBuiltinCode customCode version builtinCode',
      Operator: 'opcodeIndex inputs outputs builtinOptionsType builtinOptions intermediates',
      Buffer: 'data',
      Metadata: 'name buffer',
      SignatureDef: 'inputs outputs signatureKey',
      TensorMap: 'name tensorIndex',
      ...OPTIONS,
    },
    enums: {
      ActivationFunctionType: 'NONE RELU RELU_N1_TO_1 RELU6 TANH',
      BuiltinOperator:
        'ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_TO CAST CEIL ' +
        'CONCATENATION CONV_2D CONV_3D CONV_3D_TRANSPOSE COS CUMSUM DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU ' +
        'EMBEDDING_LOOKUP EQUAL EXP FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GELU GREATER ' +
        'GREATER_EQUAL LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM ' +
        'MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE REDUCE_ALL ' +
        'REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ' +
        'ROUND RSQRT SCATTER_ND SELECT_V2 SHAPE SIGN SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT_V SQRT ' +
        'SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV ' +
        'UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK',
      BuiltinOptions: Object.keys(OPTIONS).join(' '),
      MirrorPadMode: 'REFLECT SYMMETRIC',
      Padding: 'SAME VALID',
      TensorType: 'FLOAT32 FLOAT16 INT32 UINT8 INT64 BOOL INT16 INT8 INT4',
    },
    names: ['BuiltinOperator', 'TensorType'],
    root: 'Model',
  },
  {
    module: 'mediapipe/tasks/metadata/metadata_schema_py_generated.py',
    tables: {
      ModelMetadata: 'name description subgraphMetadata minParserVersion',
      SubGraphMetadata: 'inputTensorMetadata outputTensorMetadata',
      TensorMetadata: 'name associatedFiles',
      AssociatedFile: 'name type',
    },
    enums: {AssociatedFileType: 'TENSOR_AXIS_LABELS'},
    names: [],
    root: 'ModelMetadata',
  },
];

const project = fileURLToPath(new URL('../', import.meta.url));
const output = join(project, 'src/export/tflite/schema_numbers.ts');

function run(program, ...args) {
  return execFileSync(program, args, {encoding: 'utf8', cwd: project}).trim();
}

/** What a pattern finds in a module, or an error that names what the module lacks. */
function found(pattern, {text, module}, what) {
  const match = pattern.exec(text);
  if (!match) throw new Error(`${module} has no ${what}. Has the schema changed?`);
  return match;
}

function fieldOf(table, name, source) {
  const writer = `def ${table}Add${name[0].toUpperCase()}${name.slice(1)}\\(builder, \\w+\\):`;
  const slot = new RegExp(`^${writer}\\n +builder\\.Prepend(\\w+)Slot\\((\\d+), .+, ([-\\d.]+)\\)$`, 'm');
  const [, type, number, ifAbsent] = found(slot, source, `field ${table}.${name}`);
  return `[${number}, '${type === 'UOffsetTRelative' ? 'offset' : type.toLowerCase()}', ${Number(ifAbsent)}]`;
}

function numberOf(name, value, source) {
  const line = new RegExp(`^class ${name}\\(object\\):\\n(?: +\\w+ = \\d+\\n)*? +${value} = (\\d+)$`, 'm');
  return found(line, source, `${name}.${value}`)[1];
}

/** An enum's names, each at its number. */
function namesOf(name, source) {
  const [body] = found(new RegExp(`^class ${name}\\(object\\):\\n(?: +\\w+ = \\d+\\n)+`, 'm'), source, name);
  const names = [];
  for (const [, value, number] of body.matchAll(/^ +(\w+) = (\d+)$/gm)) names[number] = `'${value}'`;
  return `${name}: [${Array.from(names, each => each ?? "''")}]`;
}

function identifierOf(source) {
  const bytes = new RegExp(`def ${source.root}BufferHasIdentifier.*\\n.*b"((?:\\\\x[0-9A-F]{2}){4})"`);
  const [, escaped] = found(bytes, source, `identifier of ${source.root}`);
  return `'${Buffer.from(escaped.replaceAll('\\x', ''), 'hex').toString('latin1')}'`;
}

function sourcesOf(python) {
  const packages = run(python, '-c', "import sysconfig; print(sysconfig.get_path('purelib'))");
  return USED.map(used => ({...used, text: readFileSync(join(packages, used.module), 'utf8')}));
}

function written(sources) {
  const constant = (name, entriesOf) => `export const ${name} = {${sources.flatMap(entriesOf).join(',')}} as const;`;
  const records = (lists, valueOf) =>
    Object.entries(lists).map(([owner, names]) => {
      const entries = names.split(' ').filter(Boolean);
      return `${owner}: {${entries.map(name => `${name}: ${valueOf(owner, name)}`).join(', ')}}`;
    });
  return `/** Made of the published schemas by \`npm run build:schema\`. */

/** Tables' fields: their slot, their type, and the value that need not be written. */
${constant('TABLES', source => records(source.tables, (table, name) => fieldOf(table, name, source)))}

/** Enums, and unions, whose numbers are those of tables. */
${constant('ENUMS', source => records(source.enums, (name, value) => numberOf(name, value, source)))}

/** All names of enums, in the order of their numbers, for readers. */
${constant('NAMES', source => source.names.map(name => namesOf(name, source)))}

/** What tells a file, by the table that is its root. */
${constant('IDENTIFIERS', source => `${source.root}: ${identifierOf(source)}`)}
`;
}

const python = run(process.execPath, 'scripts/python.mjs', 'test/tflite');
const style = await prettier.resolveConfig(output);
const text = await prettier.format(written(sourcesOf(python)), {...style, filepath: output});
if (!process.argv.includes('--check')) writeFileSync(output, text);
else if (readFileSync(output, 'utf8') !== text) {
  console.error('src/export/tflite/schema_numbers.ts is not what the published schemas say: npm run build:schema');
  process.exit(1);
}
