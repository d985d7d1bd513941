// Sources of one file each: lines of JSON, tables, archives. Each gives an item for whatever it cannot read,
// so that a bad line costs itself alone.
#pragma once

#include <memory>

#include "batch/sources.h"
#include "io/byte_source.h"

namespace galago::batch {

/// An item that is this error, at this place.
Item error_item(const std::string& where, const Error& error);
/// "FILE:LINE".
std::string place_of(const LineReader& lines, int64_t number);
/// 16 hexadecimal digits of the SHA-256 of a text, for Item::identity.
std::string digest_text(std::string_view text);

std::unique_ptr<Source> jsonl_source(LineReader lines, const SourceOptions& options);
std::unique_ptr<Source> csv_source(LineReader lines, char separator, const SourceOptions& options);
std::unique_ptr<Source> tar_source(const std::filesystem::path& file, const SourceOptions& options);

}  // namespace galago::batch
