// Mutators that know a format: an input stays well-formed enough to pass the first checks, so that the code
// behind them is reached. In: a file. Out: a changed one, written over it, at most `most` bytes.
// Each falls back on libFuzzer's own changes of bytes, now and then and for what it cannot read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace galago::fuzz {

using Random = std::minstd_rand;

/// A number in [0, count); count is at least 1.
size_t pick(Random& random, size_t count);
/// `text` after libFuzzer's own mutation, at most `most` bytes.
std::string mutate_bytes(std::string_view text, size_t most);

/// Changes one value, key or text somewhere in a document.
void mutate_json(Json& document, Random& random);
/// Puts a value of `other` into the document.
void cross_json(Json& document, const Json& other, Random& random);

/// In the form of LLVMFuzzerCustomMutator.
size_t mutate_json_file(uint8_t* data, size_t size, size_t most, unsigned seed);
size_t mutate_safetensors_file(uint8_t* data, size_t size, size_t most, unsigned seed);
size_t mutate_gguf_file(uint8_t* data, size_t size, size_t most, unsigned seed);

/// The bytes of `text` into `data`; 0 when they are more than `most`.
size_t put(std::string_view text, uint8_t* data, size_t most);

}  // namespace galago::fuzz

/// Defines libFuzzer's hook in a target.
#define GALAGO_FUZZ_MUTATOR(function)                                                                 \
  extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) { \
    return galago::fuzz::function(data, size, most, seed);                                            \
  }
