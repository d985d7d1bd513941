// See the header. docs/tuning.md explains what is measured.
#include "bench_tune.h"

#include <cstdio>
#include <string>
#include <vector>

#include "console.h"
#include "galago/galago.h"
#include "kernels/tuning.h"
#include "models/tuning.h"

namespace galago::cli {
namespace {

// Longer than a load takes for it: who asks for the table waits for one that tells.
constexpr kernels::TuningLimits kPatience{.ms = 2000, .rounds = 40};

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms", ms);
  return text;
}

const char* automatic(const kernels::Tuning& choice) {
  return to_string(choice.bf16_is_faster ? ComputeDtype::bf16 : ComputeDtype::f32);
}

void show(const TuningKey& key, const kernels::TuningTable& table, const std::string& kept) {
  std::vector<std::vector<std::string>> rows = {{"way", "best time", ""}};
  for (const kernels::TunedWay& way : table.ways)
    rows.push_back({way.name, milliseconds(way.ms), way.chosen ? "chosen" : ""});
  print(key.processor + ", " + std::to_string(key.threads) + (key.threads == 1 ? " thread, " : " threads, ") +
        key.backend + ", measured in " + milliseconds(table.ms) + "\n\n" + cli::table(rows) +
        "\n--compute auto means " + automatic(table.choice) + " here.\n" +
        (table.settled ? "" : "This machine is too busy to tell: the fixed ways stay.\n") +
        (kept.empty() ? "Not kept.\n" : "Kept in " + kept + "\n"));
}

}  // namespace

int bench_tune(int threads, bool json) {
  const bool on = tuning_is_on();
  const TuningKey key = tuning_key(threads);
  const kernels::TuningTable table = kernels::measure_tuning(key.threads, kPatience);
  const auto folder = tuning_folder();
  const bool is_kept = on && table.settled && keep_tuning(folder, key, table.choice);
  const std::string kept = is_kept ? (folder / key.file_name()).string() : "";
  if (!json) {
    show(key, table, kept);
    return 0;
  }
  const kernels::Ways& chosen = table.choice.ways;
  auto ways = nlohmann::ordered_json::array();
  for (const kernels::TunedWay& way : table.ways)
    ways.push_back({{"name", way.name}, {"ms", way.ms}, {"chosen", way.chosen}});
  nlohmann::ordered_json result = {
      {"galago", version()},
      {"processor", key.processor},
      {"backend", key.backend},
      {"threads", key.threads},
      {"ms", table.ms},
      {"prefetch", {{"hint", to_string(chosen.prefetch.hint)}, {"bytes", chosen.prefetch.bytes}}},
      {"rows_together", chosen.rows_together},
      {"panel_depth", chosen.panel_depth},
      {"amx_depth", chosen.amx_depth},
      {"operations_per_part", chosen.operations_per_part},
      {"compute_auto", automatic(table.choice)},
      {"settled", table.settled},
      {"ways", ways},
      {"kept", nullptr}};
  if (is_kept) result["kept"] = kept;
  print_json(result);
  return 0;
}

}  // namespace galago::cli
