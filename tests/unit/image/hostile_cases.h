// Damaged, lying and foreign files, most of them made by changing a few bytes of a good one.
// Out: name, bytes and the error that decode_image owes each.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "galago/error.h"

namespace galago::image_test {

using Bytes = std::string;

struct Hostile {
  const char* name;
  Bytes bytes;
  ErrorCode code;
};

/// A file of tests/data/images.
Bytes good(const std::string& name);
/// The bytes with some of them replaced at a place.
Bytes patched(Bytes bytes, size_t at, std::string_view with);
/// The file with bytes replaced at `offset` after the first place where `mark` stands.
Bytes patched_after(const std::string& name, std::string_view mark, size_t offset, std::string_view with);
/// Four bytes of a number, the highest or the lowest first.
Bytes big32(uint32_t value);
Bytes little32(uint32_t value);
/// A PNG of that size: `rest` of the header from the depth on, and rows with their filters' numbers.
Bytes png_of(uint32_t width, uint32_t height, std::string_view rest, std::string_view rows);

/// The error that decode_image has for the file; a test failure, and `internal`, when it has none.
ErrorCode refusal(const Bytes& bytes, const char* name);
/// Decodes some `prefixes` of a good file, and `rounds` copies with a few bytes changed: how many were
/// refused. Any Error but `internal` is an answer.
int answer_damage(const char* name, size_t prefixes, int rounds, std::mt19937& random);

/// Files of formats that are not decoded, and of none.
std::vector<Hostile> foreign_files();
/// The whole table.
std::vector<Hostile> all_hostile();

}  // namespace galago::image_test
