// What generated C++ calls of TensorFlow Lite Micro, declared anew, as no package registry has its headers: each method of its
// MicroMutableOpResolver with the operator that it registers, taken from tensorflow/lite/micro/micro_mutable_op_resolver.h of
// https://github.com/tensorflow/tflite-micro at commit 90b983c2b3f1480642e040bbd2ddb37b998f3424.
#ifndef MICRO_MUTABLE_OP_RESOLVER_H_
#define MICRO_MUTABLE_OP_RESOLVER_H_

#include <string.h>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

#define OPERATORS \
  OPERATOR(Abs, "ABS") \
  OPERATOR(Add, "ADD") \
  OPERATOR(AddN, "ADD_N") \
  OPERATOR(ArgMax, "ARG_MAX") \
  OPERATOR(ArgMin, "ARG_MIN") \
  OPERATOR(AssignVariable, "ASSIGN_VARIABLE") \
  OPERATOR(AveragePool2D, "AVERAGE_POOL_2D") \
  OPERATOR(BatchMatMul, "BATCH_MATMUL") \
  OPERATOR(BatchToSpaceNd, "BATCH_TO_SPACE_ND") \
  OPERATOR(BroadcastArgs, "BROADCAST_ARGS") \
  OPERATOR(BroadcastTo, "BROADCAST_TO") \
  OPERATOR(CallOnce, "CALL_ONCE") \
  OPERATOR(Cast, "CAST") \
  OPERATOR(Ceil, "CEIL") \
  OPERATOR(CircularBuffer, "CIRCULAR_BUFFER") \
  OPERATOR(Concatenation, "CONCATENATION") \
  OPERATOR(Conv2D, "CONV_2D") \
  OPERATOR(Cos, "COS") \
  OPERATOR(CumSum, "CUMSUM") \
  OPERATOR(Decode, "TFLM_DECODE") \
  OPERATOR(Delay, "SignalDelay") \
  OPERATOR(DepthToSpace, "DEPTH_TO_SPACE") \
  OPERATOR(DepthwiseConv2D, "DEPTHWISE_CONV_2D") \
  OPERATOR(Dequantize, "DEQUANTIZE") \
  OPERATOR(DetectionPostprocess, "TFLite_Detection_PostProcess") \
  OPERATOR(Div, "DIV") \
  OPERATOR(DynamicUpdateSlice, "DYNAMIC_UPDATE_SLICE") \
  OPERATOR(Elu, "ELU") \
  OPERATOR(EmbeddingLookup, "EMBEDDING_LOOKUP") \
  OPERATOR(Energy, "SignalEnergy") \
  OPERATOR(Equal, "EQUAL") \
  OPERATOR(EthosU, "ethos-u") \
  OPERATOR(Exp, "EXP") \
  OPERATOR(ExpandDims, "EXPAND_DIMS") \
  OPERATOR(FftAutoScale, "SignalFftAutoScale") \
  OPERATOR(Fill, "FILL") \
  OPERATOR(FilterBank, "SignalFilterBank") \
  OPERATOR(FilterBankLog, "SignalFilterBankLog") \
  OPERATOR(FilterBankSpectralSubtraction, "SignalFilterBankSpectralSubtraction") \
  OPERATOR(FilterBankSquareRoot, "SignalFilterBankSquareRoot") \
  OPERATOR(Floor, "FLOOR") \
  OPERATOR(FloorDiv, "FLOOR_DIV") \
  OPERATOR(FloorMod, "FLOOR_MOD") \
  OPERATOR(Framer, "SignalFramer") \
  OPERATOR(FullyConnected, "FULLY_CONNECTED") \
  OPERATOR(Gather, "GATHER") \
  OPERATOR(GatherNd, "GATHER_ND") \
  OPERATOR(Greater, "GREATER") \
  OPERATOR(GreaterEqual, "GREATER_EQUAL") \
  OPERATOR(HardSwish, "HARD_SWISH") \
  OPERATOR(If, "IF") \
  OPERATOR(Irfft, "SignalIrfft") \
  OPERATOR(L2Normalization, "L2_NORMALIZATION") \
  OPERATOR(L2Pool2D, "L2_POOL_2D") \
  OPERATOR(LeakyRelu, "LEAKY_RELU") \
  OPERATOR(Less, "LESS") \
  OPERATOR(LessEqual, "LESS_EQUAL") \
  OPERATOR(Log, "LOG") \
  OPERATOR(LogSoftmax, "LOG_SOFTMAX") \
  OPERATOR(LogicalAnd, "LOGICAL_AND") \
  OPERATOR(LogicalNot, "LOGICAL_NOT") \
  OPERATOR(LogicalOr, "LOGICAL_OR") \
  OPERATOR(Logistic, "LOGISTIC") \
  OPERATOR(MaxPool2D, "MAX_POOL_2D") \
  OPERATOR(Maximum, "MAXIMUM") \
  OPERATOR(Mean, "MEAN") \
  OPERATOR(Minimum, "MINIMUM") \
  OPERATOR(MirrorPad, "MIRROR_PAD") \
  OPERATOR(Mul, "MUL") \
  OPERATOR(Neg, "NEG") \
  OPERATOR(NotEqual, "NOT_EQUAL") \
  OPERATOR(OverlapAdd, "SignalOverlapAdd") \
  OPERATOR(PCAN, "SignalPCAN") \
  OPERATOR(Pack, "PACK") \
  OPERATOR(Pad, "PAD") \
  OPERATOR(PadV2, "PADV2") \
  OPERATOR(Prelu, "PRELU") \
  OPERATOR(Quantize, "QUANTIZE") \
  OPERATOR(ReadVariable, "READ_VARIABLE") \
  OPERATOR(ReduceAll, "REDUCE_ALL") \
  OPERATOR(ReduceMax, "REDUCE_MAX") \
  OPERATOR(ReduceMin, "REDUCE_MIN") \
  OPERATOR(Relu, "RELU") \
  OPERATOR(Relu6, "RELU6") \
  OPERATOR(Reshape, "RESHAPE") \
  OPERATOR(ResizeBilinear, "RESIZE_BILINEAR") \
  OPERATOR(ResizeNearestNeighbor, "RESIZE_NEAREST_NEIGHBOR") \
  OPERATOR(ReverseV2, "REVERSE_V2") \
  OPERATOR(Rfft, "SignalRfft") \
  OPERATOR(Round, "ROUND") \
  OPERATOR(Rsqrt, "RSQRT") \
  OPERATOR(SelectV2, "SELECT_V2") \
  OPERATOR(Shape, "SHAPE") \
  OPERATOR(Sin, "SIN") \
  OPERATOR(Slice, "SLICE") \
  OPERATOR(Softmax, "SOFTMAX") \
  OPERATOR(SpaceToBatchNd, "SPACE_TO_BATCH_ND") \
  OPERATOR(SpaceToDepth, "SPACE_TO_DEPTH") \
  OPERATOR(Split, "SPLIT") \
  OPERATOR(SplitV, "SPLIT_V") \
  OPERATOR(Sqrt, "SQRT") \
  OPERATOR(Square, "SQUARE") \
  OPERATOR(SquaredDifference, "SQUARED_DIFFERENCE") \
  OPERATOR(Squeeze, "SQUEEZE") \
  OPERATOR(Stacker, "SignalStacker") \
  OPERATOR(StridedSlice, "STRIDED_SLICE") \
  OPERATOR(Sub, "SUB") \
  OPERATOR(Sum, "SUM") \
  OPERATOR(Svdf, "SVDF") \
  OPERATOR(Tanh, "TANH") \
  OPERATOR(Transpose, "TRANSPOSE") \
  OPERATOR(TransposeConv, "TRANSPOSE_CONV") \
  OPERATOR(UnidirectionalSequenceLSTM, "UNIDIRECTIONAL_SEQUENCE_LSTM") \
  OPERATOR(Unpack, "UNPACK") \
  OPERATOR(VarHandle, "VAR_HANDLE") \
  OPERATOR(While, "WHILE") \
  OPERATOR(Window, "SignalWindow") \
  OPERATOR(ZerosLike, "ZEROS_LIKE")

namespace tflite {

class MicroOpResolver {};

template <unsigned int tOpCount>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
#define OPERATOR(method, name) \
  TfLiteStatus Add##method() { return Add(name); }
  OPERATORS
#undef OPERATOR

  unsigned int count = 0;
  const char* names[tOpCount];

 private:
  // Refuses what is there already, and more than were announced, as the resolver does.
  TfLiteStatus Add(const char* name) {
    for (unsigned int i = 0; i < count; ++i) {
      if (strcmp(names[i], name) == 0) return kTfLiteError;
    }
    if (count == tOpCount) return kTfLiteError;
    names[count++] = name;
    return kTfLiteOk;
  }
};

}  // namespace tflite

#endif  // MICRO_MUTABLE_OP_RESOLVER_H_
