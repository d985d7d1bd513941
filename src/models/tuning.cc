// See the header.
#include "models/tuning.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <span>

#include "formats/json.h"
#include "galago/error.h"
#include "io/files.h"
#include "io/folder_lock.h"
#include "io/processor.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using kernels::Tuning;

constexpr int64_t kFileBytes = 4096;
constexpr std::chrono::milliseconds kPatience(2000);
constexpr const char* kKind = "galago tuning 4";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Json json_of(const Tuning& tuning, const TuningKey& key) {
  return {{"kind", kKind},
          {"version", key.version},
          {"processor", key.processor},
          {"backend", key.backend},
          {"threads", key.threads},
          {"prefetch", to_string(tuning.ways.prefetch.hint)},
          {"prefetch_bytes", tuning.ways.prefetch.bytes},
          {"rows_together", tuning.ways.rows_together},
          {"panel_depth", tuning.ways.panel_depth},
          {"amx_depth", tuning.ways.amx_depth},
          {"operations_per_part", tuning.ways.operations_per_part},
          {"bf16_is_faster", tuning.bf16_is_faster}};
}

std::optional<Tuning> kept_tuning(const fs::path& folder, const TuningKey& key) {
  if (folder.empty()) return {};
  try {
    const auto text = read_if_present(folder / key.file_name(), kFileBytes);
    return text ? parse_tuning(*text, key) : std::nullopt;
  } catch (const Error&) {  // a folder or pipe in its place, too large, not ours to read
    return {};
  }
}

}  // namespace

bool tuning_is_on() {
  const std::string word = variable(kTuneVariable);
  if (word.empty() || word == "on") return true;
  if (word == "off") return false;
  throw Error(ErrorCode::usage, {.where = kTuneVariable, .got = "'" + word + "'", .expected = "on or off"});
}

std::string TuningKey::file_name() const {
  std::string name = processor + "." + backend + "." + std::to_string(threads) + "." + version + ".json";
  std::erase_if(name, [](char c) { return c == ' ' || c == '(' || c == ')'; });
  std::replace_if(
      name.begin(), name.end(),
      [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return !letter && c != '-' && c != '.' && c != '_' && c != '+';
      },
      '_');
  return name;
}

std::string to_text(const Tuning& tuning, const TuningKey& key) {
  return json_of(tuning, key).dump(1) + "\n";
}

std::optional<Tuning> parse_tuning(std::string_view text, const TuningKey& key) {
  try {
    const Json found = parse_json(text, "tuning");
    // Only what this program writes is believed: ways that it tries, in the very same object.
    Tuning tuning;
    const auto says = [&found](const char* name, const Json& value) {
      const auto field = found.find(name);
      return field != found.end() && *field == value;
    };
    const auto one_of = [&says](const char* name, std::span<const int64_t> ways) {
      const auto way = std::ranges::find_if(ways, [&](int64_t number) { return says(name, number); });
      return way == ways.end() ? ways.front() : *way;
    };
    for (const kernels::WeightPrefetch& way : kernels::prefetch_ways())
      if (says("prefetch", to_string(way.hint)) && says("prefetch_bytes", way.bytes))
        tuning.ways.prefetch = way;
    tuning.ways.rows_together = one_of("rows_together", kernels::rows_together_ways());
    tuning.ways.panel_depth = one_of("panel_depth", kernels::panel_depth_ways());
    tuning.ways.amx_depth = one_of("amx_depth", kernels::amx_depth_ways());
    tuning.ways.operations_per_part = one_of("operations_per_part", kernels::operations_per_part_ways());
    tuning.bf16_is_faster = says("bf16_is_faster", true);
    if (found == json_of(tuning, key)) return tuning;
  } catch (const Error&) {
  }
  return {};
}

fs::path tuning_folder() {
  fs::path folder = variable("XDG_CACHE_HOME");
  if (!folder.is_absolute()) {
    const fs::path home = variable("HOME");
    if (!home.is_absolute()) return {};
    folder = home / ".cache";
  }
  return folder / "galago" / "tuning";
}

bool keep_tuning(const fs::path& folder, const TuningKey& key, const Tuning& tuning) noexcept {
  try {
    if (folder.empty()) return false;
    fs::create_directories(folder);
    const std::string text = to_text(tuning, key);
    write_file_atomically(folder / key.file_name(), std::as_bytes(std::span(text)));
    return true;
  } catch (const std::exception&) {  // read-only, full, no folder: the choice holds without it
    return false;
  }
}

Tuning remembered_tuning(const fs::path& folder, const TuningKey& key,
                         const std::function<kernels::TuningTable()>& measure) {
  if (const auto tuning = kept_tuning(folder, key)) return *tuning;
  // Processes that start at the same time would measure each other: the first one does it for all.
  std::error_code ignored;
  if (!folder.empty()) fs::create_directories(folder, ignored);
  const FolderLock turn(folder, kPatience);
  if (const auto tuning = kept_tuning(folder, key)) return *tuning;
  const kernels::TuningTable table = measure();
  if (table.settled) keep_tuning(folder, key, table.choice);
  return table.choice;
}

TuningKey tuning_key(int threads) {
  const kernels::SharedDevice device = kernels::cpu_device(threads);
  return {.version = GALAGO_VERSION,
          .processor = processor_model(),
          .backend = device->name(),
          .threads = device->threads()};
}

Tuning tuning_of(int threads) {
  if (!tuning_is_on()) return {};
  static std::mutex mutex;
  static std::map<int, Tuning> made;  // for each number of threads, what this process goes by
  const TuningKey key = tuning_key(threads);
  const std::lock_guard lock(mutex);
  const auto found = made.find(key.threads);
  if (found != made.end()) return found->second;
  const Tuning tuning = remembered_tuning(tuning_folder(), key, [&key]() -> kernels::TuningTable {
    try {
      return kernels::measure_tuning(key.threads);
    } catch (const Error&) {  // no memory for it
      return {.choice = {}, .ways = {}, .settled = false};
    }
  });
  return made.emplace(key.threads, tuning).first->second;
}

kernels::SharedDevice tuned_device(int threads) {
  return kernels::cpu_device(threads, tuning_of(threads).ways);
}

ComputeDtype resolved(ComputeDtype compute, const kernels::Device& device) {
  if (compute != ComputeDtype::automatic) return compute;
  return tuning_of(device.threads()).bf16_is_faster ? ComputeDtype::bf16 : ComputeDtype::f32;
}

}  // namespace galago
