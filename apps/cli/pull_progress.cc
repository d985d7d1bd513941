// See the header.
#include "pull_progress.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "wording.h"

namespace galago::cli {
namespace {

constexpr size_t kNameWidth = 32;

std::string time_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::ceil(seconds));
  if (whole < 100) return std::to_string(whole) + " s";
  if (whole < 6000) return std::to_string((whole + 30) / 60) + " min";
  return std::to_string((whole + 1800) / 3600) + " h";
}

}  // namespace

std::string bytes_text(int64_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 5> kUnits = {"kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes) / 1000;
  size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string progress_text(const hub::Progress& progress) {
  const int64_t percent = progress.total > 0
                              ? static_cast<int64_t>(100.0 * static_cast<double>(progress.bytes) /
                                                     static_cast<double>(progress.total))
                              : 100;
  std::string text = std::to_string(percent) + "% of " + bytes_text(progress.total);
  if (progress.bytes_per_second >= 1) {
    const auto left = static_cast<double>(progress.total - progress.bytes);
    text += "  " + bytes_text(static_cast<int64_t>(progress.bytes_per_second)) + "/s  " +
            time_text(left / progress.bytes_per_second) + " left";
  }
  if (!progress.active.empty()) {
    text += "  " + shortened(progress.active.front().path, kNameWidth);
    if (progress.active.size() > 1) text += " and " + std::to_string(progress.active.size() - 1) + " more";
  }
  return text;
}

PullProgress::PullProgress(hub::PullOptions& options, bool quiet) : status_(!quiet) {
  status_.show("asking the hub");
  options.on_plan = [this, quiet](const hub::Plan& plan) {
    status_.clear();
    long long count = 0;
    for (const hub::PlannedFile& file : plan.files) count += file.cached ? 0 : 1;
    if (!quiet && count > 0)
      notice("downloading " + plan.repository + ": " + counted(count, "file") + ", " +
             bytes_text(plan.bytes_to_fetch));
  };
  options.on_progress = [this](const hub::Progress& progress) { status_.show(progress_text(progress)); };
  options.cancelled = interrupted;
}

}  // namespace galago::cli
