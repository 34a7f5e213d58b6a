// What a sketch calls of the interpreter, declared anew: see micro_mutable_op_resolver.h. It computes nothing: byte i of each
// output is what byte i of the first input is, plus i.
#ifndef MICRO_INTERPRETER_H_
#define MICRO_INTERPRETER_H_

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

struct TfLiteTensor {
  union {
    bool* b;
    float* f;
    int16_t* i16;
    int32_t* i32;
    int64_t* i64;
    int8_t* int8;
    uint8_t* uint8;
    uint8_t* raw;
  } data;
};

namespace tflite {

class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t* arena, size_t size) : arena_(arena), size_(size) {}

  TfLiteStatus AllocateTensors() {
    const bool is_aligned = reinterpret_cast<uintptr_t>(arena_) % 16 == 0;
    for (size_t i = 0; i < kPorts; ++i) {
      inputs_[i].data.raw = bytes_[i];
      outputs_[i].data.raw = bytes_[kPorts + i];
    }
    return is_aligned ? kTfLiteOk : kTfLiteError;
  }

  TfLiteStatus Invoke() {
    for (size_t i = 0; i < kPorts; ++i) {
      for (size_t n = 0; n < kBytes; ++n) bytes_[kPorts + i][n] = static_cast<uint8_t>(bytes_[0][n] + n);
    }
    return kTfLiteOk;
  }

  TfLiteTensor* input(size_t i) { return &inputs_[i]; }
  TfLiteTensor* output(size_t i) { return &outputs_[i]; }
  size_t arena_used_bytes() const { return size_; }

 private:
  static constexpr size_t kPorts = 4;
  static constexpr size_t kBytes = 1 << 16;
  uint8_t* arena_;
  size_t size_;
  TfLiteTensor inputs_[kPorts];
  TfLiteTensor outputs_[kPorts];
  alignas(16) uint8_t bytes_[2 * kPorts][kBytes];
};

}  // namespace tflite

#endif  // MICRO_INTERPRETER_H_
