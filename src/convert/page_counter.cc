// See the header.
#include "convert/page_counter.h"

#include <algorithm>
#include <limits>
#include <system_error>

#include "core/cancelled.h"
#include "io/quiet_thread.h"

namespace galago::convert {

std::optional<std::filesystem::path> FileWalk::next() {
  for (;;) {
    if (walk_) {
      while (auto file = walk_->next())
        if (ends_like_document(file->string())) return file;
      walk_.reset();
    }
    if (input_ == inputs_.size()) return {};
    const std::filesystem::path& input = inputs_[input_++];
    std::error_code error;
    if (!std::filesystem::is_directory(input, error)) return input;
    walk_.emplace(input, "**");
  }
}

int64_t wanted_pages(const PageFile& file, const PageRange& range) {
  int64_t wanted = 0;
  for (int64_t page = 1; page <= file.pages(); ++page) wanted += range.has(page);
  return std::max<int64_t>(wanted, 1);
}

PageCounter::PageCounter(std::vector<std::filesystem::path> inputs, DrawOptions draw, PageRange range)
    : inputs_(std::move(inputs)), draw_(std::move(draw)), range_(std::move(range)) {
  draw_.keep_going = [this, asked = draw_.keep_going] { return !stopping_ && (!asked || asked()); };
}

PageCounter::~PageCounter() {
  stopping_ = true;
  if (thread_) thread_->join();
}

std::optional<int64_t> PageCounter::total() {
  const std::lock_guard lock(mutex_);
  if (!thread_) {
    try {
      thread_ = quiet_thread([this] { count(); });
    } catch (const std::system_error&) {  // no thread to be had: it stays unknown
    }
  }
  return total_;
}

void PageCounter::know(int64_t file, int64_t pages) {
  const std::lock_guard lock(mutex_);
  if (std::cmp_greater_equal(file, known_.size())) known_.resize(static_cast<size_t>(file) + 1);
  known_[static_cast<size_t>(file)] =
      static_cast<int32_t>(std::min<int64_t>(pages, std::numeric_limits<int32_t>::max()));
}

std::optional<int64_t> PageCounter::known(int64_t file) const {
  const std::lock_guard lock(mutex_);
  if (std::cmp_greater_equal(file, known_.size()) || known_[static_cast<size_t>(file)] == 0) return {};
  return known_[static_cast<size_t>(file)];
}

void PageCounter::count() {
  try {
    int64_t sum = 0;
    FileWalk files(inputs_);
    for (int64_t number = 0; auto path = files.next(); ++number) {
      if (stopping_) return;
      std::optional<int64_t> pages = known(number);
      if (!pages) try {
          pages = wanted_pages(*PageFile::open(*path, draw_), range_);
        } catch (const Error&) {  // one that cannot be opened is an item, too
          pages = 1;
        }
      sum += *pages;
    }
    const std::lock_guard lock(mutex_);
    total_ = sum;
  } catch (...) {  // stopped, a folder that is gone, no memory: the run itself will say so
  }
}

}  // namespace galago::convert
