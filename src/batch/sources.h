// Where items come from. In: words as a command line has them: folders, patterns, pictures, and files that
// hold or list items. Out: one source of all of them, in that order.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batch/batch.h"

namespace galago::batch {

/// What a word is.
enum class Form {
  by_name,   ///< a folder, a pattern, or as the ending says; what ends otherwise is a picture
  pictures,  ///< a folder, a pattern or a picture
  list,      ///< a file with one word of a picture in each line (.txt, .lst)
  jsonl,     ///< a file with an object in each line (.jsonl, .ndjson)
  csv,       ///< a table with a line of names (.csv, .tsv)
  tar,       ///< an archive of pictures and what stands beside them (.tar)
};

/// Names of columns, or keys, in place of the usual ones; empty: the usual ones.
struct Columns {
  std::string image;
  std::string id;
  std::string prompt;
};

/// Reads a line that is a request of OpenAI's batch API; see SourceOptions.
using ReadCall = std::function<Item(std::string line, const std::string& id, const std::string& where)>;

struct SourceOptions {
  Form form = Form::by_name;
  Columns columns;
  /// Where relative names in a file of items begin; empty: the file's own folder, of a list and of standard
  /// input the current one.
  std::filesystem::path image_root;
  /// Of lines with custom_id and body; empty: such a line is an error of its item. The id is custom_id.
  ReadCall read_call;
};

/// "-" is standard input: JSON lines if its first byte is "{", else a list. Nothing is opened but to count.
/// Error{usage} for no words at all, Error{not_found} for what is not there and for a folder or pattern
/// without pictures, Error{input_invalid} for a table without a column of pictures,
/// Error{unsupported_media} for a compressed archive.
std::unique_ptr<Source> open_source(const std::vector<std::string>& words, const SourceOptions& options = {});
/// Whether items may bring their questions: not those of folders, patterns, pictures and lists.
bool brings_questions(const std::vector<std::string>& words, const SourceOptions& options);

/// Whether a file's name ends as those of pictures that are decoded: .jpg, .PNG.
bool ends_like_picture(std::string_view name);

/// The picture that a word names, below `root` if it is relative: a path, a file: or data: URI. Error{usage}
/// for an address on the web, errors of the picture.
Image open_picture(const std::string& word, const std::filesystem::path& root);
/// A word in a record or an error: a data: URI without its bytes.
std::string shown_word(const std::string& word);

}  // namespace galago::batch
