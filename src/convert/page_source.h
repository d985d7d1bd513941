// The pages of files as items of a batch. In: files and folders. Out: an item for each page, whose request is
// made of the page's picture, and whose record is a PageRecord.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "batch/batch.h"
#include "convert/page_counter.h"
#include "convert/page_file.h"
#include "convert/page_range.h"

namespace galago::convert {

struct PageOptions {
  DrawOptions draw;
  PageRange pages;
  bool retry = true;  ///< a page with a PageProblem is asked about once more, with kRetryTemperature
  /// A PDF's own words, and what was read of the page so far, are tried as guesses (convert/text_draft.h):
  /// faster where they are right, and never another answer.
  bool draft = true;
};

/// How the second attempt is made: sampled, from the first seed that is not the run's.
inline constexpr double kRetryTemperature = 0.3;
inline constexpr double kRetryTopP = 0.95;

/// Files in their order, those of a folder by name, with folders in it.
class PageSource final : public batch::Source {
 public:
  /// Nothing is opened but to count. Error{not_found} for what is not there and for a folder without
  /// documents, Error{usage} for no inputs at all.
  PageSource(std::vector<std::filesystem::path> inputs, PageOptions options);

  std::optional<batch::Item> next() override;
  /// Counted on a thread of its own.
  std::optional<int64_t> total() const override;

 private:
  std::vector<std::filesystem::path> inputs_;
  PageOptions options_;
  FileWalk files_;
  std::unique_ptr<PageCounter> counter_;
  int64_t number_ = -1;         // of the file whose pages come
  std::filesystem::path path_;  // its path
  std::string version_;         // its size and time
  std::shared_ptr<const PageFile> file_;
  int64_t wanted_ = 0;   // pages of it
  int64_t page_ = 0;     // the last one that came
  int64_t of_file_ = 0;  // pages that came
};

}  // namespace galago::convert
