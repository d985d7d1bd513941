// The published limits of documents: what one parser takes in, and what an export writes. docs/errors.md
// lists them for users. A parser does not throw: what is over a limit is left out, and a warning says so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galago::limits {

/// Bytes that one parser reads; the rest is left out.
inline constexpr size_t kDocumentBytes = size_t{64} << 20;
/// Pages of one parser: further page breaks are passed over.
inline constexpr int kDocumentPages = 100'000;
/// Elements of one parser, captions among them; cells of all its tables; keys and values, and their links.
inline constexpr int64_t kDocumentElements = 500'000;
inline constexpr int64_t kDocumentCells = 1'000'000;
inline constexpr int64_t kDocumentKeyValues = 200'000;
/// Places of one table, rows times columns, and of all tables; docling-core refuses documents with more.
inline constexpr int64_t kTablePlaces = 1'000'000;
inline constexpr int64_t kDocumentPlaces = 5'000'000;
/// Elements open at a time; tags of deeper ones are passed over, their words are kept.
inline constexpr size_t kDocumentDepth = 32;
/// Bytes of a tag, from < to >; what is longer is words.
inline constexpr size_t kDocTagBytes = 64;
inline constexpr size_t kDocLangTagBytes = 4096;
/// Warnings that are kept, the first of them.
inline constexpr size_t kDocumentWarnings = 1000;
/// Bytes that the tables of a document may take in Markdown and text for columns padded to equal widths and
/// for words repeated in every place of a span; from then on tables are written without padding, and words
/// once.
inline constexpr size_t kPaddedBytes = size_t{64} << 20;

}  // namespace galago::limits
