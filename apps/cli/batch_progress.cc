// See the header.
#include "batch_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "wording.h"

namespace galago::cli {
namespace {

constexpr double kRedraw = 0.2;    // seconds
constexpr double kLineEvery = 10;  // seconds

std::string rate(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
  return text;
}

std::string bar(double part) {
  constexpr int kWidth = 20;
  const int full = std::clamp(static_cast<int>(part * kWidth), 0, kWidth);
  return "[" + std::string(static_cast<size_t>(full), '#') +
         std::string(static_cast<size_t>(kWidth - full), '.') + "] ";
}

double part_of(const batch::Progress& p) {
  return p.total && *p.total > 0 ? static_cast<double>(p.done) / static_cast<double>(*p.total) : 0;
}

}  // namespace

std::string time_text(double seconds) {
  const auto s = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 1e12)));
  const auto two = [](int64_t a, const char* big, int64_t b, const char* small) {
    return std::to_string(a) + big + (b > 0 ? " " + std::to_string(b) + small : "");
  };
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600) return two(s / 60, " min", s % 60, " s");
  if (s < 86400) return two(s / 3600, " h", s % 3600 / 60, " min");
  return two(s / 86400, " d", s % 86400 / 3600, " h");
}

std::string progress_text(const batch::Progress& p) {
  std::string text = grouped(p.done);
  if (p.total) {
    text += "/" + grouped(*p.total);
    text += "  " + std::to_string(static_cast<int>(100 * part_of(p))) + "%";
  }
  const int64_t own = p.done - p.resumed;
  if (own > 0 && p.seconds > 0) {
    const double items = static_cast<double>(own) / p.seconds;
    text += "  " + rate(items) + " items/s  " + rate(static_cast<double>(p.tokens) / p.seconds) + " tokens/s";
    if (p.total && *p.total > p.done)
      text += "  " + time_text(static_cast<double>(*p.total - p.done) / items) + " left";
  }
  if (p.failed > 0) text += "  " + counted(p.failed, "error");
  return text;
}

BatchProgress::BatchProgress(bool quiet, bool lines)
    : status_(!quiet), quiet_(quiet), lines_(lines && isatty(STDERR_FILENO) == 0) {}

void BatchProgress::tell(const batch::Progress& p) {
  if (!began_ && p.resumed > 0 && !quiet_)
    notice(grouped(p.resumed) + (p.total ? " of " + grouped(*p.total) : "") + " were done already");
  const bool first = !std::exchange(began_, true);
  if (!first && p.seconds - told_ < (lines_ ? kLineEvery : kRedraw)) return;
  told_ = p.seconds;
  if (lines_ && !first) notice(progress_text(p));
  status_.show((p.total ? bar(part_of(p)) : "") + progress_text(p));
}

void BatchProgress::finish(const batch::Summary& s, const std::string& output) {
  status_.clear();
  if (quiet_ && (s.failed == 0 || s.stopped)) return;
  const std::string failed = s.failed > 0 ? ", " + counted(s.failed, "error") + " among them" : "";
  const std::string none = s.done == 0 ? ", since there was no item in the input" : "";
  if (s.stopped)
    notice("stopped after " + counted(s.done, "record") + failed + ": the same command goes on from there");
  else
    notice(counted(s.done, "record") + " in " + output + failed + none + ", " + counted(s.tokens, "token") +
           " in " + time_text(s.seconds));
}

}  // namespace galago::cli
