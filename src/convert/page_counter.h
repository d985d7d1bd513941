// How many pages there are in all, counted beside the run, which does not wait for it. In: files and folders.
// Out: files in their order; at some time the number of pages.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "batch/walk.h"
#include "convert/page_file.h"
#include "convert/page_range.h"

namespace galago::convert {

/// Files in the order of the inputs, those of a folder by name, with folders in it.
class FileWalk {
 public:
  explicit FileWalk(std::vector<std::filesystem::path> inputs) : inputs_(std::move(inputs)) {}
  /// None at the end. Error{not_found} for a folder that cannot be read.
  std::optional<std::filesystem::path> next();

 private:
  std::vector<std::filesystem::path> inputs_;
  size_t input_ = 0;
  std::optional<batch::Walk> walk_;
};

/// Pages of a file that are among those that are wanted; 1 where there are none: an error of its own.
int64_t wanted_pages(const PageFile& file, const PageRange& range);

class PageCounter {
 public:
  PageCounter(std::vector<std::filesystem::path> inputs, DrawOptions draw, PageRange range);
  /// What is being counted is left.
  ~PageCounter();
  PageCounter(const PageCounter&) = delete;
  PageCounter& operator=(const PageCounter&) = delete;

  /// Begins to count when it is first called; nothing until it is done, and if that cannot be.
  std::optional<int64_t> total();
  /// A file of the walk that somebody else has opened meanwhile, the first is 0, and its pages.
  void know(int64_t file, int64_t pages);

 private:
  void count();
  std::optional<int64_t> known(int64_t file) const;

  const std::vector<std::filesystem::path> inputs_;
  DrawOptions draw_;
  const PageRange range_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<int32_t> known_;  // by file; 0: not known
  std::optional<int64_t> total_;
  std::optional<std::thread> thread_;
};

}  // namespace galago::convert
