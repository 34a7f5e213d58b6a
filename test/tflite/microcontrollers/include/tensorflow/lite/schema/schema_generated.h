// What a sketch calls of the schema, declared anew: see micro_mutable_op_resolver.h.
#ifndef SCHEMA_GENERATED_H_
#define SCHEMA_GENERATED_H_

#include <stdint.h>

#define TFLITE_SCHEMA_VERSION 3

namespace tflite {

class Model {
 public:
  uint32_t version() const { return TFLITE_SCHEMA_VERSION; }
};

inline const Model* GetModel(const void* bytes) { return static_cast<const Model*>(bytes); }

}  // namespace tflite

#endif  // SCHEMA_GENERATED_H_
